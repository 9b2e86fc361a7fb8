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

-- name: sign
-- One statement for all queues of a process, in the order of names: workers do it at the same time.
INSERT INTO refreshes AS r (name, refreshed_at)
SELECT 'queue ' || q.name, clock_timestamp()
FROM unnest(%(queues)s::text[]) AS q (name)
ORDER BY q.name
ON CONFLICT (name) DO UPDATE
    SET refreshed_at = excluded.refreshed_at;

-- name: unserved
-- Since when nobody takes jobs of a queue, and how many of them are due.
SELECT
    q.name,
    extract(EPOCH FROM clock_timestamp() - r.refreshed_at)::float8 AS seconds,
    (
        SELECT count(*)
        FROM jobs.procrastinate_jobs AS j
        WHERE j.queue_name = q.name AND j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= now())
    ) AS waiting
FROM unnest(%(queues)s::text[]) WITH ORDINALITY AS q (name, place)
LEFT JOIN refreshes AS r ON r.name = 'queue ' || q.name
ORDER BY q.place;

-- name: enqueue_many
-- Jobs of one kind, in the order of the arrays, each due so many seconds from now.
SELECT jobs.procrastinate_defer_jobs_v1(array_agg(
    ROW(
        %(queue)s, %(task)s, 0, NULL, NULL, j.args::jsonb,
        CASE WHEN j.seconds > 0 THEN now() + j.seconds * interval '1 second' END
    )::jobs.procrastinate_job_to_defer_v1
    ORDER BY j.place
)) AS ids
FROM unnest(%(args)s::text[], %(seconds)s::integer[]) WITH ORDINALITY AS j (args, seconds, place);

-- name: enqueue_unless_waiting
-- A job that needs to be done only once, however many ask for it. Not by the queue's own lock: who asks would wait for
-- the other's transaction to end. Two at the same time are two jobs, which does no harm.
SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, %(lock)s, NULL, %(args)s::jsonb, NULL)::jobs.procrastinate_job_to_defer_v1
]) AS ids
WHERE NOT EXISTS (
    SELECT FROM jobs.procrastinate_jobs AS j
    WHERE j.status = 'todo' AND j.task_name = %(task)s AND j.lock = %(lock)s AND j.queueing_lock IS NULL
);
