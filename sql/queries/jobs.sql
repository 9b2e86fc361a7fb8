-- The queue (procrastinate's own tables and functions, schema jobs).

-- name: enqueue
-- In the caller's transaction: the job is there when, and only when, what it is for has been committed.
-- Jobs with the same lock run one after the other.
SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, %(lock)s, NULL, %(args)s::jsonb, NULL)::jobs.procrastinate_job_to_defer_v1
]) AS ids;

-- name: configure
-- What the worker's connections to the queue count on; the library's own statements name their tables bare.
SELECT
    set_config('role', 'marketplace_worker', false),
    set_config('search_path', 'jobs, public, pg_temp', false),
    set_config('TimeZone', 'UTC', false),
    set_config('statement_timeout', '1min', false),
    set_config('lock_timeout', '10s', false);
