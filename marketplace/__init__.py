"""Marketplace: a REST backend for multi-seller mobile shopping apps."""

__version__ = "0.1.0"
