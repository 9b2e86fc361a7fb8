"""Categories. Statements: sql/queries/categories.sql."""

from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one

SQL = named_sql("categories")
#: Children of a category that are returned with it.
CHILDREN = 1000


def all_sorted(conn: Conn, *, limit: int) -> list[Row]:
    """Return the tree (id, name, slug, parent_id, product_count) by name; past `limit` its lower
    levels are left out.
    """
    return conn.execute(SQL["all"], {"limit": limit}).fetchall()


def find(conn: Conn, category_id: int, *, unlisted: bool = False) -> Row | None:
    """Return one category with `path` (id and name of its ancestors, the top first) and `children`,
    or None; `unlisted`: also where guests do not see it.
    """
    values = {"category_id": category_id, "unlisted": unlisted, "limit": CHILDREN}
    return conn.execute(SQL["find"], values).fetchone()


def lock_tree(conn: Conn) -> None:
    """Be the only one to change the tree until the transaction ends; before every add, change,
    remove.
    """
    conn.execute(SQL["lock_tree"])


def add(conn: Conn, *, name: str, parent_id: int | None) -> int:
    """Add a category; return the new id. categories_name_key refuses a name that the parent has
    already.
    """
    return int(one(conn, SQL["add"], {"name": name, "parent_id": parent_id})["id"])


def keep(conn: Conn, category_id: int) -> None:
    """Keep a category and its ancestors, whoever made them; the tree is locked."""
    conn.execute(SQL["keep"], {"category_id": category_id})


def below(conn: Conn, category_id: int) -> list[int]:
    """Return the ids of a category and of all below it; empty if there is no such category."""
    return [row["id"] for row in conn.execute(SQL["below"], {"category_id": category_id})]


def lock_below(conn: Conn, category_id: int) -> list[int]:
    """The same, and no product enters any of them until the transaction ends."""
    return [row["id"] for row in conn.execute(SQL["lock_below"], {"category_id": category_id})]


def change(conn: Conn, category_id: int, *, name: str, parent_id: int | None) -> None:
    """Replace name and parent; the paths of all below it follow. The parent must not be below
    it.
    """
    conn.execute(SQL["change"], {"category_id": category_id, "name": name, "parent_id": parent_id})


def move_products(conn: Conn, category_id: int, target_id: int) -> int:
    """Move the category's own products to another one; return how many."""
    return conn.execute(
        SQL["move_products"], {"category_id": category_id, "target_id": target_id}
    ).rowcount


def move_children(conn: Conn, category_id: int, target_id: int) -> None:
    """Move its child categories below another one."""
    conn.execute(SQL["move_children"], {"category_id": category_id, "target_id": target_id})


def remove(conn: Conn, category_id: int) -> str:
    """Remove an existing category; return its name. ForeignKeyViolation while products or
    categories are in it.
    """
    return str(one(conn, SQL["remove"], {"category_id": category_id})["name"])


def refresh_counts(conn: Conn) -> None:
    """Count the products of every category with its subtree. For the worker."""
    conn.execute(SQL["refresh_counts"])


def clear(conn: Conn) -> int:
    """Remove empty categories that imports have made; return how many. For the worker."""
    return int(one(conn, SQL["clear"])["cleared"])
