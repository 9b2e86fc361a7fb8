"""More than one machine, on one: Patroni, HAProxy, PgBouncer and two application hosts, as deploy/ ships them (`make test-ha`)."""
