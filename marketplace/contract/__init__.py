"""What the API promises, as data and plain Python: no web framework, no database driver."""
