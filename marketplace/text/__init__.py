"""Texts: messages and their languages, Unicode forms."""
