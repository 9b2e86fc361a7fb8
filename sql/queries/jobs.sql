-- The queue (procrastinate's own tables and functions, schema jobs).

-- name: enqueue
-- In the caller's transaction: the job exists if, and only if, the transaction commits. Jobs with the same lock
-- run one after the other.
SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, %(lock)s, NULL, %(args)s::jsonb, NULL)::jobs.procrastinate_job_to_defer_v1
]) AS ids;

-- name: configure
-- Settings that the worker's connections to the queue rely on. The library's own statements name their tables
-- without a schema.
SELECT
    set_config('role', 'marketplace_worker', false),
    set_config('search_path', 'jobs, public, pg_temp', false),
    set_config('TimeZone', 'UTC', false),
    set_config('DateStyle', 'ISO, YMD', false),
    set_config('IntervalStyle', 'postgres', false),
    set_config('standard_conforming_strings', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('statement_timeout', '1min', false),
    set_config('lock_timeout', '10s', false);
