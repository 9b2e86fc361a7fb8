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
