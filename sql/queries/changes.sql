-- The change feed. How it works stands in migrations/V0006__changes.sql.

-- name: since
-- The next things behind a place (xid, type, id) of the feed, each as it is now, with what is said of the feed as a
-- whole; one row with a NULL type where there are none. For each type that is asked for it is one range of
-- changes_xid_idx, and what is answered of the things is looked up for the page alone.
--
-- ends: where this pass ends: `until`, or, for a new pass, the horizon. On a standby that lags it may be less, but never
-- less than the place itself. What is written behind `until` while a client goes through a pass waits for the next one.
--
-- expired: the place is of another epoch; or a tombstone was pruned that its client has not seen (`known` is below what it
-- has all of, or needs none of); or it lies in the future: from before the database was put back to an earlier time.
WITH feed AS MATERIALIZED (
    SELECT
        f.epoch,
        n.horizon,
        greatest(least(%(until)s::xid8, n.horizon), %(xid)s::xid8) AS ends,
        %(epoch)s::bigint IS NOT NULL
        AND (
            f.epoch <> %(epoch)s
            OR f.pruned_xid >= %(known)s::xid8
            OR (n.latest < %(xid)s::xid8 AND NOT pg_is_in_recovery())
        ) AS expired
    FROM (
        SELECT hashtextextended(k.epoch::text || change_feed_origin(), 0) AS epoch, k.pruned_xid
        FROM change_feed AS k
    ) AS f
    CROSS JOIN (
        SELECT pg_snapshot_xmin(s.snapshot) AS horizon, pg_snapshot_xmax(s.snapshot) AS latest
        FROM pg_current_snapshot() AS s (snapshot)
    ) AS n
),

-- Constants, and 101 below for the largest page and one: so that a plan for values unknown looks no dearer than one for
-- these values, and is kept. Planning takes longer than a poll that finds nothing new.
types AS (
    SELECT t.type
    FROM (VALUES ('product'), ('store'), ('category'), ('brand')) AS t (type)
    WHERE t.type = ANY(%(types)s)
),

page AS MATERIALIZED (
    SELECT t.type, c.thing_id, c.xid, c.changed_at
    FROM feed AS f
    CROSS JOIN types AS t
    CROSS JOIN LATERAL (
        SELECT r.thing_id, r.xid, r.changed_at
        FROM changes AS r
        WHERE r.type = t.type
            AND (r.xid, r.thing_id) > (
                %(xid)s::xid8,
                CASE
                    WHEN t.type < %(type)s::text THEN 9223372036854775807
                    WHEN t.type = %(type)s THEN %(id)s::bigint
                    ELSE 0
                END
            )
            AND r.xid < f.ends
        ORDER BY r.xid, r.thing_id
        LIMIT 101
    ) AS c
    WHERE NOT f.expired
    ORDER BY c.xid, t.type, c.thing_id
    LIMIT %(limit)s
),

-- What is committed and not served yet, because a transaction below it still runs: since when. Of the first hundred of
-- each type; they are nearly in the order of time.
withheld AS MATERIALIZED (
    SELECT min(w.since) AS since
    FROM feed AS f
    CROSS JOIN types AS t
    CROSS JOIN LATERAL (
        SELECT CASE WHEN r.waiting_xid >= f.horizon THEN r.waiting_since ELSE r.changed_at END AS since
        FROM changes AS r
        WHERE r.type = t.type AND r.xid >= f.horizon
        ORDER BY r.xid, r.thing_id
        LIMIT 100
    ) AS w
)

SELECT
    f.epoch, f.ends, f.expired,
    CASE
        WHEN w.since IS NULL THEN 0
        ELSE greatest(1, ceil(extract(EPOCH FROM clock_timestamp() - w.since)))::integer
    END AS delay_seconds,
    p.type, p.thing_id AS id, p.xid, p.changed_at,
    d.document IS NULL AND o.version IS NULL AS deleted,
    d.document, d.quantity, d.in_stock, coalesce(d.description, o.description) AS description,
    o.name, o.slug, o.parent_id, o.version, o.created_at, o.updated_at
FROM feed AS f
CROSS JOIN withheld AS w
LEFT JOIN page AS p ON true
-- LIMIT 1: looked up one by one, whatever the planner believes of the page.
LEFT JOIN LATERAL (
    SELECT r.document, i.quantity, k.in_stock, coalesce(to_json(k.description)::text, 'null') AS description
    FROM products AS k
    JOIN product_documents AS r ON r.product_id = k.id
    JOIN inventory AS i ON i.product_id = k.id
    WHERE p.type = 'product' AND k.id = p.thing_id AND NOT k.hidden
    LIMIT 1
) AS d ON true
LEFT JOIN LATERAL (
    SELECT s.name, s.description, NULL::text AS slug, NULL::bigint AS parent_id, s.version, s.created_at, s.updated_at
    FROM stores AS s
    WHERE p.type = 'store' AND s.id = p.thing_id
    UNION ALL
    SELECT c.name, NULL, c.slug, c.parent_id, c.version, c.created_at, c.updated_at
    FROM categories AS c
    WHERE p.type = 'category' AND c.id = p.thing_id
    UNION ALL
    SELECT b.name, NULL, b.slug, NULL, b.version, b.created_at, b.updated_at
    FROM brands AS b
    WHERE p.type = 'brand' AND b.id = p.thing_id
    LIMIT 1
) AS o ON true
ORDER BY p.xid, p.type, p.thing_id;

-- name: prune
-- For the worker, again and again until nothing is left: tombstones of what was deleted long ago.
SELECT prune_changes(%(days)s, %(most)s) AS pruned;
