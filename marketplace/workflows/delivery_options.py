"""An option of delivery together with its rates, and the bound on how many a store has."""

from collections.abc import Mapping
from typing import Any

from marketplace.contract.errors import invalid
from marketplace.postgres.pool import Conn, Row
from marketplace.queries import delivery_options

MOST = 100


def show(conn: Conn, store_id: int) -> list[Row]:
    """Return all options of a store with their rates."""
    options = delivery_options.of_store(conn, store_id)
    rates: dict[int, list[Row]] = {option["id"]: [] for option in options}
    for rate in delivery_options.rates(conn, store_id, list(rates)):
        rates[rate.pop("option_id")].append(rate)
    return [{**option, "rates": rates[option["id"]]} for option in options]


def add(conn: Conn, store_id: int, body: Mapping[str, Any]) -> Row:
    """Add an option with its rates."""
    _require_rates(body)
    _require_room(conn, store_id, body)
    option = delivery_options.add(conn, body, store_id=store_id)
    return _with_rates(conn, option, body, store_id)


def change(conn: Conn, store_id: int, before: Row, body: Mapping[str, Any]) -> Row | None:
    """Replace an option and its rates; None if it is not the store's."""
    _require_rates(body)
    if not before["active"]:
        _require_room(conn, store_id, body)
    option = delivery_options.change(conn, before["id"], body, store_id=store_id)
    return _with_rates(conn, option, body, store_id) if option else None


def _with_rates(conn: Conn, option: Row, body: Mapping[str, Any], store_id: int) -> Row:
    delivery_options.set_rates(conn, option["id"], body["rates"], store_id=store_id)
    rates = delivery_options.rates(conn, store_id, [option["id"]])
    return {**option, "rates": [{k: v for k, v in r.items() if k != "option_id"} for r in rates]}


def _require_rates(body: Mapping[str, Any]) -> None:
    """Refuse a table without rates, and rates that nobody would look at."""
    if body["pricing"] == "table" and not body["rates"]:
        raise invalid("/rates", "required", "a table needs at least one rate")
    if body["pricing"] != "table" and body["rates"]:
        raise invalid("/rates", "not_allowed", "rates are for a table alone")


def _require_room(conn: Conn, store_id: int, body: Mapping[str, Any]) -> None:
    delivery_options.take_turn(conn, store_id)
    if body["active"] and delivery_options.count(conn, store_id) >= MOST:
        raise invalid("", "too_many", "a store offers at most 100 ways of delivery")
