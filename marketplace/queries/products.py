"""Products. Statements: sql/queries/products.sql."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
import psycopg
from psycopg.rows import namedtuple_row

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one, quick

SQL = named_sql("products")

#: The filters of the lists; a missing one does not filter.
FILTERS = (
    "category_id",
    "brand_id",
    "store_id",
    "min_price",
    "max_price",
    "in_stock",
    "ids",
    "hidden",
    "search",
)
_AFTER = {
    "newest": "after_time",
    "price": "after_price",
    "name": "after_name",
    "relevance": "after_rank",
}
#: Lists with a statement of their own, by filters, sort and descending.
_HOT = {
    (frozenset[str](), "newest", True): "list_newest",
    (frozenset({"category_id"}), "newest", True): "list_category_newest",
    (frozenset({"category_id"}), "price", False): "list_category_cheapest",
    (frozenset({"brand_id"}), "newest", True): "list_brand_newest",
    (frozenset({"store_id"}), "newest", True): "list_store_newest",
}
#: What a seller writes of a product, but its stock and variants.
WRITTEN = (
    "category_id",
    "brand_id",
    "name",
    "description",
    "price",
    "price_before",
    "sku",
    "source_url",
    "weight_grams",
    "length_cm",
    "width_cm",
    "height_cm",
    "min_quantity",
    "max_per_buyer",
    "preorder_days",
    "condition",
    "hidden",
)
#: Separates two products of a list.
BETWEEN = ",\n"
#: The place before their first page.
_BEGIN: dict[str, tuple[Any, int]] = {"newest": ("infinity", 2**63 - 1), "price": (-1, 0)}


class HotPage(NamedTuple):
    """The JSON of all products that were read, separated by BETWEEN, and how many they are; the
    place (key, id) of the last but one; about how many the list has, and exactly, unless there
    are many more than the limit of counting.
    """

    items: str | None
    found: int
    key: str | None
    id: int | None
    about: int | None
    counted: int | None


class Listing(NamedTuple):
    """The parameters of a list: filters, sort (newest, price, name, relevance), window, and
    whether hidden products are shown (to their own store).
    """

    filters: Mapping[str, Any]
    sort: str
    descending: bool
    after: tuple[Any, int] | None
    limit: int
    offset: int
    show_hidden: bool = False

    def values(self) -> dict[str, Any]:
        """The parameters of the statement."""
        values: dict[str, Any] = {name: self.filters.get(name) for name in FILTERS}
        values.update(dict.fromkeys(_AFTER.values()))
        key, after_id = self.after or (None, None)
        values[_AFTER[self.sort]] = key
        return {
            **values,
            "sort": self.sort,
            "descending": self.descending,
            "after_id": after_id,
            "limit": self.limit,
            "offset": self.offset,
            "show_hidden": self.show_hidden,
        }


def hot(conn: Conn, listing: Listing, most: int) -> HotPage | None:
    """Return a page of a frequent list, by its own prepared statement; None for any other list.

    `most`: how far it is counted; 0: not at all.
    """
    name = _HOT.get((frozenset(listing.filters), listing.sort, listing.descending))
    if name is None or listing.show_hidden:
        return None
    key, after_id = listing.after or _BEGIN[listing.sort]
    values = {
        **listing.filters,
        _AFTER[listing.sort]: key,
        "after_id": after_id,
        "limit": listing.limit,
        "offset": listing.offset,
        "most": most,
    }
    row = quick(conn, SQL[name], values)
    return HotPage(*row) if row else None


def search(conn: Conn, listing: Listing, walk: int | None = None) -> list[Any]:
    """Return rows (item, id, key) in the requested order, of at most `walk` products along that
    order.

    Items are JSON. Words are searched elsewhere (search).
    """
    name = "list_category" if "category_id" in listing.filters else "list"
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(
            SQL[name], {**listing.values(), "walk": walk}, prepare=False
        ).fetchall()


def crossing(listing: Listing) -> bool:
    """Return whether filters of several tables meet, which only product_search knows together."""
    return sum(name in listing.filters for name in ("category_id", "brand_id", "store_id")) > 1


def narrow(conn: Conn, listing: Listing, most: int, *, with_facts: bool = False) -> list[Any]:
    """Return what the filters leave of the catalogue: rows as `search`, with matches, complete,
    of_all_prices and, if wanted, facts in the first row.

    One at least: if the page is empty its item is None. Not complete: that is more than `most`.
    """
    more = {"most": most, "crossing": crossing(listing), "with_facts": with_facts}
    values = {**listing.values(), **more}
    with conn.cursor(row_factory=namedtuple_row) as cursor:
        return cursor.execute(SQL["list_narrow"], values, prepare=False).fetchall()


def count(conn: Conn, listing: Listing, most: int) -> int:
    """Return how many products the filters match, up to `most`; not for lists with words."""
    name = "count_category" if "category_id" in listing.filters else "count"
    values = {**listing.values(), "most": most}
    return int(conn.execute(SQL[name], values, prepare=False).fetchall()[0]["matches"])


def estimate(conn: Conn, listing: Listing) -> int:
    """Return how many the planner estimates."""
    name = "estimate_category" if "category_id" in listing.filters else "estimate"
    plan = one(conn, SQL[name], {**listing.values(), "most": None})["QUERY PLAN"][0]["Plan"]
    return int(plan["Plans"][0]["Plan Rows"])


def find(
    conn: Conn,
    product_id: int,
    *,
    show_hidden: bool = False,
    known: Sequence[str] = (),
) -> Row | None:
    """Return one product: tag, document, stock_tag, description, details, name, store_id, version;
    or None.

    Document and description are JSON, details are members of a JSON object: what lists do not
    return, variants above all, hidden ones only to the store and admins.

    If the tag is among those that are `known`, document, description and details are None.
    """
    values = {
        "product_id": product_id,
        "show_hidden": show_hidden,
        "known": list(known),
    }
    return conn.execute(SQL["find"], values).fetchone()


def find_for_guest(
    conn: Conn, product_id: int, known: Sequence[str] = ()
) -> tuple[str, str | None] | None:
    """Return the tag of a product and its JSON, as guests see it, or None; without the JSON if the
    tag is among those that are `known`.
    """
    values = {"product_id": product_id, "known": " ".join(known) or None}
    return quick(conn, SQL["find_for_guest"], values)


def find_later(conn: Conn, product_id: int) -> psycopg.Cursor[Row]:
    """Return where the row of find() will be, hidden products too, once a pipeline has ended."""
    values = {"product_id": product_id, "show_hidden": True, "known": []}
    return conn.execute(SQL["find"], values)


def list_descriptions(conn: Conn, ids: Sequence[int]) -> dict[int, str | None]:
    """Return the descriptions of some of the caller's products, by id."""
    rows = conn.execute(SQL["list_descriptions"], {"ids": list(ids)})
    return {row["id"]: row["description"] for row in rows}


def find_sku(conn: Conn, store_id: int, sku: str) -> int | None:
    """Return the id of the store's product that has a SKU, itself or by a variant."""
    row = conn.execute(SQL["find_sku"], {"store_id": store_id, "sku": sku}).fetchone()
    return row["id"] if row else None


def find_own(conn: Conn, product_id: int, store_id: int | None) -> Row | None:
    """Return the product to change, locked, with its stock; None if it is not the store's. No
    store: an admin's view.
    """
    values = {"product_id": product_id, "store_id": store_id}
    with conn.pipeline():
        conn.execute(SQL["lock_own_stock"], values)
        conn.execute(SQL["lock_own_stock"], values)
        found = conn.execute(SQL["find_own"], values)
    return found.fetchone()


def find_holder(
    conn: Conn,
    *,
    store_id: int | None,
    product_id: int | None,
    skus: Sequence[str],
    source_url: str | None,
) -> Row | None:
    """Return who has one of some SKUs, or a link: id, variant_id, sku, hidden. Its store is given,
    or has the product `product_id`, which is another one.
    """
    values = {
        "store_id": store_id,
        "product_id": product_id,
        "skus": list(skus),
        "source_url": source_url,
    }
    return conn.execute(SQL["find_holder"], values).fetchone()


def add(conn: Conn, store_id: int, product: Mapping[str, Any], *, stock: int | None) -> int:
    """Add a product with its stock; return the new id. No stock: write_variants follows.
    product_documents.refresh writes its documents. `product` has all of WRITTEN.
    """
    values = {
        "store_id": store_id,
        "stock": stock,
        **{name: product[name] for name in WRITTEN},
    }
    return int(one(conn, SQL["add"], values)["product_id"])


def change(conn: Conn, product_id: int, store_id: int | None, product: Mapping[str, Any]) -> None:
    """Replace all of WRITTEN of a product."""
    values = {
        "product_id": product_id,
        "store_id": store_id,
        **{name: product[name] for name in WRITTEN},
    }
    conn.execute(SQL["change"], values)


def block(conn: Conn, product_id: int, blocked: str | None) -> Row:
    """Take a product off sale with a word, or let it go with None; return blocked and hidden. For
    admins.
    """
    return one(conn, SQL["block"], {"product_id": product_id, "blocked": blocked})


def list_variants(conn: Conn, product_id: int) -> list[Row]:
    """Return all variants of a product that find_own has locked, with their stock, in order."""
    return conn.execute(SQL["list_variants"], {"product_id": product_id}).fetchall()


def list_image_ids(conn: Conn, product_id: int) -> set[int]:
    """Return the ids of a product's images."""
    return {row["id"] for row in conn.execute(SQL["list_image_ids"], {"product_id": product_id})}


def write_variants(
    conn: Conn,
    product_id: int,
    names: Sequence[str],
    wanted: Sequence[Mapping[str, Any]],
    *,
    hide_others: bool,
) -> list[int]:
    """Write variants, each with all of its fields, `position` and `id` (None: new); return their
    ids, in the order of positions. find_own has locked the product, or this transaction made it.
    """
    values = {
        "product_id": product_id,
        "names": list(names),
        "wanted": orjson.dumps(list(wanted), default=str).decode(),
        "hide_others": hide_others,
    }
    ids: list[int] = one(conn, SQL["write_variants"], values)["ids"]
    return ids


def touch(conn: Conn, product_id: int, store_id: int | None) -> None:
    """Raise the version: the product's images have changed."""
    conn.execute(SQL["touch"], {"product_id": product_id, "store_id": store_id})


def set_stock(conn: Conn, product_id: int, stock: int) -> None:
    """Set the stock of a product without variants that find_own has locked."""
    conn.execute(SQL["set_stock"], {"product_id": product_id, "stock": stock})
