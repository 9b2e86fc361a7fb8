"""The PostgreSQL that starts by itself where DATABASE_URL is not set."""
