-- Settings that the application's logins rely on, kept by the server; the pool sets the same for its connections.
-- As a superuser or the owner of the roles:
--   psql -v api=marketplace_api -v jobs=marketplace_jobs -f sql/admin/settings.sql

\set ON_ERROR_STOP on

-- The connections of all machines together; a login that leaks cannot take every connection of the server.
ALTER ROLE :"api" CONNECTION LIMIT 200;
-- No request may hold a lock or a connection for long.
ALTER ROLE :"api" SET statement_timeout = '4s';
ALTER ROLE :"api" SET lock_timeout = '3s';
ALTER ROLE :"api" SET idle_in_transaction_session_timeout = '30s';
-- Short statements: compiling them or sharing them among processes costs more than it gives.
ALTER ROLE :"api" SET jit = off;
ALTER ROLE :"api" SET max_parallel_workers_per_gather = 0;
ALTER ROLE :"api" SET timezone = 'UTC';
-- What responses depend on, whatever the database has been given.
ALTER ROLE :"api" SET datestyle = 'ISO, YMD';
ALTER ROLE :"api" SET intervalstyle = 'postgres';
ALTER ROLE :"api" SET bytea_output = 'hex';
ALTER ROLE :"api" SET search_path = public, pg_temp;
ALTER ROLE :"api" SET standard_conforming_strings = on;
ALTER ROLE :"api" SET transform_null_equals = off;
ALTER ROLE :"api" SET default_transaction_isolation = 'read committed';
ALTER ROLE :"api" SET gin_fuzzy_search_limit = 0;
-- The catalogue is in memory or on an SSD: an index pays for more rows than PostgreSQL's default of 4 assumes.
ALTER ROLE :"api" SET random_page_cost = 1.1;
-- How similar words must be to count as misspelt ones: five letters with two exchanged are 0.2.
ALTER ROLE :"api" SET pg_trgm.similarity_threshold = 0.2;
-- Every search reads the words that wait to be indexed: requests leave few of them.
ALTER ROLE :"api" SET gin_pending_list_limit = '64kB';
-- Parameters hold people's addresses and hashes of secrets: they do not belong in the server's log.
ALTER ROLE :"api" SET log_parameter_max_length = 0;
ALTER ROLE :"api" SET log_parameter_max_length_on_error = 0;

ALTER ROLE :"jobs" CONNECTION LIMIT 50;
ALTER ROLE :"jobs" SET lock_timeout = '10s';
ALTER ROLE :"jobs" SET idle_in_transaction_session_timeout = '5min';
ALTER ROLE :"jobs" SET timezone = 'UTC';
ALTER ROLE :"jobs" SET log_parameter_max_length = 0;
ALTER ROLE :"jobs" SET log_parameter_max_length_on_error = 0;
