"""The demo shop of a first start: people, stores, a tree of categories, brands, products with drawn
images.

Everything uses the same workflows and doors as a request, so that the guards, the documents and the
activity log are those of a used marketplace. The content is the same every time; only the passwords
differ.
"""

import csv
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.rows import dict_row

from marketplace.config.folders import LOGINS, command
from marketplace.config.settings import Config
from marketplace.demo import trading, unfinished, variants
from marketplace.demo.drawings import draw
from marketplace.files import images
from marketplace.files.images import Upload
from marketplace.files.stores import of_uploads
from marketplace.postgres.callers import Caller, Client
from marketplace.postgres.database import Database
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import activities, sessions, users
from marketplace.queries import categories as category_queries
from marketplace.queries import demo as queries
from marketplace.security.passwords import Passwords
from marketplace.security.tokens import Tokens, hashed, new_secret
from marketplace.workflows import categories, products, stores
from marketplace.workflows import images as image_workflow

PRODUCTS = Path(__file__).with_name("products.csv")
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another


class Person(NamedTuple):
    """An account of the demo."""

    role: str
    name: str
    email: str


ADMIN = Person("admin", "Ayu Wulandari", "admin@demo.example")
SELLERS = (
    Person("seller", "Budi Santoso", "budi@demo.example"),
    Person("seller", "Dewi Lestari", "dewi@demo.example"),
    Person("seller", "Made Suardana", "made@demo.example"),
)
BUYERS = (
    Person("buyer", "Sari Puspita", "sari@demo.example"),
    Person("buyer", "Rizky Pratama", "rizky@demo.example"),
)

#: Name, description and the letters its SKUs begin with; in the order of SELLERS.
STORES = (
    (
        "Sanggar Benang",
        "Batik, tas, dan sepatu dari perajin. Dikirim dari Yogyakarta tiap hari kerja.",
        "SB",
    ),
    ("Warung Daun Pagi", "Kopi, teh, dan camilan yang dibuat sendiri. Segar setiap minggu.", "DP"),
    ("Rumah Kriya Lestari", "Keramik, tanaman, dan alat rumah tangga yang tahan lama.", "KL"),
)


def load(config: Config, report: Callable[[str], None]) -> bool:
    """Load the demo shop if nobody has an account yet, and report the logins; False if somebody
    has.

    Takes some seconds. `config` names both logins: the owner's makes the admin, the application's
    all else.
    """
    with psycopg.connect(
        config.migrate_database_url, autocommit=True, row_factory=dict_row
    ) as owner:
        queries.lock(owner)
        if not queries.is_needed(owner):
            return False
        report("Making the demo shop: a few seconds, once.")
        try:
            with unfinished.noted(config, owner):
                logins = _load(config, owner)
                file, lines = config.data_dir / LOGINS, _lines(logins)
                _keep(file, lines)
        except BaseException:
            report(
                f"The demo shop is not complete. In the embedded database the next"
                f" `{command('run')}` makes it anew."
            )
            raise
    report(f"Demo logins (also in {file}):")
    for line in lines:
        report(f"  {line}")
    return True


def _lines(logins: list[tuple[Person, str]]) -> list[str]:
    width = max(len(person.email) for person, _ in logins)
    return [f"{person.email:<{width}}  {password}  {person.role}" for person, password in logins]


def _keep(file: Path, lines: list[str]) -> None:
    """Write the logins where only this user can read them: they scroll away on a terminal."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in lines)


def _load(config: Config, owner: Conn) -> list[tuple[Person, str]]:
    """Make everything; return each person's password."""
    made = _pictures(config)
    passwords = Passwords(config.bcrypt_cost)
    logins = [(person, new_password()) for person in (ADMIN, *SELLERS, *BUYERS)]
    hashes = {person: passwords.hash(password) for person, password in logins}
    db = Database(config)
    try:
        admin = users.add_admin(
            owner, name=ADMIN.name, email=ADMIN.email, password_hash=hashes[ADMIN]
        )
        with _signed_in(db, admin, hashes[ADMIN]) as caller:
            category_ids = _add_categories(db, caller)
            trading.let_save(db, caller)
        for number, seller in enumerate(SELLERS):
            seller_id = _register(db, seller, hashes[seller])
            with _signed_in(db, seller_id, hashes[seller]) as caller:
                store = _open_store(db, caller, number)
                trading.let_sell(db, caller, store["id"], STORES[number][2])
                for row, uploads in made:
                    if row["store"] == str(number + 1):
                        _add_product(db, caller, store, row, category_ids, uploads, config.currency)
        for buyer in BUYERS:
            buyer_id = _register(db, buyer, hashes[buyer])
            with _signed_in(db, buyer_id, hashes[buyer]) as caller:
                trading.let_buy(db, caller, buyer.name)
    finally:
        db.close()
    category_queries.refresh_counts(owner)
    return logins


def new_password() -> str:
    """Return a random password that can be typed on a phone."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


def _rows() -> list[dict[str, str]]:
    """Yield the products, each numbered within its store by `sku`."""
    with PRODUCTS.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["store"]] = counts.get(row["store"], 0) + 1
        row["sku"] = f"{STORES[int(row['store']) - 1][2]}-{counts[row['store']]:03}"
    return rows


def _pictures(config: Config) -> list[tuple[dict[str, str], list[Upload]]]:
    """Add each product with its images, drawn and stored: two for every third product, one for the
    rest.
    """
    files = of_uploads(config)
    made: list[tuple[dict[str, str], list[Upload]]] = [(row, []) for row in _rows()]
    wanted = [
        (entry, view)
        for place, entry in enumerate(made)
        for view in range(2 if place % 3 == 0 else 1)
    ]

    def drawn(wish: tuple[tuple[dict[str, str], list[Upload]], int]) -> bytes:
        (row, _), view = wish
        kind, number, hue = row["drawing"].split()
        return draw(kind, float(hue), int(number), view)

    with ThreadPoolExecutor(2) as pool:  # Pillow works outside Python's lock
        for ((_, uploads), _), data in zip(wanted, pool.map(drawn, wanted), strict=True):
            picture = images.make(
                data,
                max_bytes=config.image_max_bytes,
                max_pixels=config.image_max_pixels,
                within=images.limits(config),
            )
            image_workflow.save(files, [picture])
            uploads.append(Upload("main_image", None, picture))
    images.close()  # no more will come here
    return made


def _register(db: Database, person: Person, password_hash: str) -> int:
    with db.signing_in() as conn:
        return sessions.register(
            conn,
            name=person.name,
            email=person.email,
            role=person.role,
            phone=None,
            password_hash=password_hash,
        )


@contextmanager
def _signed_in(db: Database, user_id: int, proof: str) -> Iterator[Caller]:
    """A session of the user, ended after the block."""
    secret = new_secret()
    with db.signing_in() as conn:
        sessions.open_device(
            conn,
            user_id=user_id,
            proof=proof,
            session_hash=hashed(secret),
            refresh_hash=hashed(Tokens.new_refresh(secret)),
            seconds=3600,
            device_name="demo",
            user_agent=None,
            ip=None,
        )
        who = sessions.act_as(conn, hashed(secret))
    caller = Caller(hashed(secret), who["user_id"], who["role"], who["store_id"], who["session_id"])
    yield caller
    with db.transaction(caller) as conn:
        sessions.end(conn, who["session_id"])


def _client(caller: Caller) -> Client:
    return Client(caller.user_id, None, "demo")


def _add_categories(db: Database, admin: Caller) -> dict[str, int]:
    """Add the tree; return ids by path, such as "Rumah & Dapur/Dekorasi"."""
    ids: dict[str, int] = {}
    for path in dict.fromkeys(row["category"] for row in _rows()):
        steps = path.split("/")
        for depth in range(1, len(steps) + 1):
            here, above = "/".join(steps[:depth]), "/".join(steps[: depth - 1])
            if here in ids:
                continue
            with db.transaction(admin) as conn:
                ids[here] = categories.add(conn, name=steps[depth - 1], parent_id=ids.get(above))
                activities.record(
                    conn,
                    _client(admin),
                    "create_category",
                    related=("category", ids[here], steps[depth - 1]),
                )
    return ids


def _open_store(db: Database, seller: Caller, number: int) -> Row:
    name, description, _ = STORES[number]
    with db.transaction(seller) as conn:
        return stores.open_store(conn, _client(seller), name=name, description=description)


def _add_product(
    db: Database,
    seller: Caller,
    store: Row,
    row: dict[str, str],
    category_ids: dict[str, int],
    uploads: list[Upload],
    currency: str,
) -> None:
    product = {
        "name": row["name"],
        "description": row["description"],
        "price": Decimal(row["price"]),
        "stock": int(row["stock"]),
        "hidden": row["hidden"] == "yes",
        "sku": row["sku"],
        "category_id": category_ids[row["category"]],
        "brand": row["brand"],
    }
    with db.transaction(seller) as conn:
        products.add(
            conn,
            _client(seller),
            store_id=store["id"],
            product=variants.varied(product),
            pictures=uploads,
            currency=currency,
        )
