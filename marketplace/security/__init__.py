"""Passwords, tokens and secrets: pure functions."""
