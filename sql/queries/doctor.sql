-- Statements of `python -m marketplace doctor`.

-- name: login
-- The login as it came, before the pool steps down from it: whether it has more rights than the application
-- needs.
SELECT
    session_user AS name,
    r.rolsuper OR r.rolbypassrls AS almighty,
    EXISTS(SELECT FROM pg_class AS c WHERE c.relname = 'users' AND pg_has_role(session_user, c.relowner, 'USAGE')) AS owner,
    has_function_privilege('marketplace_app', 'pg_catalog.lo_create(oid)', 'EXECUTE') AS makes_large_objects,
    pg_has_role(session_user, 'marketplace_app', 'MEMBER') AS application,
    pg_has_role(session_user, 'marketplace_worker', 'MEMBER') AS worker
FROM pg_roles AS r
WHERE r.rolname = session_user;

-- name: server
SELECT
    current_setting('server_version_num')::integer AS version,
    current_setting('server_version') AS version_name,
    current_setting('max_connections')::integer AS max_connections,
    pg_is_in_recovery() AS replica,
    current_setting('fsync') = 'on' AS fsync,
    current_setting('full_page_writes') = 'on' AS full_page_writes,
    current_setting('synchronous_commit') AS synchronous_commit,
    pg_encoding_to_char(d.encoding) AS encoding,
    d.datctype AS locale,
    CASE WHEN pg_encoding_to_char(d.encoding) = 'UTF8' THEN
        lower(chr(201)) = chr(233)
        AND chr(233) ~ '^[[:alpha:]]$'
        AND lower('I') = 'i'
    END AS letters,
    session_user AS name,
    current_setting('statement_timeout') <> '0' AS statement_timeout,
    current_setting('log_min_duration_statement') <> '-1' AS slow_logged,
    -- The setting exists if the library is loaded; a login that may not read its value can still see that.
    EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_stat_statements')
    AND EXISTS (SELECT FROM pg_settings AS g WHERE g.name = 'pg_stat_statements.max') AS statements_counted,
    extract(EPOCH FROM clock_timestamp()) AS now
FROM pg_database AS d
WHERE d.datname = current_database();

-- name: locale
-- Whether the database's locale knows letters beyond ASCII, which search, slugs and unique e-mail addresses depend
-- on, and folds those of ASCII as everywhere (Turkish does not); NULL where its encoding has no such letters.
SELECT
    pg_encoding_to_char(d.encoding) AS encoding,
    d.datctype AS locale,
    CASE WHEN pg_encoding_to_char(d.encoding) = 'UTF8' THEN
        lower(chr(201)) = chr(233)
        AND chr(233) ~ '^[[:alpha:]]$'
        AND lower('I') = 'i'
    END AS letters
FROM pg_database AS d
WHERE d.datname = current_database();

-- name: last_sign
-- Seconds since the last heartbeat of a worker; NULL if there was none.
SELECT extract(EPOCH FROM clock_timestamp() - max(w.last_heartbeat)) AS seconds
FROM jobs.procrastinate_workers AS w;

-- name: replica
-- Judged like sessions.replayed. Feedback keeps the primary from vacuuming rows that are being read.
SELECT
    pg_is_in_recovery() AS replica,
    current_setting('hot_standby_feedback') = 'on' AS feedback,
    CASE
        WHEN pg_is_in_recovery()
            THEN coalesce(extract(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 'infinity')::float8
        ELSE 0
    END AS seconds_behind;

-- name: notifications
-- The newest callbacks of a provider, as they came. For the worker.
SELECT c.body
FROM provider_callbacks AS c
WHERE c.provider = %(provider)s
ORDER BY c.id DESC
LIMIT %(most)s;
