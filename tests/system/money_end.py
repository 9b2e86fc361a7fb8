"""The end of random lives: people do what waits for them, all timers run, all money goes home; then what is left is compared
with the oracle, and with the bank's own books.
"""

import argparse
import time
from collections import Counter
from decimal import Decimal
from random import Random

from servers.midtrans_process import CAME

from system.money_lives import BANK, Lives
from system.money_oracle import NOTHING, Order
from system.money_provider import Till
from system.money_world import World

#: Seconds for what is left at the provider, once nobody is killed any more.
PATIENCE = 300


def end(told: Lives, dice: Random, tills: list[Till]) -> None:
    """Whatever waits for a person is done, and all timers run."""
    world = told.world
    for order in told.orders.values():
        while order.asked is not None and order.asked.disputed:
            told._decide(order, dice)
        for parcel in list(order.parcels) if order.method == "cod" else ():
            answer = world.post(f"/api/orders/{order.id}/shipments/{parcel}/delivered", world.admin)
            if answer.good:
                order.deliver(parcel)
            else:
                told.faults.append(f"parcel {parcel} of {order.id} was not delivered: {answer}")
    moved = _run_out(told, tills)
    for order in told.orders.values():
        before = None
        while before != (order.state, order.stage):
            before = (order.state, order.stage)
            order.run_out()
        told.compare(order)
    settled = _settle_problems(told, dice)
    print(
        f"timers moved {moved}; problems {dict(settled)}; refunds sent {dict(send_all(told, dice))}"
    )


def _run_out(told: Lives, tills: list[Till]) -> int:
    """Run all timers until nothing moves, here or at the provider; how many orders did."""
    world, moved = told.world, 0
    for till in tills:
        till.end()
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for till in tills:
            till.goes_on()
        if world.bank is not None and not world.done_there():
            told.faults.append("jobs at the provider are not done")
        now = world.run_timers()
        moved += now
        waits = any(till.waits for till in tills)
        if not (now or waits or world.rows("SELECT FROM checkouts WHERE state = 'unpaid' LIMIT 1")):
            return moved
        time.sleep(0.5)
    told.faults.append("the timers come to no end")
    return moved


def _settle_problems(told: Lives, dice: Random) -> Counter[str]:
    """The operator's queue of payments is worked off: what came wrong is sent home, or left where it is."""
    world, settled = told.world, Counter[str]()
    while page := world.get("/api/payments?problem=true", world.admin)["payments"]:
        for each in page:
            wrong = each["problem"] == "amount_mismatch"
            how = "send_back" if wrong and dice.random() < 0.8 else "noted"
            path = f"/api/payments/{each['id']}/settle"
            answer = world.post(path, world.admin, {"how": how})
            if not answer.good:
                told.faults.append(f"payment {each['id']} was not settled: {answer}")
                return settled
            settled[f"{each['problem'] or 'reversed'} {how}"] += 1
            if wrong and how == "noted":
                (row,) = world.rows(
                    "SELECT buyer_id, received FROM payments WHERE id = %s", each["id"]
                )
                told.unclaimed[row["buyer_id"]] += int(row["received"])
    return settled


def send_all(told: Lives, dice: Random) -> Counter[str]:
    """All refunds go home: by bank, or by the store that has the money; a few fail at first, a few are given up."""
    world, sent = told.world, Counter[str]()
    tokens = {buyer.id: buyer.token for buyer in world.buyers}
    end = time.monotonic() + PATIENCE
    while rows := world.rows(
        "SELECT r.id, r.way, r.state, r.buyer_id, r.store_id FROM refunds AS r WHERE r.state NOT IN ('done', 'given_up')"
        " ORDER BY r.way = 'provider' LIMIT 500"
    ):
        if rows[0]["way"] == "provider":  # nothing else: the worker sends them
            if time.monotonic() > end:
                told.faults.append(f"{len(rows)} refunds are not sent by the provider: {rows[:3]}")
                return sent
            world.done_there()
            world.run_timers(1)
            time.sleep(0.5)
        for row in rows:
            if row["way"] == "provider":
                continue
            path, luck = f"/api/refunds/{row['id']}", dice.random()
            if row["state"] == "needs_bank" and luck < 0.03:
                answer = world.post(f"{path}/give-up", world.admin, {"message": "tidak ketemu"})
            elif row["state"] == "needs_bank":
                answer = world.call("PUT", f"{path}/bank", tokens[row["buyer_id"]], BANK)
            elif luck < 0.05:
                answer = world.post(f"{path}/fail", world.admin, {"reason": "kembali"})
            else:
                token = (
                    world.stores[row["store_id"]].token if row["way"] == "store" else world.admin
                )
                answer = world.post(f"{path}/done", token, {"reference": "BCA 1"})
            if not answer.good:
                told.faults.append(f"refund {row}: {answer}")
                return sent
            sent[f"{row['way']} {row['state']}"] += 1
    return sent


def compared(told: Lives, args: argparse.Namespace) -> list[str]:
    """What differs from the oracle, and what is left open."""
    world, orders = told.world, list(told.orders.values())
    found: list[str] = []
    for order in orders:
        if order.stage not in ("completed", "cancelled"):
            found.append(f"order {order.id} is {order.stage} in the end")
    found += (
        _buyers(told, orders)
        + _stores(told, orders)
        + _platform(told, orders)
        + _stock(told, orders, args.stock)
        + _at_bank(world)
    )
    for what, query in OPEN.items():
        (row,) = world.rows(query)
        if row["n"]:
            found.append(f"{row['n']} {what} are left open")
    return found


OPEN = {
    "orders": "SELECT count(*) AS n FROM orders WHERE stage NOT IN ('completed', 'cancelled') OR open_request IS NOT NULL",
    "checkouts": "SELECT count(*) AS n FROM checkouts WHERE state = 'unpaid'",
    "payments": "SELECT count(*) AS n FROM payments WHERE state IN ('opening', 'open', 'checking')",
    "returns": "SELECT count(*) AS n FROM order_requests WHERE state IN ('open', 'approved', 'sent_back')"
    " OR (disputed AND decided_by IS NULL)",
    "refunds": "SELECT count(*) AS n FROM refunds WHERE state NOT IN ('done', 'given_up')",
    "holds": "SELECT count(*) AS n FROM holds",
    "problems": "SELECT count(*) AS n FROM payments WHERE coalesce(problem, reversed) IS NOT NULL AND settled_by IS NULL",
    "callbacks": "SELECT count(*) AS n FROM provider_callbacks WHERE applied_at IS NULL",
    "failed jobs": "SELECT count(*) AS n FROM jobs.procrastinate_jobs WHERE status = 'failed'",
}


def _buyers(told: Lives, orders: list[Order]) -> list[str]:
    """What each buyer has paid in all: from the money that came and went, beside the oracle's orders."""
    world, meant = told.world, Counter(told.unclaimed)
    for order in orders:
        meant[order.buyer] += int(order.rest)
    rows = world.rows(
        "SELECT b.buyer_id, sum(b.much) AS much FROM ("
        " SELECT buyer_id, received AS much FROM payments UNION ALL SELECT buyer_id, paid FROM orders WHERE cod"
        " UNION ALL SELECT buyer_id, -amount FROM refunds WHERE state IN ('done', 'given_up')) AS b GROUP BY 1"
    )
    said = {row["buyer_id"]: int(row["much"]) for row in rows}
    return [
        f"buyer {buyer} has paid {said.get(buyer, 0)}, not {meant[buyer]}"
        for buyer in {*said, *meant}
        if said.get(buyer, 0) != meant[buyer]
    ]


def _stores(told: Lives, orders: list[Order]) -> list[str]:
    """Each store's balance, as its seller reads it."""
    world, found = told.world, []
    rows = world.rows(
        "SELECT store_id, sum(amount) AS much FROM refunds WHERE way = 'store' AND state = 'done' GROUP BY 1"
    )
    sent = {row["store_id"]: row["much"] for row in rows}
    for store in world.stores.values():
        mine = [order for order in orders if order.store == store.id]
        cash = sum(
            (order.paid for order in mine if order.method == "cod" and order.cash_at == "store"),
            NOTHING,
        )
        earned = sum((order.earned() for order in mine), NOTHING)
        meant = earned - cash - told.at_stores[store.id] + sent.get(store.id, NOTHING)
        said = Decimal(world.get("/api/stores/mine/balance", store.token)["balance"])
        if said != meant:
            found.append(f"store {store.id} has {said}, not {meant}")
    return found


def _platform(told: Lives, orders: list[Order]) -> list[str]:
    """What the platform takes and bears, from the books; and that they sum to 0, with nothing left between."""
    world = told.world
    rows = world.rows(
        "SELECT a.kind, sum(p.amount) AS much FROM ledger_postings AS p JOIN ledger_accounts AS a ON a.id = p.account_id GROUP BY 1"
    )
    said = {row["kind"]: row["much"] for row in rows}
    fees = [order.commission() for order in orders]
    given_up = world.rows(
        "SELECT coalesce(sum(amount), 0) AS much FROM refunds WHERE state = 'given_up'"
    )[0]["much"]
    meant = {
        "commission": -sum((fee for fee, _ in fees), NOTHING),
        "commission_tax": -sum((tax for _, tax in fees), NOTHING),
        "expense": sum((order.platform_bears() for order in orders), NOTHING),
        "escrow": NOTHING,
        "refund_due": NOTHING,
        "unallocated": -given_up - sum(told.unclaimed.values()),
    }
    said["expense"] = said.get("expense_voucher", NOTHING) + said.get("expense_dispute", NOTHING)
    found = [
        f"{kind}: {said.get(kind, NOTHING)}, not {much}"
        for kind, much in meant.items()
        if said.get(kind, NOTHING) != much
    ]
    total = sum((much for kind, much in said.items() if kind != "expense"), NOTHING)
    return found + ([f"the books sum to {total}"] if total else [])


def _stock(told: Lives, orders: list[Order], at_first: int) -> list[str]:
    """The stock of each product, as anybody reads it."""
    back: Counter[int] = Counter()
    for order in orders:
        back.update(order.restocked)
    found = []
    for store in told.world.stores.values():
        for product in store.products:
            said = told.world.get(f"/api/products/{product}", "")["stock"]
            meant = at_first - told.ordered[product] + back[product]
            if said != meant:
                found.append(f"product {product} has {said}, not {meant}")
    return found


def _at_bank(world: World) -> list[str]:
    """What the provider itself has: all that came and has not gone back is in our books, and each refund went once."""
    if world.bank is None:
        return []
    books = world.bank.books()
    mine = [each for each in books.values() if each["currency"] == "IDR"]
    came = {
        each["order_id"]: Decimal(each["gross_amount"])
        for each in mine
        if each["transaction_status"] in CAME
    }
    back = {
        refund["refund_key"]: Decimal(refund["refund_amount"])
        for each in mine
        for refund in each.get("refunds", ())
    }
    said = world.rows(
        "SELECT coalesce(sum(p.amount), 0) AS much FROM ledger_postings AS p JOIN ledger_accounts AS a ON a.id = p.account_id"
        " WHERE a.kind = 'provider'"
    )[0]["much"]
    meant = sum(came.values(), NOTHING) - sum(back.values(), NOTHING)
    found = [f"the provider has {meant}, the books {said}"] if said != meant else []
    sent = world.rows("SELECT id, amount FROM refunds WHERE way = 'provider' AND state = 'done'")
    if {f"refund-{row['id']}": row["amount"] for row in sent} != back:
        found.append(f"{len(sent)} refunds were sent, the provider has {len(back)}")
    known = world.rows("SELECT our_reference FROM payments WHERE state = 'paid'")
    lost = {*came} - {row["our_reference"] for row in known}
    print(
        f"the provider: {len(books)} sessions, {len(came)} paid, {len(back)} refunds, {meant} left"
    )
    return found + [f"{len(lost)} payments that came are not known: {sorted(lost)[:3]}"] * bool(
        lost
    )
