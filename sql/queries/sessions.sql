-- Sessions, and how a connection and a transaction learn who they are.

-- name: configure
-- Settings that every connection of the pool relies on. ALTER ROLE in sql/admin/settings.sql may set the same
-- in the server. Every search reads the words that wait to be indexed: requests leave few of them, imports
-- more. The first block is what responses depend on, whatever the database or the login has been given.
SELECT
    set_config('role', %(role)s, false),
    set_config('TimeZone', 'UTC', false),
    set_config('DateStyle', 'ISO, YMD', false),
    set_config('IntervalStyle', 'postgres', false),
    set_config('bytea_output', 'hex', false),
    set_config('extra_float_digits', '1', false),
    set_config('search_path', 'public, pg_temp', false),
    set_config('standard_conforming_strings', 'on', false),
    set_config('array_nulls', 'on', false),
    set_config('transform_null_equals', 'off', false),
    set_config('row_security', 'on', false),
    set_config('default_transaction_isolation', 'read committed', false),
    set_config('gin_fuzzy_search_limit', '0', false),
    set_config('plan_cache_mode', 'auto', false),
    set_config('jit', 'off', false),
    set_config('max_parallel_workers_per_gather', '0', false),
    set_config('random_page_cost', '1.1', false),
    set_config('pg_trgm.similarity_threshold', '0.2', false),
    set_config('gin_pending_list_limit', %(gin_pending_list_limit)s, false),
    set_config('statement_timeout', %(statement_timeout)s, false),
    set_config('lock_timeout', %(lock_timeout)s, false),
    set_config('app.time_zone', %(time_zone)s, false),
    set_config('idle_in_transaction_session_timeout', '30s', false);

-- name: set_up
-- Behind a pooler no setting outlives a transaction. So this checks whether the login has the settings of
-- `configure`: it must not be able to bypass policies, and must not wait for ever.
SELECT
    r.rolsuper OR r.rolbypassrls OR pg_has_role(current_user, c.relowner, 'USAGE') AS almighty,
    current_setting('statement_timeout') <> '0' AND current_setting('lock_timeout') <> '0' AS limited,
    (
        current_setting('DateStyle') LIKE 'ISO%%'
        AND current_setting('IntervalStyle') = 'postgres'
        AND current_setting('bytea_output') = 'hex'
        AND current_setting('standard_conforming_strings') = 'on'
        AND current_setting('transform_null_equals') = 'off'
        AND current_setting('default_transaction_isolation') = 'read committed'
        AND current_setting('gin_fuzzy_search_limit') = '0'
        AND 'public' = ANY(current_schemas(false))
    ) AS pinned
FROM pg_roles AS r
CROSS JOIN pg_class AS c
WHERE r.rolname = current_user AND c.oid = to_regclass('public.users');

-- name: begin
BEGIN;

-- name: commit
COMMIT;

-- name: act_as
-- The first statement of every private transaction; SQLSTATE 28000 when the session is not alive, 42501 when
-- the role that the call was allowed for has been taken away. The request's id is for the audit trail, and for
-- the server's log (%%a in log_line_prefix) and pg_stat_activity. What is not durable may be lost in a crash: its
-- commit does not wait for the disk.
SELECT
    a.user_id,
    a.role,
    a.store_id,
    a.session_id,
    set_config('app.request_id', coalesce(%(request_id)s::text, ''), true),
    set_config('application_name', 'marketplace ' || coalesce(%(request_id)s::text, ''), true),
    CASE WHEN NOT %(durable)s THEN set_config('synchronous_commit', 'off', true) END
FROM auth.act_as(%(session_hash)s::bytea, %(role)s::text) AS a;

-- name: name_request
-- Before anybody is signed in.
SELECT
    set_config('app.request_id', %(request_id)s::text, true),
    set_config('application_name', 'marketplace ' || %(request_id)s::text, true);

-- name: reached
-- After a COMMIT: where the write-ahead log ends, and so what a replica must have replayed to show the write.
-- It is the place of insertion, not of writing: a commit that does not wait for the disk is behind the latter.
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint AS position;

-- name: replayed
-- On a replica: how far it is in the write-ahead log, and the age in seconds of the last commit it has seen.
-- The job worker writes a heartbeat every five seconds, so a replica that follows is never far from now. A
-- promoted replica is a primary: nothing is ahead of it.
SELECT
    CASE
        WHEN pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')::bigint
        ELSE pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint
    END AS replayed,
    CASE
        WHEN pg_is_in_recovery()
            THEN coalesce(extract(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 'infinity')::float8
        ELSE 0
    END AS seconds_behind;

-- name: do_not_wait
-- For writes that may be lost in a crash: the commit does not wait for the disk.
SELECT set_config('synchronous_commit', 'off', true);

-- name: take_time
-- For the rare statement that touches very many rows: an admin moves all products of a category.
SELECT set_config('statement_timeout', '60s', true);

-- name: find
-- Who a session is, outside a transaction: the role hook checks it before a body is read.
SELECT a.user_id, a.role, a.store_id, a.session_id
FROM auth.alive(%(session_hash)s::bytea) AS a
WHERE a.user_id IS NOT NULL;

-- name: is_verified
SELECT auth.is_verified(%(session_hash)s::bytea) AS verified;

-- name: register
SELECT auth.register(%(name)s, %(email)s, %(role)s, %(phone)s, %(password_hash)s) AS user_id;

-- name: open
-- NULL where the proof is not that of the present password.
SELECT auth.open_session(
    %(user_id)s, %(proof)s, %(session_hash)s::bytea, %(refresh_hash)s::bytea, %(seconds)s::integer,
    %(device_name)s, %(user_agent)s, %(ip)s::inet
) AS session_id;

-- name: refresh
-- outcome: renewed, unknown or reused.
SELECT r.outcome, r.session_id, r.user_id
FROM auth.refresh(
    %(old_hash)s::bytea, %(new_hash)s::bytea, %(seconds)s::integer, %(grace)s::integer, %(ip)s::inet
) AS r;

-- name: all_mine
SELECT s.id, s.device_name, s.user_agent, host(s.ip) AS ip, s.created_at, s.last_used_at, s.expires_at, s.current
FROM auth.my_sessions() AS s;

-- name: end
SELECT auth.end_session(%(session_id)s) AS ended;

-- name: end_others
SELECT auth.end_other_sessions() AS ended;

-- name: change_password
-- False where the proof is not that of the present password; so with the next.
SELECT auth.change_password(%(password_hash)s, %(proof)s) AS changed;

-- name: change_email
SELECT auth.change_email(%(email)s, %(proof)s) AS changed;

-- name: sweep
-- For the worker, repeated until nothing is left: rows that have been dead for a month.
SELECT auth.sweep_sessions(%(most)s) + auth.sweep_refresh_tokens(%(most)s) AS swept;
