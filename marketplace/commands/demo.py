"""demo: loads the demo shop into a database where nobody has an account yet."""

import argparse

from marketplace import demo
from marketplace.config import settings

__all__ = ["add_arguments", "load", "run"]
load = demo.load


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None: it is the database of the environment."""


def run(args: argparse.Namespace) -> int:
    """Load it and print the logins; 1 if there are accounts, or in production."""
    config = settings.load()
    if config.production:
        print("This is a production database; the demo shop has no place in it.")
        return 1
    if not load(config, print):
        print("There are accounts already; nothing was loaded.")
        return 1
    return 0
