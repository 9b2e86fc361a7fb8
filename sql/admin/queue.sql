-- The schema `jobs` of the job queue, whose tables and functions are the library procrastinate's own. As the owner.

-- name: installed
-- The newest of the library's files that is in.
SELECT m.name
FROM public.schema_migrations AS m
WHERE m.version = 0;

-- name: make_schema
CREATE SCHEMA IF NOT EXISTS jobs;

-- name: describe_schema
COMMENT ON SCHEMA jobs IS 'The job queue: tables and functions of the library procrastinate.';

-- name: enter_schema
-- For the transaction of one of the library's files.
SELECT set_config('lock_timeout', '5s', true), set_config('search_path', 'jobs, public, pg_temp', true);

-- name: record
INSERT INTO public.schema_migrations (version, name, checksum, milliseconds)
VALUES (0, %(name)s, %(checksum)s, %(milliseconds)s)
ON CONFLICT (version) DO UPDATE
SET name = excluded.name, checksum = excluded.checksum, applied_at = now(), milliseconds = excluded.milliseconds;

-- name: unpinned
-- Functions that find their tables by the caller's search_path, which for the API does not have `jobs`.
SELECT p.oid::regprocedure::text
FROM pg_proc AS p
WHERE p.pronamespace = 'jobs'::regnamespace AND p.proconfig IS NULL;

-- name: pin
ALTER FUNCTION {function} SET search_path = jobs, public, pg_temp;
