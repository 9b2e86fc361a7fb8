"""Fills a migrated, empty database with the generated shop, several connections at once.

Rows come by COPY, without triggers, foreign keys and secondary indexes. The very statements of the
application write what is derived from them. Then all that was set aside is made anew from its own
definitions.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from marketplace.ops.progress import Progress
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql
from marketplace.queries import categories, search
from marketplace.workflows import product_documents as upkeep
from tools.bench.catalogue import COLUMNS, Catalogue

SQL = named_sql("fill", Path(__file__).parent)
CURRENCY = "IDR"
SETTINGS = (
    "-c synchronous_commit=off -c maintenance_work_mem=512MB -c work_mem=64MB -c jit=off "
    "-c max_parallel_maintenance_workers=0 -c max_parallel_workers_per_gather=0 -c "
    "client_min_messages=warning"
)
#: Products that words are counted from, as the worker does.
WORDS = 20_000
Report = Callable[[str], None]


def fill(url: str, made: Catalogue, report: Report) -> None:
    """Write the whole shop; `report` gets the time of each step. `url` is the owner's."""
    with connected(url) as conn:
        aside = conn.execute(SQL["set_aside"], {"schema": "public"}).fetchall()
        with timed("small tables", report):
            for thing in reversed(aside):
                conn.execute(thing["take"].encode())
            for table in ("users", "stores", "categories", "brands"):
                copy(conn, table, made.lines(table))
            conn.execute(SQL["tell"])
        with timed("products", report):
            _fill_products(url, made)
        with timed("counts", report):
            categories.refresh_counts(conn)
            for table, last in made.last_ids().items():
                conn.execute(SQL["count_on"], {"name": table, "last": last})
        tables = [row["name"] for row in sizes(conn)]
    with timed("indexes", report):
        at_once(
            url,
            "indexes",
            longest_first([each for each in aside if each["kind"] == "index"], tables),
        )
    with timed("foreign keys, triggers", report), connected(url) as conn:
        for thing in aside:
            if thing["kind"] != "index":
                conn.execute(thing["restore"].encode())
    with timed("vacuum, analyze", report):
        at_once(url, "tables", [f"VACUUM (ANALYZE) {table}" for table in tables])
    with timed("words counted", report), connected(url) as conn:
        search.refresh_words(conn, WORDS)
    at_once(url, "words", ["VACUUM (ANALYZE) search_words"])


def copy(conn: Conn, table: str, lines: Iterator[str] | list[str]) -> None:
    """COPY lines into a table."""
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), sql.SQL(COLUMNS[table]))
    with conn.cursor().copy(into) as out:
        out.write("".join(lines))


@contextmanager
def connected(url: str) -> Iterator[Conn]:
    """A connection for bulk work, in autocommit."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row, options=SETTINGS) as conn:
        yield conn


@contextmanager
def timed(step: str, report: Report) -> Iterator[None]:
    """Report how long the block took."""
    started = time.monotonic()
    yield
    report(f"{step}: {time.monotonic() - started:.1f} s")


def sizes(conn: Conn) -> list[Row]:
    """Return `name` and `bytes` of the tables, the largest first."""
    return conn.execute(SQL["sizes"]).fetchall()


def write_chunk(url: str, made: Catalogue, ids: range) -> int:
    """Write some products with all their rows, in one transaction; return how many."""
    with connected(url) as conn, conn.transaction():
        for table, lines in made.chunk(ids).items():
            copy(conn, table, lines)
        conn.execute(SQL["give_variants"], {"product_ids": made.with_variants(ids)})
        upkeep.refresh(conn, list(ids), CURRENCY)
        conn.execute(SQL["tell_products"], {"product_ids": list(ids)})
    return len(ids)


def _fill_products(url: str, made: Catalogue) -> None:
    """Write all chunks, in as many processes as there are processors."""
    chunks = made.chunks()
    write = partial(write_chunk, url, made)
    with Progress("products", made.products) as bar:
        if len(chunks) == 1:
            bar.add(write(chunks[0]))
            return
        processes = min(max(os.cpu_count() or 2, 2), 8, len(chunks))
        with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
            for done in as_completed([pool.submit(write, chunk) for chunk in chunks]):
                bar.add(done.result())


def longest_first(indexes: list[Row], tables: list[str]) -> list[str]:
    """Return statements that make the indexes: those of large tables first, GIN before all others
    of the same table.
    """
    places = {name: place for place, name in enumerate(tables)}

    def order(index: Row) -> tuple[int, bool]:
        return places.get(index["name"], len(places)), " USING gin " not in index["restore"]

    return [index["restore"] for index in sorted(indexes, key=order)]


def at_once(url: str, what: str, statements: list[str]) -> None:
    """Run statements that do not wait for each other, two at a time, in their order."""

    def run(statement: str) -> None:
        with connected(url) as conn:
            conn.execute(statement.encode())

    with Progress(what, len(statements)) as bar, ThreadPoolExecutor(2) as pool:
        for done in as_completed([pool.submit(run, statement) for statement in statements]):
            done.result()
            bar.add(1)
