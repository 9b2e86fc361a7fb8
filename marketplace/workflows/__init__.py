"""Changes of several tables together; takes a conn, knows no HTTP."""
