#!/bin/sh
# marketplace NAME ...: python -m marketplace NAME with the settings of this host, as the service's user.
#
#   install -m 755 deploy/marketplace.sh /usr/local/sbin/marketplace
#
# The owner's login is in a file that only root can read: `migrate`, `create-admin` and `psql` are for root.
set -eu
set -a
. /etc/marketplace/env
set +a
cd /srv/marketplace/app
if [ "$(id -u)" = 0 ]; then
    MIGRATE_DATABASE_URL=$(cat /etc/marketplace/migrate_database_url)
    export MIGRATE_DATABASE_URL
    exec runuser -u marketplace -- .venv/bin/python -m marketplace "$@"
fi
exec .venv/bin/python -m marketplace "$@"
