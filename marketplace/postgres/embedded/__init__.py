"""The PostgreSQL that starts by itself if DATABASE_URL is not set."""
