"""An import in the manner of the first system: row by row through an ORM, each row looked up, added
and committed by itself.

Needs SQLAlchemy, which only `make bench-import` installs.
"""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psycopg
from sqlalchemy import ForeignKey, MetaData, Numeric, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateSchema

SCHEMA = "orm"


class Base(DeclarativeBase):
    """Bare tables in a separate schema."""

    metadata = MetaData(schema=SCHEMA)


class Brand(Base):
    """Found or made by name."""

    __tablename__ = "brands"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Category(Base):
    """Found or made by name."""

    __tablename__ = "categories"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Product(Base):
    """Found by its link."""

    __tablename__ = "products"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    description: Mapped[str | None]
    price: Mapped[float] = mapped_column(Numeric(15, 2))
    link: Mapped[str] = mapped_column(unique=True)
    brand_id: Mapped[int | None] = mapped_column(ForeignKey(Brand.id))
    category_id: Mapped[int | None] = mapped_column(ForeignKey(Category.id))


class Image(Base):
    """One a product."""

    __tablename__ = "images"
    id: Mapped[int] = mapped_column(primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey(Product.id))
    url: Mapped[str]


@contextmanager
def session(url: str) -> Iterator[tuple[Session, int]]:
    """A session with empty tables on one connection, and the process that serves it."""
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(url), pool_size=1, max_overflow=0
    )
    try:
        with engine.begin() as conn:
            conn.execute(CreateSchema(SCHEMA))
            Base.metadata.create_all(conn)
        with Session(engine) as made:
            backend = made.scalar(select(func.pg_backend_pid()))
            made.rollback()
            yield made, backend
    finally:
        engine.dispose()


def take(session: Session, file: Path, rows: int) -> int:
    """Import the first rows of a file; return how many there were."""
    taken = 0
    with file.open(newline="", encoding="utf-8") as source:
        for row in islice(csv.DictReader(source), rows):
            _take(session, row)
            taken += 1
    return taken


def _take(session: Session, row: dict[str, str]) -> None:
    if session.scalar(select(Product).where(Product.link == row["Link Produk"])) is not None:
        return
    product = Product(
        name=row["Nama Produk"],
        description=row["Deskripsi"],
        price=float(row["Harga"].replace("Rp", "").replace(".", "")),
        link=row["Link Produk"],
        brand_id=_found(session, Brand, row["Nama Toko"]),
        category_id=_found(session, Category, row["Kategori"]),
    )
    session.add(product)
    session.flush()
    session.add(Image(product_id=product.id, url=row["Link Gambar"]))
    session.commit()


def _found(session: Session, kind: type[Brand] | type[Category], name: str) -> int:
    found = session.scalar(select(kind).where(kind.name == name))
    if found is None:
        found = kind(name=name)
        session.add(found)
        session.flush()
    return found.id
