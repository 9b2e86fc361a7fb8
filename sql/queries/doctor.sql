-- What `python -m marketplace doctor` looks at.

-- name: login
-- The login as it came, before the pool steps down from it: whether it is more than the application needs.
SELECT
    session_user AS name,
    r.rolsuper OR r.rolbypassrls AS almighty,
    EXISTS(SELECT FROM pg_class AS c WHERE c.relname = 'users' AND pg_has_role(session_user, c.relowner, 'USAGE')) AS owner,
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
    extract(EPOCH FROM clock_timestamp()) AS now
FROM pg_database AS d
WHERE d.datname = current_database();
