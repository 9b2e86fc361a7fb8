"""One typed function per named SQL statement."""
