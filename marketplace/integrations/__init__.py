"""Protocols of others."""
