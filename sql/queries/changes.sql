-- The change feed. migrations/V0006__changes.sql explains how it works.

-- name: since
-- budget: 500 buffers
-- Returns the next things behind a place (xid, type, id) of the feed, each in its present state, with the
-- values that apply to the feed as a whole. It is one row with a NULL type if there are none. Each requested
-- type is one range of changes_xid_idx, and the things are looked up for the page alone.
--
-- ends: where this pass ends: `until`, or, for a new pass, the horizon. On a standby that lags it may be less,
-- but never less than the place itself. Writes behind `until` during a client's pass wait for the next one.
--
-- expired: the place is of another epoch; or a tombstone was pruned that its client has not seen (`known` is
-- below the xid it has all of, or needs none of); or it is in the future: from before the database was restored
-- to an earlier time.
--
-- The values go through a CTE, where the planner does not see them. So its plan is the same for all of them,
-- and is kept. Planning takes twice as long as a poll that finds nothing new.
WITH asked AS MATERIALIZED (
    SELECT
        %(epoch)s::bigint AS epoch,
        %(until)s::xid8 AS until,
        %(xid)s::xid8 AS xid,
        %(type)s::text AS type,
        %(id)s::bigint AS id,
        %(known)s::xid8 AS known,
        %(types)s::text[] AS types,
        %(limit)s::integer AS most
),

feed AS MATERIALIZED (
    SELECT
        f.epoch,
        n.horizon,
        greatest(least(a.until, n.horizon), a.xid) AS ends,
        a.epoch IS NOT NULL
        AND (
            f.epoch <> a.epoch
            OR f.pruned_xid >= a.known
            OR (n.latest < a.xid AND NOT pg_is_in_recovery())
        ) AS expired
    FROM asked AS a
    CROSS JOIN (
        SELECT hashtextextended(k.epoch::text || change_feed_origin(), 0) AS epoch, k.pruned_xid
        FROM change_feed AS k
        LIMIT 1 -- there is only one: for the planner, which has no statistics of so small a table
    ) AS f
    CROSS JOIN (
        SELECT pg_snapshot_xmin(s.snapshot) AS horizon, pg_snapshot_xmax(s.snapshot) AS latest
        FROM pg_current_snapshot() AS s (snapshot)
    ) AS n
),

types AS MATERIALIZED (
    SELECT t.type
    FROM asked AS a
    JOIN (VALUES ('product'), ('store'), ('category'), ('brand')) AS t (type) ON t.type = ANY(a.types)
),

-- 101: the largest page, and one more to know whether the page has a next one.
page AS MATERIALIZED (
    SELECT t.type, c.thing_id, c.xid, c.changed_at
    FROM feed AS f
    CROSS JOIN asked AS a
    CROSS JOIN types AS t
    CROSS JOIN LATERAL (
        SELECT r.thing_id, r.xid, r.changed_at
        FROM changes AS r
        WHERE r.type = t.type
            AND (r.xid, r.thing_id) > (
                a.xid,
                CASE WHEN t.type < a.type THEN 9223372036854775807 WHEN t.type = a.type THEN a.id ELSE 0 END
            )
            AND r.xid < f.ends
        ORDER BY r.xid, r.thing_id
        LIMIT 101
    ) AS c
    WHERE NOT f.expired
    ORDER BY c.xid, t.type, c.thing_id
    LIMIT (SELECT a.most FROM asked AS a)
),

-- Since when a committed change has been held back by a transaction below it that still runs. Of the first hundred of
-- each type, which are nearly in the order of time.
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
    d.document, coalesce(d.description, o.description) AS description, d.details,
    o.name, o.slug, o.parent_id, o.version, o.created_at, o.updated_at
FROM feed AS f
CROSS JOIN withheld AS w
LEFT JOIN page AS p ON true
-- LIMIT 1: looked up one by one, whatever the planner assumes about the page.
LEFT JOIN LATERAL (
    SELECT card.document, coalesce(to_json(k.description)::text, 'null') AS description, concat(
            more.details, CASE k.variant_count WHEN 0 THEN '[]' ELSE variants_of(k.id, false) END
        ) AS details
    FROM products AS k
    JOIN product_cards AS card ON card.product_id = k.id
    JOIN product_details AS more ON more.product_id = k.id
    WHERE p.type = 'product' AND k.id = p.thing_id AND NOT k.hidden
    LIMIT 1
) AS d ON true
LEFT JOIN LATERAL (
    SELECT s.name, s.description, NULL::text AS slug, NULL::bigint AS parent_id, s.version, s.created_at, s.updated_at
    FROM stores AS s
    WHERE p.type = 'store' AND s.id = p.thing_id AND s.state = 'active'
    UNION ALL
    SELECT c.name, NULL, c.slug, c.parent_id, c.version, c.created_at, c.updated_at
    FROM categories AS c
    WHERE p.type = 'category' AND c.id = p.thing_id AND c.listed
    UNION ALL
    SELECT b.name, NULL, b.slug, NULL, b.version, b.created_at, b.updated_at
    FROM brands AS b
    WHERE p.type = 'brand' AND b.id = p.thing_id AND b.listed
    LIMIT 1
) AS o ON true
ORDER BY p.xid, p.type, p.thing_id;

-- name: prune
-- For the worker, repeated until nothing is left: old tombstones.
SELECT prune_changes(%(days)s, %(most)s) AS pruned;
