"""A trade of many orders in a database of its own, what its lists cost, and how long its proof takes.

`fill` writes orders in every stage, with lines, parcels, payments, refunds, the books and events,
all of it sound: no invariant is broken. Store 1 has half of the orders. `measure` asks each list
with the rights of who asks it, as the API does.
"""

import json
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketplace.postgres.pool import Conn
from marketplace.postgres.statements import named_sql, one
from tools.bench.fill import SQL as FILL
from tools.bench.fill import Report, at_once, connected, longest_first, sizes, timed

NAME = "marketplace_selling"
SQL = named_sql("selling", Path(__file__).parent)
LISTS = named_sql("selling_lists", Path(__file__).parent)
STEPS = (
    "people", "stores", "products", "checkouts", "orders", "order_lines", "holds", "inventory", "shipments",
    "shipment_lines", "order_requests", "order_request_lines", "payments", "refunds", "refund_lines", "invoices",
    "invoice_counters", "ledger_accounts",
    "ledger_entries", "ledger_postings", "store_balances", "events",
)  # fmt: skip
#: Tables whose ids are counted on behind what was brought along.
COUNTED = (
    "users", "stores", "products", "checkouts", "orders", "order_lines", "shipments", "order_requests", "payments",
    "refunds", "ledger_accounts", "ledger_entries",
)  # fmt: skip


def fill(url: str, orders: int, report: Report) -> None:
    """Write so many orders with all that hangs on them; `report` gets the time of each step."""
    values = {"orders": orders, "buyers": max(orders // 10, 100)}
    with connected(url) as conn:
        aside = conn.execute(FILL["set_aside"], {"schema": "public"}).fetchall()
        for thing in reversed(aside):
            conn.execute(thing["take"].encode())
        conn.execute(SQL["plan"], values)
        for step in STEPS:
            with timed(step, report):
                conn.execute(SQL[step], values)
        for table in COUNTED:
            highest = max(orders * 4 + 3, 20_000, values["buyers"] + 1000)
            conn.execute(FILL["count_on"], {"name": table, "last": highest})
        tables = [row["name"] for row in sizes(conn)]
    with timed("indexes", report):
        indexes = [each for each in aside if each["kind"] == "index"]
        at_once(url, "indexes", longest_first(indexes, tables))
    with timed("foreign keys, triggers", report), connected(url) as conn:
        for thing in aside:
            if thing["kind"] != "index":
                conn.execute(thing["restore"].encode())
    with timed("vacuum, analyze", report):
        at_once(url, "tables", [f"VACUUM (ANALYZE) {table}" for table in [*tables, "events"]])


def measure(url: str, report: Report, *, rounds: int = 5) -> list[str]:
    """Report milliseconds and buffers of each list, the best of some rounds.

    Returns the names of those that read a large table from end to end.
    """
    slow: list[str] = []
    with connected(url) as conn:
        deep = one(conn, SQL["deep"])
        for name in LISTS:
            with acting(conn, name.partition("_")[0]):
                plans = [explained(conn, LISTS[name], deep) for _ in range(rounds)]
            best = min(plans, key=lambda plan: plan["Execution Time"])
            read = scans(best["Plan"])
            if read:
                slow.append(name)
            words = f"  reads {', '.join(sorted(read))} whole" if read else ""
            buffers = best["Plan"]["Shared Hit Blocks"] + best["Plan"]["Shared Read Blocks"]
            report(f"{name:20} {best['Execution Time']:8.2f} ms {buffers:6} buffers{words}")
    return slow


def prove(url: str, report: Report) -> int:
    """Report how long the invariants take, each and all of them; return how many are broken."""
    with connected(url) as conn:
        postings = one(conn, SQL["postings"])["postings"]
        started = time.monotonic()
        found = conn.execute(SQL["broken"]).fetchall()
        report(f"all invariants, {postings} postings: {time.monotonic() - started:.1f} s")
        for row in found:
            report(f"broken: {row}")
    return len(found)


class acting:
    """Who asks inside of the block: seller, buyer or admin with the rights of the API, or the worker."""

    def __init__(self, conn: Conn, who: str) -> None:
        self.conn = conn
        self.who = who

    def __enter__(self) -> None:
        if self.who == "worker":
            self.conn.execute(SQL["act_as_worker"])
            return
        user = {"seller": lambda: 1, "buyer": self._buyer, "admin": self._admin}[self.who]()
        secret = secrets.token_bytes(32)
        self.conn.execute(SQL["session"], {"user_id": user, "secret_hash": secret})
        self.conn.execute(SQL["act"], {"session": secret.hex()})

    def __exit__(self, *error: object) -> None:
        self.conn.execute(SQL["act_as_owner"])

    def _buyer(self) -> int:
        return int(one(self.conn, SQL["buyer"])["user_id"])

    def _admin(self) -> int:
        row = self.conn.execute(SQL["find_admin"]).fetchone()
        return int((row or one(self.conn, SQL["admin"]))["id"])


def explained(conn: Conn, statement: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the plan of a statement that was run."""
    text = statement if isinstance(statement, str) else statement.decode()
    with conn.transaction(force_rollback=True):
        row = one(conn, f"EXPLAIN (ANALYZE, TIMING OFF, BUFFERS, FORMAT JSON) {text}", values)
    (plan,) = next(iter(row.values()))
    return dict(plan if isinstance(plan, dict) else json.loads(plan))


def scans(plan: dict[str, Any]) -> set[str]:
    """Return the large tables that a plan reads from end to end."""
    return {
        str(node["Relation Name"])
        for node in nodes(plan)
        if node["Node Type"] == "Seq Scan" and node["Actual Rows"] * node["Actual Loops"] > 10_000
    }


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a plan and all that is below it."""
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)
