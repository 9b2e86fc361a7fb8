"""python -m marketplace NAME: runs one command; without a name it lists them.

A command is a module of `marketplace/commands` with `add_arguments(parser)` and `run(args) -> int`.
Only the chosen one is imported. It finds the database in the environment (without one there the
embedded server is started), unless the module has `own_database = True`. A module with
`takes_anything = True` gets unknown arguments as `args.rest`.
"""

import argparse
import ast
import errno
import importlib
import io
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import psycopg

from marketplace.config.env import ConfigError
from marketplace.config.folders import program
from marketplace.postgres.embedded import provision
from marketplace.postgres.embedded.server import EmbeddedError
from marketplace.postgres.roles import MigrationError
from marketplace.postgres.statements import StatementError

COMMANDS = Path(__file__).with_name("commands")
#: Errors of files are for the operator to repair, and no fault of the program.
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC)
MODULES = {"import": "import_file"}  # a module cannot have the name of a keyword


def main(arguments: list[str]) -> int:
    """Run the command that the first argument names. Return the exit status."""
    # Settings that a database or a login got by ALTER ... SET must not change what commands read.
    os.environ.update(PGDATESTYLE="ISO, YMD", PGTZ="UTC")
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # output is visible at once, also in a file
    files = {module: name for name, module in MODULES.items()}
    names = sorted(
        files.get(path.stem, path.stem.replace("_", "-")) for path in COMMANDS.glob("[a-z]*.py")
    )
    if not arguments or arguments[0] not in names:
        print(f"usage: {program()} NAME [--help] ...\n")
        for name in names:
            print(f"  {name:14} {_summary(name)}")
        return 0 if arguments[:1] in ([], ["help"], ["-h"], ["--help"]) else 2
    try:
        return _run(
            importlib.import_module(f"marketplace.commands.{_module(arguments[0])}"), arguments
        )
    except (ConfigError, EmbeddedError, MigrationError, StatementError) as error:
        print(error, file=sys.stderr)
    except psycopg.OperationalError as error:
        words = "The database of DATABASE_URL does not respond"
        print(f"{words}: {str(error).strip().splitlines()[0]}", file=sys.stderr)
    except psycopg.errors.UndefinedTable as error:
        print(f"The database: {str(error).strip().splitlines()[0]}", file=sys.stderr)
    except OSError as error:
        if error.errno not in REFUSED:
            raise
        print(_refused(error), file=sys.stderr)
    except KeyboardInterrupt:
        return 130
    return 1


def _run(module: ModuleType, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog=f"{program()} {arguments[0]}",
        description=(module.__doc__ or "").replace("python -m marketplace", program()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    parsed, rest = parser.parse_known_args(arguments[1:])
    parsed.rest = rest
    if rest and not getattr(module, "takes_anything", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    with nullcontext() if getattr(module, "own_database", False) else provision.connected():
        return int(module.run(parsed))


def _refused(error: OSError) -> str:
    """Return what to do about a file that this user cannot read or write, or that has no room."""
    reason = f"{error.filename or 'A file'}: {error.strerror}."
    if error.errno == errno.ENOSPC:
        return reason
    user = f"{os.getuid()}:{os.getgid()}" if hasattr(os, "getuid") else "you"
    return (
        f"{reason} Perhaps another user, such as root, made it: sudo chown -R {user} on the folder"
        " (.data, uploads), or name another one with DATA_DIR or UPLOADS_DIR."
    )


def _module(name: str) -> str:
    return MODULES.get(name, name.replace("-", "_"))


def _summary(name: str) -> str:
    """Return the first line of a command's docstring, without importing it."""
    source = (COMMANDS / f"{_module(name)}.py").read_text(encoding="utf-8")
    first = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return first.partition(": ")[2] or first


def script() -> int:
    """Run as the program `marketplace`, which comes with the package."""
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(script())
