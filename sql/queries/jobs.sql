-- The queue (procrastinate's own tables and functions, schema jobs).

-- name: enqueue
-- In the caller's transaction: the job is there when, and only when, what it is for has been committed.
-- Jobs with the same lock run one after the other.
SELECT jobs.procrastinate_defer_jobs_v1(ARRAY[
    ROW(%(queue)s, %(task)s, 0, %(lock)s, NULL, %(args)s::jsonb, NULL)::jobs.procrastinate_job_to_defer_v1
]) AS ids;
