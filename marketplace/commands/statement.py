"""statement: prints a statement of sql/queries as it is sent, with all its fragments.

python -m marketplace statement products.list
"""

import argparse
import sys

from marketplace.postgres.statements import StatementError, find

own_database = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The statement."""
    parser.add_argument("name", help="NOUN.NAME: the file of sql/queries and the statement in it")


def run(args: argparse.Namespace) -> int:
    """Print its comment and its text."""
    try:
        found = find(args.name)
    except StatementError as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join([*([found.comment] if found.comment else []), f"{found.text};"]))
    return 0
