"""Servers of others, small and real: written from their public pages, with faults on demand."""
