"""Images of products. Statements: sql/queries/images.sql."""

from collections.abc import Sequence
from typing import Any

import orjson

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("images")


def count(conn: Conn, product_id: int) -> int:
    """Return how many images a product has."""
    return int(one(conn, SQL["count"], {"product_id": product_id})["images"])


def add(
    conn: Conn,
    product_id: int,
    *,
    url: str,
    alt: str | None,
    digest: str | None,
    width: int | None,
    height: int | None,
    placeholder: str | None,
    variants: list[dict[str, Any]],
) -> Row:
    """Add an image behind the others; the first becomes the main one."""
    values = {
        "product_id": product_id,
        "url": url,
        "alt": alt,
        "digest": digest,
        "width": width,
        "height": height,
        "placeholder": placeholder,
        "variants": orjson.dumps(variants).decode(),
    }
    return one(conn, SQL["add"], values)


def find(conn: Conn, product_id: int, image_id: int) -> Row | None:
    """Return position, is_main and alt of an image, or None."""
    return conn.execute(SQL["find"], {"product_id": product_id, "image_id": image_id}).fetchone()


def change(
    conn: Conn, product_id: int, image_id: int, *, position: int, is_main: bool, alt: str | None
) -> Row:
    """Change order, main image and alternative text; a new main image takes the place of the old
    one.
    """
    if is_main:
        conn.execute(SQL["clear_main"], {"product_id": product_id, "image_id": image_id})
    values = {
        "product_id": product_id,
        "image_id": image_id,
        "position": position,
        "is_main": is_main,
        "alt": alt,
    }
    return one(conn, SQL["change"], values)


def remove(conn: Conn, product_id: int, image_id: int) -> bool:
    """Remove an image; if it was the main one, the next becomes it. False if there is no such
    image.
    """
    removed = conn.execute(
        SQL["remove"], {"product_id": product_id, "image_id": image_id}
    ).fetchone()
    if removed and removed["is_main"]:
        conn.execute(SQL["promote"], {"product_id": product_id})
    return removed is not None


def hold_files(conn: Conn, digests: Sequence[str]) -> None:
    """Keep the sweeper from the files of these images until the transaction ends."""
    conn.execute(SQL["hold_files"], {"digests": list(digests)})


def lock_unused(conn: Conn, digests: Sequence[str]) -> list[str]:
    """Return those of these images that no row uses, locked until the transaction ends. For the
    worker.
    """
    return [row["digest"] for row in conn.execute(SQL["lock_unused"], {"digests": list(digests)})]
