"""Writes the books and reads the events from many sides at once, and proves that nothing is lost, doubled or wrong.

    PYTHONPATH=.:tests .venv/bin/python tests/system/books_trials.py --seconds 30

`post`: threads post entries of random accounts, some of them wrong, several the same source at once. `tell`: writers
change orders, some in transactions that stay open for a second, a few roll back; readers of events go on by
next_events with the worker's rights and are killed at random, two of them for the same name. After each: what stands
is what was committed, balances are the sums, each event was told once to each name, in the order of (xid, id).
"""

import argparse
import random
import sys
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

import psycopg
from psycopg import errors
from psycopg.rows import dict_row
from support.stock import broken
from support.trial_system import deadlocks

from system.stock_trials import stocked

POST = "SELECT post_entry(%s, %s, NULL, %s::text[], %s::bigint[], %s::numeric[])"
TOLD = """
CREATE TABLE told (reader text, id bigint, place bigint GENERATED ALWAYS AS IDENTITY, PRIMARY KEY (reader, id));
GRANT SELECT, INSERT ON told TO marketplace_worker;
INSERT INTO event_cursors (name, origin) VALUES ('second', change_feed_origin())
"""


class Posted(NamedTuple):
    """What the threads that post have done."""

    done: Counter[str]
    failed: list[str]


def post(url: str, *, threads: int, wrong: int, each: int, stores: int = 5) -> Posted:
    """Post `each` entries on every thread; the last `wrong` threads post what does not sum to 0."""
    done: Counter[str] = Counter()
    failed: list[str] = []

    def work(side: int) -> None:
        dice = random.Random(side)
        with psycopg.connect(url, autocommit=True) as conn:
            for turn in range(each):
                store = dice.randrange(1, stores + 1)
                debit, fee = dice.randrange(1, 10**8), dice.randrange(10**6)
                extra = 1 if side >= threads - wrong else 0
                amounts = [debit, -(debit - fee), -fee + extra]
                # every tenth source is that of all threads: one of them posts it
                source = f"all {turn}" if turn % 10 == 0 and not extra else f"{side} {turn}"
                values = [
                    "trial",
                    source,
                    ["bank", "payable", "commission"],
                    [None, store, None],
                    amounts,
                ]
                try:
                    conn.execute(POST, values)
                    done["posted"] += 1
                except errors.CheckViolation as error:
                    done[str(error.diag.constraint_name)] += 1
                except psycopg.Error as error:
                    failed.append(f"{error.sqlstate} {error}")

    run_all([threading.Thread(target=work, args=(side,)) for side in range(threads)])
    return Posted(done, failed)


def run_all(threads: list[threading.Thread]) -> None:
    """Run threads to their end."""
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


class Telling:
    """Writers of events and readers that are killed, until the time is up."""

    def __init__(self, url: str, orders: list[int], *, seconds: float, seed: int = 1) -> None:
        self.url = url
        self.orders = orders
        self.seconds = seconds
        self.written = 0
        self.killed = 0
        self.failed: list[str] = []
        self._lock = threading.Lock()
        self._pids: dict[int, int] = {}
        self._over = threading.Event()
        self._seed = seed

    def run(self) -> None:
        """Write, read and kill; then read what is left, and stop."""
        with psycopg.connect(self.url) as conn:
            for statement in TOLD.split(";"):
                conn.execute(statement)
        writers = [threading.Thread(target=self._write, args=(order,)) for order in self.orders]
        names = ("mail", "mail", "second")
        readers = [
            threading.Thread(target=self._read, args=(side, name))
            for side, name in enumerate(names)
        ]
        killer = threading.Thread(target=self._kill)
        for thread in (*writers, *readers, killer):
            thread.start()
        for thread in writers:
            thread.join()
        self._over.set()
        for thread in (killer, *readers):
            thread.join()

    def _write(self, order: int) -> None:
        dice = random.Random(self._seed * 1000 + order)
        until = time.monotonic() + self.seconds
        with psycopg.connect(self.url) as conn:
            while time.monotonic() < until:
                changes = dice.randrange(1, 5)
                for _ in range(changes):
                    conn.execute(
                        "UPDATE orders SET open_request = CASE WHEN open_request IS NULL THEN 'cancel' END WHERE id = %s",
                        [order],
                    )
                time.sleep(
                    dice.uniform(0.3, 1.0) if dice.random() < 0.05 else dice.uniform(0, 0.02)
                )
                if dice.random() < 0.1:
                    conn.rollback()
                    continue
                conn.commit()
                with self._lock:
                    self.written += changes

    def _read(self, side: int, name: str) -> None:
        dice = random.Random(self._seed * 2000 + side)
        idle = 0.0
        while idle < 1:  # seconds without an event after the writers have ended
            try:
                with psycopg.connect(self.url) as conn:
                    conn.execute("SET ROLE marketplace_worker")
                    conn.commit()
                    self._pids[side] = conn.info.backend_pid
                    while idle < 1:
                        over = self._over.is_set()
                        found = conn.execute(
                            "SELECT id FROM next_events(%s, %s)", [name, dice.randrange(1, 60)]
                        ).fetchall()
                        for (event,) in found:
                            conn.execute(
                                "INSERT INTO told (reader, id) VALUES (%s, %s)", [name, event]
                            )
                        if dice.random() < 0.05:
                            conn.rollback()
                            continue
                        conn.commit()
                        idle = idle + 0.05 if over and not found else 0
                        time.sleep(0.05 if not found else 0)
            except errors.AdminShutdown:
                continue  # killed
            except psycopg.OperationalError as error:
                if error.sqlstate is None:  # killed between two statements
                    continue
                self.failed.append(f"{error.sqlstate} {error}")
                return
            except psycopg.Error as error:
                self.failed.append(f"{error.sqlstate} {error}")
                return

    def _kill(self) -> None:
        dice = random.Random(self._seed * 3000)
        with psycopg.connect(self.url, autocommit=True) as conn:
            while not self._over.wait(dice.uniform(0.02, 0.2)):
                side = dice.randrange(3)
                if pid := self._pids.pop(side, None):
                    conn.execute("SELECT pg_terminate_backend(%s)", [pid])
                    self.killed += 1


def told(conn: Any) -> dict[str, Any]:
    """What the readers were told beside what there is: skipped, unknown, out of order."""
    conn.row_factory = dict_row
    row = conn.execute(
        "SELECT (SELECT count(*) FROM events) AS events,"
        " (SELECT count(*) FROM events AS e CROSS JOIN (VALUES ('mail'), ('second')) AS r (name)"
        "  WHERE NOT EXISTS (SELECT FROM told AS t WHERE t.reader = r.name AND t.id = e.id)) AS skipped,"
        " (SELECT count(*) FROM told AS t WHERE NOT EXISTS (SELECT FROM events AS e WHERE e.id = t.id)) AS unknown,"
        " (SELECT count(*) FROM (SELECT e.xid, e.id, lag(e.xid) OVER o AS xid_before, lag(e.id) OVER o AS id_before"
        "  FROM told AS t JOIN events AS e ON e.id = t.id WINDOW o AS (PARTITION BY t.reader ORDER BY t.place)) AS s"
        "  WHERE (s.xid, s.id) <= (s.xid_before, s.id_before)) AS disordered"
    ).fetchone()
    conn.rollback()
    return dict(row)


def told_of(conn: Any) -> int:
    """How many events there are."""
    return int(conn.execute("SELECT count(*) FROM events").fetchone()[0])


def with_orders(conn: Any, orders: int) -> list[int]:
    """Make orders that wait, by the owner's hand; their ids."""
    shelf = stocked(conn, 1, 10)
    checkouts = conn.execute(
        "INSERT INTO checkouts (buyer_id, number, currency, total, method, units, pay_by, address)"
        " SELECT %s, 'C' || n, 'IDR', 1, 'transfer', 1, now() + interval '1 day', '{}' FROM generate_series(1, %s) AS n"
        " RETURNING id",
        [shelf.user_id, orders],
    ).fetchall()
    made = conn.execute(
        "INSERT INTO orders (store_id, buyer_id, checkout_id, number, currency, items_total, total, units, delivery)"
        " SELECT %s, %s, c.id, 'O' || c.id, 'IDR', 1, 1, 1, '{}' FROM unnest(%s::bigint[]) AS c (id) RETURNING id",
        [shelf.store_id, shelf.user_id, [row["id"] for row in checkouts]],
    ).fetchall()
    conn.commit()
    return [row["id"] for row in made]


def costs(url: str, orders: list[int], turns: int = 2000) -> dict[str, float]:
    """Microseconds of the backend's CPU for an event, and for an entry of three postings."""
    change = "UPDATE orders SET open_request = CASE WHEN open_request IS NULL THEN 'cancel' END WHERE id = "
    loop = "DO $do$ BEGIN FOR n IN 1..{turns} LOOP {what}; END LOOP; END $do$"
    update = loop.format(turns=turns, what=f"{change}{orders[0]}")
    entry = loop.format(
        turns=turns,
        what="PERFORM post_entry('cost', '{round} ' || n, NULL, '{{bank,payable,commission}}', '{{NULL,3,NULL}}', '{{100,-90,-10}}')",
    )
    found: dict[str, list[float]] = {"told": [], "untold": [], "entry": []}
    with psycopg.connect(url, autocommit=True) as conn:

        def cpu(statement: str) -> float:
            with open(f"/proc/{conn.info.backend_pid}/schedstat") as before:  # noqa: PTH123
                start = int(before.read().split()[0])
            conn.execute(statement)
            with open(f"/proc/{conn.info.backend_pid}/schedstat") as after:  # noqa: PTH123
                return (int(after.read().split()[0]) - start) / 1000 / turns

        for number in range(5):
            found["told"].append(cpu(update))
            conn.execute("ALTER TABLE orders DISABLE TRIGGER note_update")
            found["untold"].append(cpu(update))
            conn.execute("ALTER TABLE orders ENABLE TRIGGER note_update")
            found["entry"].append(cpu(entry.replace("{round}", str(number))))
    return {
        "event": min(found["told"]) - min(found["untold"]),
        "entry of three": min(found["entry"]),
    }


def main() -> int:
    """Run both trials on a new database of the embedded server; 1 where one fails."""
    from conftest import created, owner

    from marketplace.postgres import migrations

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--entries", type=int, default=500, help="a thread")
    args = parser.parse_args()
    with owner() as server, created(server, "marketplace_books_trials") as url:
        migrations.migrate(url, lambda line: None)
        posted = post(url, threads=16, wrong=2, each=args.entries)
        print("posted", dict(posted.done), posted.failed)
        with psycopg.connect(url, row_factory=dict_row) as conn:
            found = (deadlocks(conn), broken(conn))
            orders = with_orders(conn, 16)
        print({name: f"{cost:.0f} us" for name, cost in costs(url, orders).items()})
        with psycopg.connect(url) as conn:
            start = told_of(conn)
        telling = Telling(url, orders, seconds=args.seconds)
        telling.run()
        with psycopg.connect(url) as conn:
            after = told(conn)
        print("written", telling.written, "killed", telling.killed, after, telling.failed)
    wrong = [value for name, value in after.items() if name != "events"]
    return int(
        any(wrong)
        or after["events"] != telling.written + start
        or found != (0, [])
        or bool(posted.failed + telling.failed)
    )


if __name__ == "__main__":
    sys.exit(main())
