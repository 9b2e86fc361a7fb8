"""The commands of `python -m marketplace`, one a module."""
