"""Settings: read once at the start."""
