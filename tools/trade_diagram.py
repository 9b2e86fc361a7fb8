"""Draws the tables of trade and how they refer to each other, from the catalogue of a database.

    python -m tools.trade_diagram > docs/selling.svg

Connects as MIGRATE_DATABASE_URL or DATABASE_URL say, or to the embedded database. What a table has, and
what it refers to, is read from the catalogue; only where it stands in the diagram is written here.
"""

import html
import sys
from typing import Any

import psycopg

from marketplace.config import settings
from marketplace.postgres.embedded import provision
from marketplace.postgres.statements import ADMIN, named_sql

#: Columns of the diagram: a heading, and tables from top to bottom.
PLACES = (
    ("bought", ("checkouts", "orders", "order_lines", "order_transitions")),
    ("sent and returned", ("holds", "shipments", "shipment_lines", "order_requests", "order_request_lines", "uploads")),
    ("paid", ("payments", "provider_callbacks", "refunds", "refund_lines", "reconciliations", "provider_states")),
    ("booked", ("ledger_entries", "ledger_postings", "ledger_accounts", "store_balances", "commission_rules")),
    ("told and invoiced", ("events", "event_cursors", "invoices", "invoice_counters", "gauges")),
)  # fmt: skip
WIDTH, GAP, ROW, HEAD, TOP, BETWEEN = 210, 60, 15, 24, 60, 22
#: Columns that a box shows beside its keys, where the table has them.
SHOWN = ("state", "stage", "method", "amount", "total", "paid", "balance", "kind", "type", "rate")
SQL = named_sql("diagram", ADMIN)
Box = tuple[int, int, int]


def tables() -> list[str]:
    """Return all tables of the diagram."""
    return [name for _, names in PLACES for name in names]


def drawn(conn: psycopg.Connection[Any]) -> str:
    """Return the diagram as SVG."""
    rows = conn.execute(SQL["columns"], {"tables": tables(), "shown": list(SHOWN)}).fetchall()
    columns: dict[str, list[tuple[str, bool]]] = {name: [] for name in tables()}
    for table, column, is_key in rows:
        columns[table].append((column, is_key))
    boxes, height = _places(columns)
    links = conn.execute(SQL["references"], {"tables": tables()}).fetchall()
    width = len(PLACES) * (WIDTH + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        "<title>The tables of orders and money</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<defs><marker id="to" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" fill="#667"/></marker></defs>',
    ]
    parts += [
        f'<text x="{GAP + place * (WIDTH + GAP)}" y="34" font-size="16" fill="#334">{html.escape(heading)}</text>'
        for place, (heading, _) in enumerate(PLACES)
    ]
    parts += [_line(boxes[one], boxes[other]) for one, other in links if one != other]
    for name, box in boxes.items():
        parts += _box(name, box, columns[name])
    return "\n".join([*parts, "</svg>", ""])


def _places(columns: dict[str, list[tuple[str, bool]]]) -> tuple[dict[str, Box], int]:
    boxes: dict[str, Box] = {}
    lowest = 0
    for place, (_, names) in enumerate(PLACES):
        y = TOP
        for name in names:
            height = HEAD + ROW * len(columns[name]) + 8
            boxes[name] = (GAP + place * (WIDTH + GAP), y, height)
            y += height + BETWEEN
        lowest = max(lowest, y)
    return boxes, lowest + 10


def _box(name: str, box: Box, columns: list[tuple[str, bool]]) -> list[str]:
    x, y, height = box
    parts = [
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="4" fill="#f6f8fb" stroke="#667"/>',
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEAD}" rx="4" fill="#dfe7f2" stroke="#667"/>',
        f'<text x="{x + 8}" y="{y + 16}" font-weight="bold" fill="#112">{name}</text>',
    ]
    for place, (column, is_key) in enumerate(columns):
        weight = ' font-weight="bold"' if is_key else ""
        line = y + HEAD + ROW * (place + 1)
        parts.append(f'<text x="{x + 8}" y="{line}"{weight} fill="#334">{column}</text>')
    return parts


def _line(one: Box, other: Box) -> str:
    """Return an arrow from the side of a box to the nearer side of another."""
    x1, y1, _ = one
    x2, y2, _ = other
    start, end = y1 + HEAD // 2, y2 + HEAD // 2
    if x1 == x2:
        left = x1 - 26
        path = f"M{x1} {start} C{left} {start} {left} {end} {x2} {end}"
    elif x1 < x2:
        middle = (x1 + WIDTH + x2) // 2
        path = f"M{x1 + WIDTH} {start} C{middle} {start} {middle} {end} {x2} {end}"
    else:
        middle = (x2 + WIDTH + x1) // 2
        path = f"M{x1} {start} C{middle} {start} {middle} {end} {x2 + WIDTH} {end}"
    return f'<path d="{path}" fill="none" stroke="#667" marker-end="url(#to)"/>'


def main() -> None:
    """Write the diagram to standard output."""
    with provision.connected():
        url = settings.load().migrate_database_url
        with psycopg.connect(url) as conn:
            sys.stdout.write(drawn(conn))


if __name__ == "__main__":
    main()
