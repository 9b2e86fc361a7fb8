"""What a bench needs of the generated shop, and how it leaves the shop unchanged."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from psycopg import sql

from marketplace.config.settings import Config
from marketplace.postgres.callers import Caller
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one
from marketplace.security.tokens import Tokens, hashed, new_secret
from tools.bench import fill
from tools.bench.samples import Samples

SQL = named_sql("bench", Path(__file__).parent)
SECONDS = 86_400


class Seller(NamedTuple):
    """The owner of a store, signed in."""

    caller: Caller
    token: str


def sign_in(conn: Conn, db: Database, config: Config, store_id: int) -> Seller:
    """Sign the owner of a store in, as a device would."""
    user_id = one(conn, SQL["seller"], {"store_id": store_id})["user_id"]
    secret = new_secret()
    values = {"user_id": user_id, "session_hash": hashed(secret), "seconds": SECONDS}
    conn.execute(SQL["sign_in"], values)
    caller = Caller(hashed(secret), user_id, "seller", store_id)
    return Seller(caller, Tokens(config).access(user_id, secret, SECONDS))


def fill_cart(conn: Conn, buyer: Seller, samples: Samples) -> None:
    """Put three products of other stores into somebody's cart."""
    own = buyer.caller.store_id
    foreign = [product["id"] for product in samples.products if product["store_id"] != own]
    values = {"user_id": buyer.caller.user_id, "products": foreign[:3]}
    conn.execute(SQL["make_cart"], values)
    conn.execute(SQL["fill_cart"], values)


@contextmanager
def kept(conn: Conn) -> Iterator[None]:
    """Delete after the block what was created in it. `conn` is the owner's; the audit trail keeps
    its entries.
    """
    last = one(conn, SQL["last_product"])
    try:
        yield
    finally:
        with conn.transaction():
            for name in (
                "forget_products",
                "forget_changes",
                "forget_activities",
                "forget_sessions",
                "forget_carts",
            ):
                conn.execute(SQL[name], last)
        for table in fill.sizes(conn):
            conn.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table["name"])))


def backends(conn: Conn) -> set[int]:
    """Return processes of the server that work for this database or for all,
    except that of `conn`.
    """
    return {row["pid"] for row in conn.execute(SQL["backends"])}


def new_key() -> str:
    """Return the key that signs tokens and cursors of one run."""
    return secrets.token_urlsafe(48)
