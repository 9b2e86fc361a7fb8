-- What keeps tables from growing without end. For the worker.

-- name: sweep_guarding
-- Counts of calls and of wrong passwords that mean nothing any more, and tokens that are too old.
SELECT auth.sweep_guarding();

-- name: drop_months
-- Months that ended so many days ago are dropped, not deleted row by row; how many.
SELECT drop_month_partitions(%(parent)s, %(days)s) AS dropped;
