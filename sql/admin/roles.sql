-- Roles, made by hand: for a server on which the owner of the database may not make roles.
-- As a superuser:  psql -v owner=marketplace -f sql/admin/roles.sql
--
-- Three groups that nobody logs in as; the application's logins are members. Running it twice does no harm.

\set ON_ERROR_STOP on

SELECT 'CREATE ROLE marketplace_app NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'marketplace_app') \gexec
SELECT 'CREATE ROLE marketplace_worker NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'marketplace_worker') \gexec
SELECT 'CREATE ROLE marketplace_readonly NOLOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'marketplace_readonly') \gexec

GRANT marketplace_app TO marketplace_worker;
-- With one DATABASE_URL for everything the owner steps down to these.
GRANT marketplace_app, marketplace_worker TO :"owner";

-- Separate logins, so that no injected statement can step up again (set passwords with \password):
--   CREATE ROLE marketplace_api LOGIN IN ROLE marketplace_app;       DATABASE_URL
--   CREATE ROLE marketplace_jobs LOGIN IN ROLE marketplace_worker;   WORKER_DATABASE_URL
--   CREATE ROLE reports LOGIN IN ROLE marketplace_readonly;
