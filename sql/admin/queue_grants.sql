-- Grants on the job queue; `migrate` sends this file each time. Enqueueing needs to insert a job and to read
-- its id; only the worker may read the arguments of jobs.

GRANT USAGE ON SCHEMA jobs TO marketplace_app, marketplace_worker, marketplace_readonly;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO marketplace_app, marketplace_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO marketplace_app, marketplace_worker;
GRANT INSERT ON jobs.procrastinate_jobs, jobs.procrastinate_events TO marketplace_app;
GRANT SELECT (id, queue_name, task_name, priority, lock, queueing_lock, status, scheduled_at, attempts)
ON jobs.procrastinate_jobs TO marketplace_app, marketplace_readonly;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO marketplace_worker;

-- Before each job, whoever enqueues it (V0019). Made once, as it waits for writers.
DO $$
BEGIN
    IF to_regprocedure('public.guard_jobs()') IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_trigger
        WHERE tgrelid = 'jobs.procrastinate_jobs'::regclass AND tgname = 'guard_jobs'
    ) THEN
        CREATE TRIGGER guard_jobs BEFORE INSERT ON jobs.procrastinate_jobs
        FOR EACH ROW EXECUTE FUNCTION public.guard_jobs();
    END IF;
END
$$;
