-- What `migrate` sends beside ledger.sql and the files of sql/migrations. As the owner of the database.

-- name: prepare_session
SELECT
    set_config('client_min_messages', 'warning', false),
    set_config('statement_timeout', '0', false),
    set_config('search_path', 'public', false),
    set_config('DateStyle', 'ISO, YMD', false),
    set_config('standard_conforming_strings', 'on', false);

-- name: try_lock
SELECT pg_try_advisory_lock(%(key)s::bigint);

-- name: unlock
SELECT pg_advisory_unlock(%(key)s::bigint);

-- name: applied
SELECT m.version, m.name, m.checksum
FROM public.schema_migrations AS m;

-- name: grant_ledger
GRANT SELECT ON public.schema_migrations TO marketplace_app, marketplace_readonly;

-- name: wait_for_locks
-- A file alone, without a transaction, waits without standing in anybody's way; others give up (`time`).
SELECT set_config('lock_timeout', %(time)s, %(transaction)s::boolean);

-- name: record
INSERT INTO public.schema_migrations (version, name, checksum, milliseconds)
VALUES (%(version)s, %(name)s, %(checksum)s, %(milliseconds)s);

-- name: has_function
SELECT to_regprocedure(%(signature)s) IS NOT NULL;

-- name: has_months
SELECT to_regclass('public.month_tables') IS NOT NULL;

-- name: make_months
SELECT public.make_month_partitions(m.name, 13)
FROM public.month_tables AS m;

-- name: settle_change_feed
-- This and the next two give a restored dump what it lacks.
SELECT public.settle_change_feed();

-- name: settle_event_cursors
SELECT public.settle_event_cursors();

-- name: settle_database
SELECT public.settle_database();
