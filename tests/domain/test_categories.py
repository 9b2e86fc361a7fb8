"""The tree of categories: reading it, and what admins change of it."""

from concurrent.futures import ThreadPoolExecutor

from conftest import Api, User
from support.responses import problem


def add(api: Api, admin: User, name: str, parent_id: int | None = None) -> int:
    answer = api.post("/api/categories", admin, json={"name": name, "parent_id": parent_id})
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def tree(api: Api) -> list:
    """The tree as (name, children) pairs."""

    def shape(nodes: list) -> list:
        return [(node["name"], shape(node["children"])) for node in nodes]

    return shape(api.get("/api/categories").json["categories"])


def path(api: Api, category_id: int) -> list[str]:
    return [step["name"] for step in api.get(f"/api/categories/{category_id}").json["path"]]


def test_the_tree_is_public_and_sorted_by_name(api: Api):
    admin = api.admin()
    food = add(api, admin, "makanan")
    add(api, admin, "Elektronik")
    add(api, admin, "Kopi", food)
    add(api, admin, "Bumbu", food)

    assert tree(api) == [("Elektronik", []), ("makanan", [("Bumbu", []), ("Kopi", [])])]
    node = api.get("/api/products/categories").json["categories"][0]
    assert set(node) == {"id", "name", "slug", "parent_id", "product_count", "children"}
    assert (node["slug"], node["parent_id"], node["product_count"]) == ("elektronik", None, 0)


def test_a_new_category_answers_where_it_is_and_what_is_above_it(api: Api):
    admin = api.admin()
    food = add(api, admin, "Makanan & Minuman")
    answer = api.post("/api/categories", admin, json={"name": "Kopi", "parent_id": food})

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/api/categories/{answer.json['id']}"
    category = api.get(answer.headers["Location"]).json
    assert category == answer.json
    assert category["path"] == [{"id": food, "name": "Makanan & Minuman"}]
    assert (category["children"], category["version"], category["slug"]) == ([], 1, "kopi")
    children = api.get(f"/api/products/categories/{food}").json["children"]
    assert children == [{"id": category["id"], "name": "Kopi", "slug": "kopi", "product_count": 0}]
    assert (
        api.get("/api/users/activities", admin).json["activities"][0]["type"] == "create_category"
    )


def test_only_admins_change_categories(api: Api):
    category = add(api, api.admin(), "Buku")
    seller = api.seller()
    for user, status in ((None, 401), (api.buyer(), 403), (seller, 403)):
        body = {"name": "Buku Anak", "parent_id": None}
        assert api.post("/api/categories", user, json=body).status_code == status
        assert api.put(f"/api/categories/{category}", user, json=body).status_code == status
        assert api.delete(f"/api/categories/{category}", user).status_code == status


def test_what_is_not_there_is_a_404_and_a_parent_that_is_not_there_a_422(api: Api):
    admin = api.admin()
    for answer in (
        api.get("/api/categories/999999"),
        api.put("/api/categories/999999", admin, json={"name": "A", "parent_id": None}),
        api.delete("/api/categories/999999", admin),
        api.delete("/api/categories/999999", admin, params={"move_to": 999998}),
    ):
        problem(answer, 404, "not_found")
    answer = api.post("/api/categories", admin, json={"name": "A", "parent_id": 999999})
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/parent_id"


def test_a_name_stands_once_below_a_parent_without_regard_to_case(api: Api):
    admin = api.admin()
    food = add(api, admin, "Makanan")
    add(api, admin, "Kopi", food)
    problem(api.post("/api/categories", admin, json={"name": "MAKANAN"}), 409, "category_exists")
    answer = api.post("/api/categories", admin, json={"name": "kopi", "parent_id": food})
    problem(answer, 409, "category_exists")
    assert add(api, admin, "Kopi")


def test_a_put_asks_for_the_parent_so_that_none_is_lost_by_forgetting(api: Api):
    admin = api.admin()
    answer = api.put(f"/api/categories/{add(api, admin, 'Buku')}", admin, json={"name": "B"})
    errors = problem(answer, 422, "validation_failed")["errors"]
    assert errors == [{"pointer": "/parent_id", "code": "required", "message": "is required"}]


def test_a_category_is_read_edited_and_sent_back_as_it_came(api: Api):
    admin = api.admin()
    food = add(api, admin, "Makanan")
    coffee = add(api, admin, "Kopi", food)
    before = api.get(f"/api/categories/{coffee}").json
    answer = api.put(f"/api/categories/{coffee}", admin, json={**before, "name": "Kopi & Teh"})

    assert answer.status_code == 200, answer.text
    assert (answer.json["name"], answer.json["slug"], answer.json["version"]) == (
        "Kopi & Teh",
        "kopi-teh",
        2,
    )
    assert answer.json["parent_id"] == food


def test_a_category_moves_with_all_below_it(api: Api):
    admin = api.admin()
    food, drink = add(api, admin, "Makanan"), add(api, admin, "Minuman")
    coffee = add(api, admin, "Kopi", food)
    beans = add(api, admin, "Biji", coffee)
    add(api, admin, "Arabika", beans)
    answer = api.put(f"/api/categories/{coffee}", admin, json={"name": "Kopi", "parent_id": drink})

    assert answer.json["path"] == [{"id": drink, "name": "Minuman"}]
    assert path(api, beans) == ["Minuman", "Kopi"]
    assert tree(api) == [("Makanan", []), ("Minuman", [("Kopi", [("Biji", [("Arabika", [])])])])]
    api.put(f"/api/categories/{coffee}", admin, json={"name": "Kopi", "parent_id": None})
    assert path(api, beans) == ["Kopi"]


def test_a_category_does_not_move_into_its_own_subtree(api: Api):
    admin = api.admin()
    food = add(api, admin, "Makanan")
    coffee = add(api, admin, "Kopi", food)
    for parent in (food, coffee):
        answer = api.put(
            f"/api/categories/{food}", admin, json={"name": "Makanan", "parent_id": parent}
        )
        assert problem(answer, 422, "validation_failed")["errors"][0]["code"] == "in_own_subtree"


def test_the_tree_is_at_most_eight_deep(api: Api):
    admin = api.admin()
    parent = None
    chain = [parent := add(api, admin, f"Tingkat {n}", parent) for n in range(8)]
    answer = api.post("/api/categories", admin, json={"name": "9", "parent_id": chain[-1]})
    problem(answer, 422, "validation_failed")
    top = add(api, admin, "Atas")
    answer = api.put(
        f"/api/categories/{chain[0]}", admin, json={"name": "Tingkat 0", "parent_id": top}
    )
    assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/parent_id"


def test_an_unused_category_goes(api: Api):
    admin = api.admin()
    category = add(api, admin, "Buku")
    assert api.delete(f"/api/categories/{category}", admin).status_code == 204
    problem(api.get(f"/api/categories/{category}"), 404, "not_found")


def test_a_used_category_stays_unless_what_is_in_it_moves(api: Api):
    admin = api.admin()
    food, coffee, drink = (
        add(api, admin, "Makanan"),
        add(api, admin, "Kopi"),
        add(api, admin, "Minuman"),
    )
    snacks = add(api, admin, "Camilan", food)
    crisps = add(api, admin, "Keripik", snacks)
    product = api.product(api.seller(), category_id=food)
    problem(api.delete(f"/api/categories/{food}", admin), 409, "category_in_use")
    for target in (crisps, food, 999999):
        answer = api.delete(f"/api/categories/{food}", admin, params={"move_to": target})
        assert problem(answer, 422, "validation_failed")["errors"][0]["pointer"] == "/move_to"

    assert (
        api.delete(f"/api/categories/{food}", admin, params={"move_to": drink}).status_code == 204
    )

    assert tree(api) == [("Kopi", []), ("Minuman", [("Camilan", [("Keripik", [])])])]
    assert path(api, crisps) == ["Minuman", "Camilan"]
    rows = api.db.conn.execute(
        "SELECT category_id, version FROM products WHERE id = %s", [product["id"]]
    )
    assert rows.fetchone() == {"category_id": drink, "version": product["version"] + 1}
    done = api.get("/api/users/activities", admin).json["activities"][0]
    assert (done["type"], done["related_name"]) == ("delete_category", "Makanan")
    assert done["details"] == {"move_to": drink, "products": 1}
    problem(api.delete(f"/api/categories/{drink}", admin), 409, "category_in_use")
    assert api.delete(f"/api/categories/{coffee}", admin).status_code == 204


def test_children_that_meet_their_own_name_are_refused(api: Api):
    admin = api.admin()
    food, drink = add(api, admin, "Makanan"), add(api, admin, "Minuman")
    add(api, admin, "Kopi", food)
    add(api, admin, "Kopi", drink)
    problem(
        api.delete(f"/api/categories/{food}", admin, params={"move_to": drink}),
        409,
        "category_exists",
    )


def test_twins_make_one_category(committed: Api):
    admin = committed.admin()

    def post(_: int) -> int:
        return committed.post("/api/categories", admin, json={"name": "Kopi"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(post, range(8))) == [201] + [409] * 7
    assert tree(committed) == [("Kopi", [])]


def test_moves_at_the_same_time_leave_every_path_true(committed: Api):
    admin = committed.admin()
    tops = [add(committed, admin, f"Atas {n}") for n in range(4)]
    middle = [add(committed, admin, f"Tengah {n}", tops[n]) for n in range(4)]

    def move(n: int) -> int:
        if n % 3 == 0:
            body = {"name": f"Bawah {n}", "parent_id": middle[n % 4]}
            return committed.post("/api/categories", admin, json=body).status_code
        body = {"name": f"Tengah {n % 4}", "parent_id": tops[(n * 7) % 4]}
        return committed.put(f"/api/categories/{middle[n % 4]}", admin, json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = set(pool.map(move, range(48)))
    assert statuses == {200, 201}
    with committed.db.read(0) as conn:
        rows = conn.execute("SELECT id, parent_id, path FROM categories").fetchall()
    paths = {row["id"]: row["path"] for row in rows}
    for row in rows:
        assert row["path"] == [*paths.get(row["parent_id"], []), row["id"]]
