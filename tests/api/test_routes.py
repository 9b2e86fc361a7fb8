"""Who may make which call."""

from conftest import Api
from support.calls import EXPECTED, declared, make_every_call_as_every_role
from support.responses import problem


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
