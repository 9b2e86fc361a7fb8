"""The floors of the house, and who may make which call."""

import ast
from pathlib import Path

from conftest import Api
from support.calls import EXPECTED, declared, make_every_call_as_every_role
from support.responses import problem

from marketplace.config import ROOT


def test_every_call_is_in_the_list_with_who_may_make_it(api: Api):
    assert declared(api) == EXPECTED


def test_each_role_may_do_what_the_list_says_and_nothing_else(api: Api):
    make_every_call_as_every_role(api)


def test_categories_and_brands_are_also_below_products(api: Api):
    admin = api.admin()
    for noun in ("categories", "brands"):
        body = {"name": "Kopi", **({"parent_id": None} if noun == "categories" else {})}
        made = api.post(f"/api/products/{noun}", admin, json=body).json
        path = f"/api/products/{noun}/{made['id']}"
        assert api.get(path).json == api.get(f"/api/{noun}/{made['id']}").json
        assert api.get(f"/api/products/{noun}").json == api.get(f"/api/{noun}").json
        assert api.put(path, admin, json={**body, "name": "Teh"}).json["name"] == "Teh"
        assert api.patch(path, admin, json={"name": "Susu"}).json["name"] == "Susu"
        assert api.delete(path, admin).status_code == 204
        problem(api.get(path), 404, "not_found")


def imports_of(path: Path) -> set[str]:
    """Modules of ours that a file names in its imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("marketplace"):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_no_floor_reaches_up_or_sideways():
    package = ROOT / "marketplace"
    forbidden = {
        "queries": (
            "marketplace.queries.",
            "marketplace.workflows",
            "marketplace.resources",
            "marketplace.app",
        ),
        "workflows": ("marketplace.resources", "marketplace.app", "falcon"),
        "resources": ("marketplace.resources.", "marketplace.app"),
        "schemas": ("marketplace.queries", "marketplace.workflows", "marketplace.resources"),
    }
    for floor, names in forbidden.items():
        for path in (package / floor).glob("*.py"):
            for module in imports_of(path):
                assert not module.startswith(names), f"{floor}/{path.name} imports {module}"
