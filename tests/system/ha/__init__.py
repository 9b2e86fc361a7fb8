"""Several machines on one: Patroni, HAProxy, PgBouncer and two application hosts, from deploy/
(`make test-ha`).
"""
