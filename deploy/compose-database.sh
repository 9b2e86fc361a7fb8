#!/bin/sh
# PostgreSQL's image runs this once, for an empty volume: the owner, its database, a login each for API and worker.
# The same as step 4 of docs/operations.md; the passwords are those in the URLs among the secrets.
set -eu
password() {
    sed 's|^[^:]*://[^:]*:\([^@]*\)@.*|\1|' "/run/secrets/$1"
}
psql --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres \
    --set owner=marketplace_owner --set api=marketplace_api --set jobs=marketplace_jobs <<EOF
CREATE ROLE marketplace_owner LOGIN PASSWORD '$(password migrate_database_url)';
CREATE DATABASE marketplace OWNER marketplace_owner TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
\i /srv/marketplace/app/sql/admin/roles.sql
CREATE ROLE marketplace_api LOGIN PASSWORD '$(password database_url)' IN ROLE marketplace_app;
CREATE ROLE marketplace_jobs LOGIN PASSWORD '$(password worker_database_url)' IN ROLE marketplace_worker;
\i /srv/marketplace/app/sql/admin/settings.sql
\connect marketplace
CREATE EXTENSION pg_stat_statements;
EOF
