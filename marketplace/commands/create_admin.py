"""create-admin: makes an account that manages the others. There is no other way to make one."""

import argparse
import getpass
import sys
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from marketplace.config import settings
from marketplace.contract import validation
from marketplace.contract.errors import Problem
from marketplace.queries import users
from marketplace.schemas.users import REGISTER
from marketplace.security.passwords import Passwords, require_strong

SCHEMA = {name: REGISTER[name] for name in ("name", "email", "password")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The password is prompted for, or read from a file: an argument would be visible in the list
    of processes.
    """
    parser.add_argument("--email", required=True, help="the address to sign in with")
    parser.add_argument("--name", required=True, help="the name others see")
    parser.add_argument(
        "--password-file", type=Path, help="a file whose first line is the password"
    )


def run(args: argparse.Namespace) -> int:
    """Make the admin, on a connection of the tables' owner; 1 and a reason if it cannot be done."""
    config = settings.load()
    try:
        account = validation.check(
            {"name": args.name, "email": args.email, "password": _password(args.password_file)},
            SCHEMA,
        )
        require_strong(account["password"], "/password", account["name"], account["email"])
        password_hash = Passwords(config.bcrypt_cost).hash(account["password"])
        with psycopg.connect(config.migrate_database_url, row_factory=dict_row) as conn:
            user_id = users.add_admin(
                conn, name=account["name"], email=account["email"], password_hash=password_hash
            )
    except Problem as problem:
        reasons = [f"{error.pointer[1:]} {error.message}" for error in problem.errors]
        return _refuse("; ".join(reasons) or str(problem))
    except psycopg.errors.UniqueViolation:
        return _refuse("an account with this address exists")
    except OSError as error:
        return _refuse(f"the password file cannot be read: {error}")
    print(f"{account['email']} is an admin now (user {user_id}).")
    return 0


def _password(file: Path | None) -> str:
    if file is not None:
        return (file.read_text(encoding="utf-8").splitlines() or [""])[0]
    if not sys.stdin.isatty():
        raise Problem("validation_failed", "there is no terminal to ask on: --password-file FILE")
    password = getpass.getpass("Password: ")
    if getpass.getpass("The same again: ") != password:
        raise Problem("validation_failed", "the two passwords differ")
    return password


def _refuse(reason: str) -> int:
    print(f"No admin was made: {reason}", file=sys.stderr)
    return 1
