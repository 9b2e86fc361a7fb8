-- Statements that keep tables from growing without end. For the worker.

-- name: sweep_guarding
-- Counts of calls and of wrong passwords that have no effect any more, and expired tokens.
SELECT auth.sweep_guarding();

-- name: drop_months
-- Drops months that ended so many days ago, instead of deleting row by row; returns how many.
SELECT drop_month_partitions(%(parent)s, %(days)s) AS dropped;

-- name: sweep_unconfirmed
-- Again and again until last_id is NULL.
SELECT s.swept, s.last_id
FROM auth.sweep_unconfirmed(%(days)s, %(after)s, %(most)s) AS s;

-- name: sweep_surplus
-- Sessions of a user and used tokens of a session beyond the newest; how many.
SELECT auth.sweep_surplus(%(sessions)s, %(tokens)s) AS swept;
