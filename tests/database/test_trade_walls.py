"""Who reads and writes what of trade: each table for each kind of caller, and each wall taken away by itself."""

import re
from typing import Any

import pytest
from psycopg import errors
from support.stock import Room, act_as, refused, role
from support.trade import Trade, lives

#: What a caller sees of a table, as a condition that its owner asks. None: permission is denied.
PARTIES = {"buyer": "buyer_id = {buyer}", "seller": "store_id = {store}", "admin": "true"}
BY_ORDER = {
    "buyer": "order_id IN (SELECT id FROM orders WHERE buyer_id = {buyer})",
    "seller": "order_id IN (SELECT id FROM orders WHERE store_id = {store})",
    "admin": "true",
}
EVERYBODY = {
    "buyer": "true",
    "seller": "true",
    "admin": "true",
    "guest": "true",
    "suspended": "true",
}
ADMINS = {"buyer": "false", "seller": "false", "admin": "true"}
#: Table: its key, and what each kind of caller sees.
SEEN: dict[str, tuple[str, dict[str, str] | None]] = {
    "checkouts": ("id", PARTIES | {"seller": "false"}),
    "orders": ("id", PARTIES),
    "order_lines": ("id", PARTIES),
    "events": ("id", PARTIES),
    "shipments": ("id", PARTIES),
    "order_requests": ("id", PARTIES),
    "invoices": ("order_id", PARTIES),
    "refunds": ("id", PARTIES),
    "payments": ("id", PARTIES),
    "shipment_lines": ("line_id", BY_ORDER),
    "order_request_lines": ("line_id", BY_ORDER),
    "refund_lines": ("line_id", BY_ORDER),
    "store_balances": ("store_id", PARTIES | {"buyer": "false"}),
    "voucher_uses": ("checkout_id", PARTIES | {"seller": "false"}),
    "uploads": ("id", {"buyer": "user_id = {buyer}", "seller": "user_id = {user}", "admin": "user_id = {user}"}),
    "commission_rules": ("id", ADMINS),
    "reconciliations": ("provider", ADMINS),
    "holidays": ("day", EVERYBODY),
    "order_transitions": ("to_state", EVERYBODY),
    "provider_states": ("provider", EVERYBODY),
    "provider_callbacks": ("id", None),
    "invoice_counters": ("store_id", None),
    "invoices_due": ("order_id", None),
    "ledger_accounts": ("id", None),
    "ledger_entries": ("id", None),
    "ledger_postings": ("entry_id", None),
    "event_cursors": ("name", None),
}  # fmt: skip
#: The parts of a policy, as PostgreSQL writes them.
PARTS = re.compile(
    r"\(\w+ = \( SELECT \w+\(\) AS \w+\)\)|\(\( SELECT my_role\(\) AS my_role\) = 'admin'::text\)"
)
#: What the API's role and the worker may write, and to which columns.
WRITES = {
    "marketplace_app": {("uploads", "INSERT"), ("holidays", "INSERT"), ("holidays", "DELETE")},
    "marketplace_worker": {
        ("uploads", "INSERT"), ("uploads", "DELETE"), ("holidays", "INSERT"), ("holidays", "DELETE"),
        ("provider_callbacks", "DELETE"), ("reconciliations", "INSERT"), ("reconciliations", "UPDATE"),
        ("invoice_counters", "INSERT"), ("invoice_counters", "UPDATE"), ("invoices", "INSERT"), ("shipments", "UPDATE"),
        ("invoices_due", "DELETE"),
        ("provider_states", "INSERT"), ("provider_states", "UPDATE"),
    },
}  # fmt: skip


class Town:
    """Two stores with the sales of a buyer each, and everybody who might ask."""

    def __init__(self, room: Room) -> None:
        self.conn = room.conn
        here, there = Trade(room), Trade(room, room.user("seller"))
        self.here, self.there = lives(here), lives(there)
        for trade in (here, there):
            trade.ask(trade.place(), "store_transfer")
            trade.upload(trade.seller.id, "qris")
        suspended = room.user("buyer").id
        lives_of = trade.place(buyer=suspended)
        here.upload(suspended)
        admin = room.user("admin").id
        here.upload(admin)
        self.conn.execute("UPDATE orders SET cancel_reason = NULL WHERE id = %s", [lives_of.order])
        self.conn.execute(
            "INSERT INTO provider_callbacks (provider, key, body) VALUES ('midtrans', 'a', '{}')"
        )
        self.conn.execute("INSERT INTO provider_states (provider) VALUES ('midtrans')")
        self.conn.execute(
            "INSERT INTO reconciliations (provider, day, ours, theirs) VALUES ('midtrans', '2026-11-30', 1, 1)"
        )
        self.conn.execute(
            "INSERT INTO holidays (country, day, name) VALUES ('ID', '2026-12-25', 'Natal')"
        )
        #: Kind of caller, and who it is: buyer and seller here and there; ids are those they see rows by.
        self.callers: dict[str, tuple[str, int | None, dict[str, Any]]] = {
            "buyer": ("buyer", here.buyer, {"buyer": here.buyer}),
            "other buyer": ("buyer", there.buyer, {"buyer": there.buyer}),
            "stranger": ("buyer", (nobody := room.user("buyer").id), {"buyer": nobody}),
            "seller": ("seller", here.seller.id, {"store": here.store, "user": here.seller.id}),
            "other seller": (
                "seller",
                there.seller.id,
                {"store": there.store, "user": there.seller.id},
            ),
            "admin": ("admin", admin, {"user": admin}),
            "guest": ("guest", None, {}),
            "suspended": ("suspended", suspended, {}),
        }
        self.sessions = {}
        for name, (_, user, _) in self.callers.items():
            act_as(self.conn, user)
            row = self.conn.execute("SELECT current_setting('app.session') AS session").fetchone()
            self.sessions[name] = row["session"]
        self.conn.execute("UPDATE users SET suspended_at = now() WHERE id = %s", [suspended])
        act_as(self.conn, None)

    def keys(self, table: str, condition: str = "true") -> list[str]:
        """The keys of rows of a table, as whoever asks sees them."""
        key = SEEN[table][0]
        query = f"SELECT {key}::text AS key FROM {table} WHERE {condition}"  # noqa: S608
        return sorted(row["key"] for row in self.conn.execute(query).fetchall())

    def seen(self, table: str, caller: str) -> list[str] | None:
        """The keys of a table that a caller sees; None: permission is denied."""
        self.conn.execute(
            "SELECT set_config('app.session', %s, true)", [self.sessions.get(caller, "")]
        )
        try:
            with (
                self.conn.transaction(),
                role(self.conn, "marketplace_worker" if caller == "worker" else "marketplace_app"),
            ):
                return self.keys(table)
        except errors.InsufficientPrivilege:
            return None
        finally:
            self.conn.execute("SELECT set_config('app.session', '', true)")

    def expected(self, table: str, caller: str) -> list[str] | None:
        """The keys that a caller is to see."""
        seen = SEEN[table][1]
        if caller == "worker":
            return self.keys(table)
        if seen is None:
            return None
        kind, _, ids = self.callers[caller]
        return self.keys(table, seen.get(kind, "false").format(**ids))

    def matrix(self, table: str) -> dict[str, list[str] | None]:
        """What each caller sees of a table."""
        return {caller: self.seen(table, caller) for caller in (*self.callers, "worker")}


@pytest.fixture
def town(room: Room) -> Town:
    return Town(room)


def policies(town: Town) -> list[dict[str, Any]]:
    """The policies of the tables of trade."""
    query = "SELECT tablename, policyname, cmd, qual, with_check FROM pg_policies WHERE tablename = ANY(%s) ORDER BY 1, 2"
    return list(town.conn.execute(query, [list(SEEN)]).fetchall())


def test_each_caller_sees_what_is_theirs_and_the_worker_sees_all(town: Town):
    for table in SEEN:
        expected = {caller: town.expected(table, caller) for caller in (*town.callers, "worker")}
        assert town.matrix(table) == expected, table
        assert expected["worker"], f"{table} is empty: nothing was proven"
    for table, caller in (
        ("orders", "buyer"),
        ("payments", "seller"),
        ("invoices", "other seller"),
        ("uploads", "admin"),
    ):
        assert town.expected(table, caller), (table, caller)
        assert town.expected(table, caller) != town.keys(table)


def test_each_policy_that_is_taken_away_is_missed(town: Town):
    for policy in policies(town):
        table, name = policy["tablename"], policy["policyname"]
        if policy["cmd"] in ("INSERT", "DELETE") or SEEN[table][1] == EVERYBODY:
            continue  # below; what everybody reads the worker reads as everybody
        with town.conn.transaction(force_rollback=True):
            if SEEN[table][1] == BY_ORDER and name.endswith("_worker"):
                town.conn.execute(
                    "DROP POLICY orders_worker ON orders"
                )  # else seen as the API does
            sound = town.matrix(table)
            town.conn.execute(f"DROP POLICY {name} ON {table}")
            assert town.matrix(table) != sound, name


def test_each_policy_that_lets_everybody_pass_is_noticed(town: Town):
    for policy in policies(town):
        table, name = policy["tablename"], policy["policyname"]
        if policy["qual"] in (None, "true") or policy["cmd"] == "DELETE":
            continue
        sound = town.matrix(table)
        with town.conn.transaction(force_rollback=True):
            town.conn.execute(f"ALTER POLICY {name} ON {table} USING (true)")
            assert town.matrix(table) != sound, name
        for part in PARTS.findall(policy["qual"]):
            with town.conn.transaction(force_rollback=True):
                narrower = policy["qual"].replace(part, "false")
                town.conn.execute(f"ALTER POLICY {name} ON {table} USING ({narrower})")
                assert town.matrix(table) != sound, (name, part)


def test_each_wall_that_falls_is_noticed(town: Town):
    for table, (_, seen) in SEEN.items():
        if seen in (None, EVERYBODY):
            continue
        sound = town.matrix(table)
        with town.conn.transaction(force_rollback=True):
            town.conn.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
            assert town.matrix(table) != sound, table


def test_each_table_with_a_policy_has_one_for_the_worker(room: Room):
    """Whoever adds a private table and forgets the worker has timers and proofs that see nothing, for ever."""
    query = (
        "SELECT c.relname AS name FROM pg_class AS c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity AND NOT c.relispartition"
        " AND has_any_column_privilege('marketplace_worker', c.oid, 'SELECT')"
        " AND NOT EXISTS (SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND pg_get_expr(p.polqual, c.oid) = 'true'"
        " AND p.polroles = ARRAY['marketplace_worker'::regrole::oid])"
    )
    bare = {row["name"] for row in room.conn.execute(query).fetchall()}
    # Of before there was a worker that reads all: it acts for the owner of an import there, or through functions.
    assert bare == {"activities", "audit", "users"}


def test_rights_to_write_are_those_of_the_list(town: Town):
    query = (
        "SELECT t.name, v.verb FROM unnest(%s::text[]) AS t (name)"
        " CROSS JOIN unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS v (verb)"
        " WHERE has_table_privilege(%s, t.name, v.verb)"
        " OR (v.verb IN ('INSERT', 'UPDATE') AND has_any_column_privilege(%s, t.name, v.verb))"
    )
    for name, allowed in WRITES.items():
        found = town.conn.execute(
            query, [[*SEEN, "holds", "stock_movements"], name, name]
        ).fetchall()
        assert {(row["name"], row["verb"]) for row in found} == allowed, name


def test_the_applications_role_writes_nothing_whoever_is_signed_in(town: Town):
    column = "SELECT attname AS name FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attgenerated = '' AND attidentity = ''"
    for table in [*SEEN, "holds", "stock_movements"]:
        name = town.conn.execute(column, [table]).fetchone()["name"]
        for verb, statement in (
            ("INSERT", f"INSERT INTO {table} ({name}) VALUES (NULL)"),  # noqa: S608
            ("UPDATE", f"UPDATE {table} SET {name} = {name}"),  # noqa: S608
            ("DELETE", f"DELETE FROM {table}"),  # noqa: S608
            ("TRUNCATE", f"TRUNCATE {table}"),
        ):
            if (table, verb) in WRITES["marketplace_app"]:
                continue
            for caller in town.callers:
                town.conn.execute(
                    "SELECT set_config('app.session', %s, true)", [town.sessions[caller]]
                )
                with refused(town.conn, "42501"), role(town.conn, "marketplace_app"):
                    town.conn.execute(statement)


def test_the_worker_changes_no_order_payment_refund_or_book(town: Town):
    for statement in (
        "UPDATE orders SET paid = total",
        "UPDATE payments SET state = 'paid'",
        "UPDATE refunds SET state = 'done'",
        "UPDATE shipments SET state = 'delivered'",
        "UPDATE store_balances SET balance = 0",
        "UPDATE invoices SET number = 1",
        "UPDATE event_cursors SET event_id = 0",
        "INSERT INTO ledger_postings VALUES (1, 9, 1, 1)",
        "INSERT INTO ledger_entries (kind, source) VALUES ('a', 'b')",
        "INSERT INTO events (type, actor) VALUES ('order.paid', 'system')",
        "DELETE FROM orders",
        "SELECT post_entry('a', 'b', NULL, '{bank,bank}', NULL, '{1,-1}')",
        "SELECT settle_event_cursors()",
    ):
        with refused(town.conn, "42501"), role(town.conn, "marketplace_worker"):
            town.conn.execute(statement)
    with role(town.conn, "marketplace_worker"):
        changed = town.conn.execute("UPDATE shipments SET tracking_number = NULL").rowcount
    assert changed == 10


def test_only_an_admin_writes_holidays(town: Town):
    add = "INSERT INTO holidays (country, day, name) VALUES ('ID', %s, 'x')"
    for caller in town.callers:
        town.conn.execute("SELECT set_config('app.session', %s, true)", [town.sessions[caller]])
        if caller == "admin":
            with role(town.conn, "marketplace_app"):
                town.conn.execute(add, ["2027-01-01"])
                assert (
                    town.conn.execute("DELETE FROM holidays WHERE day = '2027-01-01'").rowcount == 1
                )
            continue
        with refused(town.conn, "42501"), role(town.conn, "marketplace_app"):
            town.conn.execute(add, ["2027-01-01"])
        with role(town.conn, "marketplace_app"):
            assert town.conn.execute("DELETE FROM holidays").rowcount == 0


def test_an_upload_is_ones_own_and_unused(town: Town):
    add = "INSERT INTO uploads (user_id, purpose, key, bytes) VALUES (%s, 'proof', 'k', 1)"
    mine, theirs = town.callers["buyer"][1], town.callers["other buyer"][1]
    town.conn.execute("SELECT set_config('app.session', %s, true)", [town.sessions["buyer"]])
    for statement, values in (
        (add, [theirs]),
        (
            "INSERT INTO uploads (user_id, purpose, key, bytes, used) VALUES (%s, 'proof', 'k', 1, true)",
            [mine],
        ),
        ("UPDATE uploads SET used = true", []),
        ("DELETE FROM uploads", []),
    ):
        with refused(town.conn, "42501"), role(town.conn, "marketplace_app"):
            town.conn.execute(statement, values)
    with role(town.conn, "marketplace_app"):
        town.conn.execute(add, [mine])


REFUSED = (
    "SELECT address FROM checkouts",
    "SELECT bank FROM refunds",
    "SELECT * FROM checkouts",
    "SELECT * FROM refunds",
    "SELECT post_entry('a', 'b', NULL, '{bank,bank}', NULL, '{1,-1}')",
    "SELECT next_events('mail', 10)",
    "SELECT settle_event_cursors()",
    "SELECT order_mail(1, 'buyer')",
    "SELECT order_actor(1, 1)",
    "SELECT is_system()",
    "SELECT acting_as(true, 1, 'x', 1, 1, 1)",
    "SELECT resolve_commission()",
    "SELECT settle_postings()",
    "SELECT broken_invariants()",
    "SELECT FROM invariants.escrow_is_open_orders",
)


def test_what_no_caller_of_the_api_may_ask(town: Town):
    for statement in REFUSED:
        for caller in town.callers:
            town.conn.execute("SELECT set_config('app.session', %s, true)", [town.sessions[caller]])
            with refused(town.conn, "42501"), role(town.conn, "marketplace_app"):
                town.conn.execute(statement)
