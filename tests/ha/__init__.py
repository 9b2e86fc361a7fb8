"""More than one machine, on one: Patroni, HAProxy, PgBouncer and two application hosts, from deploy/ (`make test-ha`)."""
