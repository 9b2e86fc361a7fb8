"""PostgreSQL: connections, statements, migrations and roles; no noun of the shop."""
