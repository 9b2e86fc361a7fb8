"""The life of an order as a state machine: everybody does anything at any time, over HTTP, and
timers run. After each step the invariants hold, and `can` tells exactly what succeeds.
"""

import itertools
from typing import Any

from conftest import Api, User
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from marketplace.workflows import order_timers
from support.orders import Desk

ACTIONS = (
    *("cancel", "confirm", "accept", "ship", "cancel_lines", "refuse_cancel"),
    *("delivered", "returned"),
)
PARTIES = ("buyer", "seller", "admin")
DEADLINES = ("accept_at", "ship_by", "cancel_by", "deliver_by", "complete_at")
ENDS = ("completed", "cancelled")
#: A number that no order and no parcel has.
NONE = 4611686018427387904
_numbers = itertools.count(1)


class People:
    """Who meets around the orders of one store; made once for many lives."""

    def __init__(self, api: Api) -> None:
        self.api = api
        self.desk = Desk(api)
        self.users = {
            "buyer": self.desk.buyer,
            "seller": self.desk.seller,
            "admin": self.desk.admin,
        }
        self.strangers = (self.desk.another().seller, api.buyer())
        self.products = [self.desk.product(1000) for _ in range(3)]

    def sql(self, text: str) -> None:
        """A savepoint, or back to one."""
        self.api.db.conn.execute(text, prepare=False)  # type: ignore[attr-defined]


def lives(people: People) -> type[RuleBasedStateMachine]:
    """Return the machine for these people."""

    class Life(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            people.sql("SAVEPOINT life")

        def teardown(self) -> None:
            people.sql("ROLLBACK TO SAVEPOINT life")
            people.sql("RELEASE SAVEPOINT life")

        @initialize(
            method=st.sampled_from(["transfer", "cod", "platform", "unpaid"]),
            pieces=st.lists(st.integers(1, 3), min_size=1, max_size=3),
        )
        def place(self, method: str, pieces: list[int]) -> None:
            """Place an order; cash at the door goes to the store, or to the platform's courier."""
            desk = people.desk
            wanted = list(zip(people.products, pieces, strict=False))
            self.order = desk.order(*wanted, method="cod" if method == "platform" else method)
            if method == "platform":
                desk.change(
                    "UPDATE orders SET cod_collector = 'platform' WHERE id = %s", self.order
                )

        @rule(
            party=st.sampled_from(PARTIES), action=st.sampled_from(ACTIONS), turn=st.integers(0, 9)
        )
        def somebody_acts(self, party: str, action: str, turn: int) -> None:
            """Somebody tries something, whether it can be or not."""
            answer = self.act(people.users[party], self.page(people.users[party]), action, turn)
            assert answer.status_code in (200, 403, 404, 409), answer.text

        @rule(party=st.sampled_from(PARTIES), turn=st.integers(0, 9))
        def somebody_does_what_can_be_done(self, party: str, turn: int) -> None:
            """Somebody does one of the things that the page offers."""
            user = people.users[party]
            page = self.page(user)
            able = [action for action in page["can"] if action in ACTIONS]
            if able:
                answer = self.act(user, page, able[turn % len(able)], turn)
                assert answer.status_code == 200, answer.text

        @rule(deadline=st.sampled_from(DEADLINES))
        def time_passes(self, deadline: str) -> None:
            """A deadline of the order is over; the worker moves what is due, twice: once is enough."""
            desk = people.desk
            with desk.owner() as conn:
                conn.execute(
                    f"UPDATE orders SET {deadline} = now() - interval '1 second'"  # noqa: S608
                    f" WHERE id = %s AND {deadline} IS NOT NULL",
                    [self.order],
                )
                order_timers.run(people.api.db)
                assert order_timers.run(people.api.db) == 0

        @rule(action=st.sampled_from(ACTIONS), which=st.integers(0, 1), turn=st.integers(0, 9))
        def a_stranger_acts(self, action: str, which: int, turn: int) -> None:
            """The order of others is not there, whatever one tries with it."""
            stranger = people.strangers[which]
            page = self.page(people.users["admin"])
            refused = (403, 404) if stranger.store_id is None else (404,)
            assert self.act(stranger, page, action, turn).status_code in refused
            for path in ("", "/invoice"):
                assert (
                    people.api.get(f"/api/orders/{self.order}{path}", stranger).status_code == 404
                )

        @invariant()
        def nothing_is_broken(self) -> None:
            assert people.desk.broken() == []

        @rule(party=st.sampled_from(PARTIES), turn=st.integers(0, 9))
        def the_page_tells_what_succeeds(self, party: str, turn: int) -> None:
            """What is in `can` changes the order; what is not is refused by name, with the stage and
            what would be possible, or is so already and changes nothing.
            """
            user = people.users[party]
            page = self.page(user)
            for action in ACTIONS:
                people.sql("SAVEPOINT tried")
                answer = self.act(user, page, action, turn)
                told = answer.json
                people.sql("ROLLBACK TO SAVEPOINT tried")
                people.sql("RELEASE SAVEPOINT tried")
                about = f"{action} by {party} of {page['stage']}: {answer.text[:300]}"
                if action in page["can"]:
                    assert answer.status_code == 200, about
                    assert told["version"] > page["version"], about
                elif answer.status_code == 200:
                    assert told["version"] == page["version"], about
                elif answer.status_code == 409:
                    assert (told["stage"], told["can"]) == (page["stage"], page["can"]), about
                else:
                    assert answer.status_code in (403, 404), about

        def page(self, user: User) -> dict[str, Any]:
            answer = people.api.get(f"/api/orders/{self.order}", user)
            assert answer.status_code == 200, answer.text
            return answer.json

        def act(self, user: User, page: dict[str, Any], action: str, turn: int) -> Any:
            """Do something with the order; the response."""
            path, body = self.call_of(page, action, turn)
            headers = {"Idempotency-Key": f"life-{next(_numbers)}"}
            options = {} if body is None else {"json": body}
            url = f"/api/orders/{self.order}/{path}"
            return people.api.post(url, user, headers=headers, **options)

        def call_of(
            self, page: dict[str, Any], action: str, turn: int
        ) -> tuple[str, dict[str, Any] | None]:
            """Return path and body of an action: of a line that has pieces left, of a parcel that
            is on its way, if there is one.
            """
            left = {
                line["id"]: line["quantity"] - line["cancelled"] - line["shipped"]
                for line in page["lines"]
            }
            some = [line for line, pieces in left.items() if pieces] or list(left)
            lines = [{"line_id": some[turn % len(some)], "quantity": 1}]
            parcels = [each["id"] for each in page["shipments"] if each["state"] == "shipped"]
            others = [each["id"] for each in page["shipments"]] or [NONE]
            there = parcels or others
            parcel = there[turn % len(there)]
            outcome = ("refused", "undeliverable", "lost")[turn % 3]
            in_parts = turn % 2 and sum(left.values()) > 1 and not page["cod"]
            return {
                "cancel": ("cancel", {"reason": "too_slow"}),
                "confirm": ("confirm", None),
                "accept": ("accept", None),
                "ship": ("ship", {"lines": lines} if in_parts else {}),
                "cancel_lines": ("cancel", {"lines": lines, "reason": "out_of_stock"}),
                "refuse_cancel": ("refuse-cancel", None),
                "delivered": (f"shipments/{parcel}/delivered", None),
                "returned": (
                    f"shipments/{parcel}/returned",
                    {"outcome": outcome, "sellable": turn % 2 == 0},
                ),
            }[action]

    return Life
