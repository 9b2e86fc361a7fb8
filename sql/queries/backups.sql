-- Statements of backup and restore. For the owner.

-- name: hold
-- From here to the end of the session no image file is removed (images.lock_unused takes the same lock,
-- shared), and no other backup is made.
SELECT pg_advisory_lock(hashtextextended('backup', 0));

-- name: try_hold
SELECT pg_try_advisory_lock(hashtextextended('backup', 0)) AS held;

-- name: export_snapshot
-- The snapshot for pg_dump, and for every other statement of this transaction.
SELECT pg_export_snapshot() AS snapshot;

-- name: server
SELECT
    current_setting('server_version_num')::integer AS number,
    current_setting('server_version') AS name,
    current_database() AS database,
    pg_is_in_recovery() AS replica;

-- name: locale
-- The collation of this database: a restored one gets the same. For providers other than libc the cluster has
-- one for all.
SELECT
    d.datlocprovider::text AS provider,
    d.datcollate AS lc_collate,
    d.datctype AS lc_ctype
FROM pg_database AS d
WHERE d.datname = current_database();

-- name: state
-- The place in the write-ahead log, and the release that the tables belong to.
SELECT
    pg_current_wal_lsn()::text AS wal_position,
    m.version AS migration,
    m.name AS migration_name
FROM schema_migrations AS m
ORDER BY m.version DESC
LIMIT 1;

-- name: counting
-- A statement for each table that has rows of its own. Their results are kept beside the dump and compared when
-- it is restored.
SELECT
    format('%I.%I', n.nspname, c.relname) AS name,
    format('SELECT count(*) AS found FROM %I.%I', n.nspname, c.relname) AS statement
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r'
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, c.relname;

-- name: picture_files
-- Every file that a row names, once, in the order of bytes. An address begins with a marker of one character.
SELECT f.key
FROM (
    SELECT substr(v.value ->> 'url', 2) AS key
    FROM product_images AS i
    CROSS JOIN LATERAL json_array_elements(i.variants) AS v (value)
    WHERE i.digest IS NOT NULL
    UNION
    SELECT substr(v.value ->> 'url', 2)
    FROM users AS u
    CROSS JOIN LATERAL json_array_elements(u.avatar -> 'variants') AS v (value)
    WHERE u.avatar_digest IS NOT NULL
    UNION
    SELECT substr(v.value ->> 'url', 2)
    FROM stores AS s
    CROSS JOIN LATERAL jsonb_array_elements(s.logo -> 'variants') AS v (value)
    WHERE s.logo IS NOT NULL
) AS f
ORDER BY f.key COLLATE "C";

-- name: import_files
-- Files of imports that have not ended.
SELECT i.file_key AS key
FROM imports AS i
WHERE i.state IN ('queued', 'reading', 'applying')
    OR (i.state = 'done' AND i.dry_run AND i.finished_at > now() - interval '7 days')
ORDER BY i.file_key COLLATE "C";

-- name: relations
-- The number of relations in a database that should be empty. Relations of an extension do not count.
SELECT count(*) AS relations
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    );

-- name: extensions
-- Extensions that this login may create. A dump may hold others that a superuser created, such as
-- pg_stat_statements.
SELECT DISTINCT e.name
FROM pg_available_extension_versions AS e
WHERE e.trusted OR (SELECT r.rolsuper FROM pg_roles AS r WHERE r.rolname = current_user);

-- name: take_time
-- For the length of a session: to read everything takes as long as it takes.
SELECT
    set_config('statement_timeout', '0', false),
    set_config('lock_timeout', '0', false),
    set_config('idle_in_transaction_session_timeout', '0', false);

-- name: analyze
-- A dump has no statistics, and plans without them are slow ones.
ANALYZE;
