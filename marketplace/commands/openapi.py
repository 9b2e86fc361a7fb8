"""openapi: writes the OpenAPI document to a file or to standard output; needs no database."""

import argparse
import json
from pathlib import Path

from marketplace.app import route_table
from marketplace.config import settings
from marketplace.openapi import document as openapi_document
from marketplace.postgres.database import Database

own_database = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file to write to."""
    parser.add_argument("file", nargs="?", type=Path, help="the file to write (standard output)")


def run(args: argparse.Namespace) -> int:
    """Write the document; return 0."""
    config = settings.load()
    document = json.dumps(
        openapi_document.build(route_table(config, Database(config)), config),
        indent=2,
        ensure_ascii=False,
    )
    if args.file:
        args.file.write_text(f"{document}\n", encoding="utf-8")
    else:
        print(document)
    return 0
