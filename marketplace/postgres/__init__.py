"""The database driver's room: pool, circuit breaker, doors, replicas, migrations, roles."""
