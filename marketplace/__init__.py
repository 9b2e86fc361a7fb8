"""Marketplace: a REST backend for multi-seller mobile shopping apps."""

__version__ = "0.2.0"
