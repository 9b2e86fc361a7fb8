-- Databases as a whole: what the embedded server gets and a DBA sets up elsewhere, and what `restore` makes. It
-- is sent to another database of the same server.

-- name: role_exists
SELECT r.oid
FROM pg_roles AS r
WHERE r.rolname = %(role)s;

-- name: make_owner
CREATE ROLE {role} LOGIN CREATEROLE IN ROLE pg_read_all_stats;

-- name: make_api_login
CREATE ROLE {role} LOGIN IN ROLE marketplace_app;

-- name: make_worker_login
CREATE ROLE {role} LOGIN IN ROLE marketplace_worker;

-- name: exists
SELECT d.oid
FROM pg_database AS d
WHERE d.datname = %(database)s;

-- name: make
CREATE DATABASE {database} OWNER {database};

-- name: make_empty
-- For a dump: nothing in it that a template brings.
CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8';

-- name: make_empty_as
-- The same in a server whose databases differ in their order of text.
CREATE DATABASE {database} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {lc_collate} LC_CTYPE {lc_ctype};

-- name: drop
DROP DATABASE IF EXISTS {database} WITH (FORCE);

-- name: drop_unused
-- The server ends an autovacuum in it, and waits five seconds for others to leave.
DROP DATABASE IF EXISTS {database};

-- name: preloaded
SELECT current_setting('shared_preload_libraries');

-- name: be_quiet
SELECT set_config('client_min_messages', 'warning', false);

-- name: make_statistics
CREATE EXTENSION IF NOT EXISTS pg_stat_statements;
