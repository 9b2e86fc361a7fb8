"""What operators run: backup format, health checks, progress."""
