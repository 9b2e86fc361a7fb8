"""The audit trail as an admin reads it."""

from typing import Any

from conftest import Api, User


def trail(api: Api, admin: User, query: str = "") -> list[dict[str, Any]]:
    return api.get(f"/api/audit?per_page=100&{query}", admin).json["audit"]


def newest(api: Api, admin: User, query: str = "") -> dict[str, Any]:
    return trail(api, admin, query)[0]


def told(entry: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(entry[name] for name in ("action", "type", "before", "after"))
