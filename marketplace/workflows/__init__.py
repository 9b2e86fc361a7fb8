"""What changes several tables together; takes a conn, knows no HTTP."""
