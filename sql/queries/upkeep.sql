-- Statements that keep tables from growing without end. For the worker.

-- name: sweep_guarding
-- Counts of calls and of wrong passwords that have no effect any more, and expired tokens.
SELECT auth.sweep_guarding();

-- name: month_tables
-- Tables with a partition a month; keep_days is NULL where a setting of the service says how long.
SELECT m.name, m.keep_days
FROM month_tables AS m
ORDER BY m.name;

-- name: make_months
-- The partitions of this month and the next ones, unless they exist; returns how many were new.
SELECT make_month_partitions(%(parent)s, %(months)s) AS made;

-- name: reopen_stock
-- Before old movements are dropped: new openings of rows of stock whose last one is so many days old, some at a time.
SELECT reopen_stock(%(days)s, %(most)s) AS reopened;

-- name: drop_months
-- Drops months that ended so many days ago, instead of deleting row by row; returns how many.
SELECT drop_month_partitions(%(parent)s, %(days)s) AS dropped;

-- name: forget_ended
-- Tracking numbers and proofs of orders that ended so many days ago, some at a time; how many.
SELECT f.parcels, f.proofs
FROM forget_ended(%(days)s, %(most)s) AS f;

-- name: spent_images
-- Private images that nothing has named within a day, or whose order ended so many days ago.
SELECT u.id, u.key
FROM uploads AS u
WHERE (NOT u.used AND u.created_at < now() - interval '1 day')
    OR (
        u.used
        AND u.purpose <> 'qris'
        AND u.created_at < now() - make_interval(days => %(days)s)
        AND NOT EXISTS (
            SELECT FROM checkouts AS c
            JOIN payments AS p ON p.checkout_id = c.id
            WHERE c.buyer_id = u.user_id AND p.proof ->> 'upload' = u.id::text
        )
        AND NOT EXISTS (
            SELECT FROM order_requests AS q
            JOIN orders AS o ON o.id = q.order_id
            WHERE q.buyer_id = u.user_id AND u.id::text = ANY(q.images)
                AND (
                    o.stage NOT IN ('completed', 'cancelled')
                    OR coalesce(o.completed_at, o.updated_at) >= now() - make_interval(days => %(days)s)
                )
        )
    )
ORDER BY u.created_at
LIMIT %(most)s;

-- name: delete_images
DELETE FROM uploads AS u
WHERE u.id = ANY(%(ids)s::uuid[]);

-- name: sweep_unconfirmed
-- Again and again until last_id is NULL.
SELECT s.swept, s.last_id
FROM auth.sweep_unconfirmed(%(days)s, %(after)s, %(most)s) AS s;

-- name: sweep_surplus
-- Sessions of a user and used tokens of a session beyond the newest; how many.
SELECT auth.sweep_surplus(%(sessions)s, %(tokens)s) AS swept;

-- name: sweep_callbacks
-- What providers told so many days ago, some at a time.
WITH old AS (
    SELECT c.provider, c.key
    FROM provider_callbacks AS c
    WHERE c.received_at < now() - make_interval(days => %(days)s)
    ORDER BY c.received_at
    LIMIT %(most)s
),

swept AS (
    DELETE FROM provider_callbacks AS c
    USING old AS o
    WHERE c.provider = o.provider AND c.key = o.key
    RETURNING c.id
)

SELECT count(*) AS swept
FROM swept AS s;

-- name: forget_tracking
-- Numbers of parcels of orders that ended so many days ago, some at a time: they lead to an address at the courier.
WITH old AS (
    SELECT s.order_id, s.id
    FROM shipments AS s
    JOIN orders AS o ON o.id = s.order_id
    WHERE s.tracking_number IS NOT NULL
        AND s.shipped_at < now() - make_interval(days => %(days)s)
        AND o.state IN ('completed', 'cancelled')
        AND coalesce(o.completed_at, o.updated_at) < now() - make_interval(days => %(days)s)
    ORDER BY s.shipped_at
    LIMIT %(most)s
),

forgotten AS (
    UPDATE shipments AS s
    SET tracking_number = NULL, tracking_url = NULL
    FROM old AS o
    WHERE s.order_id = o.order_id AND s.id = o.id
    RETURNING s.id
)

SELECT count(*) AS forgotten
FROM forgotten AS f;
