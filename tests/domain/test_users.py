"""Profiles, avatars, and what admins do with users."""

from conftest import PASSWORD, Api
from support.images import picture
from support.responses import problem


def test_the_profile_is_read_edited_and_sent_back_as_it_came(api: Api):
    user = api.buyer()
    profile = api.get("/api/users/profile", user).json
    assert profile["created_at"].endswith("Z")

    answer = api.put(
        "/api/users/profile",
        user,
        json={**profile, "name": "Sari Dewi", "phone": "+62 812", "address": "Jl. Melati\n5"},
    )

    assert answer.status_code == 200, answer.text
    assert (answer.json["name"], answer.json["phone"], answer.json["address"]) == (
        "Sari Dewi",
        "+62 812",
        "Jl. Melati\n5",
    )
    assert answer.json["version"] == profile["version"] + 1


def test_a_new_address_needs_the_present_password_and_ends_other_devices(api: Api):
    user = api.buyer()
    other = api.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}).json[
        "access_token"
    ]
    body = {"name": "Sari", "email": "new@example.com"}

    problem(api.put("/api/users/profile", user, json=body), 422, "validation_failed")
    problem(
        api.put("/api/users/profile", user, json={**body, "current_password": "wrong one"}),
        422,
        "wrong_password",
    )
    answer = api.put("/api/users/profile", user, json={**body, "current_password": PASSWORD})

    assert answer.json["email"] == "new@example.com"
    assert (
        api.get("/api/users/profile", headers={"Authorization": f"Bearer {other}"}).status_code
        == 401
    )
    assert api.get("/api/users/profile", user).status_code == 200


def test_a_new_password_replaces_the_old_one(api: Api):
    user = api.buyer()
    new = "teh-melati-panas-sekali"
    body = {"name": "Sari", "password": new, "current_password": PASSWORD}

    assert api.put("/api/users/profile", user, json=body).status_code == 200
    problem(
        api.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}),
        401,
        "invalid_credentials",
    )
    assert (
        api.post("/api/auth/login", json={"email": user.email, "password": new}).status_code == 200
    )


def test_an_avatar_is_stored_in_its_sizes_and_removed(api: Api):
    user = api.buyer()
    answer = api.upload("/api/users/upload-avatar", user, [("avatar", "me", picture())])

    assert answer.status_code == 200, answer.text
    avatar = answer.json["avatar"]
    assert {size["name"] for size in avatar["variants"]} == {"thumb", "small", "large"}
    path = avatar["url"].removeprefix("http://falconframework.org")
    served = api.get(path)
    assert served.status_code == 200
    assert served.content[:4] == b"RIFF"
    assert api.get("/api/users/profile", user).json["avatar"] == avatar

    assert api.delete("/api/users/avatar", user).status_code == 204
    assert api.get("/api/users/profile", user).json["avatar"] is None


def test_an_avatar_that_is_no_picture_is_refused_by_name(api: Api):
    answer = api.upload(
        "/api/users/upload-avatar", api.buyer(), [("avatar", "me.jpg", b"GIF89a not a picture")]
    )

    found = problem(answer, 422, "picture_refused")
    assert "me.jpg" in found["errors"][0]["message"]


def test_admins_find_users_by_part_of_name_or_address(api: Api):
    admin, user = api.admin(), api.register("buyer", "Ratna Wulandari")
    answer = api.get("/api/users", admin, params={"search": "wulanDARI"})

    assert [found["id"] for found in answer.json["users"]] == [user.id]
    assert answer.json["total_items"] == 1
    problem(api.get("/api/users", user), 403, "forbidden")


def test_suspending_bites_at_the_next_request(api: Api):
    admin, user = api.admin(), api.buyer()
    answer = api.patch(f"/api/users/{user.id}", admin, json={"suspended": True})

    assert answer.json["suspended"] is True
    problem(api.get("/api/users/profile", user), 401, "invalid_token")
    problem(
        api.post("/api/auth/login", json={"email": user.email, "password": PASSWORD}),
        401,
        "invalid_credentials",
    )


def test_a_change_of_role_bites_at_the_next_request(api: Api):
    admin, seller = api.admin(), api.seller()
    assert api.get("/api/stores/mine", seller).status_code == 200

    assert (
        api.patch(f"/api/users/{seller.id}", admin, json={"role": "buyer"}).json["role"] == "buyer"
    )
    problem(api.get("/api/stores/mine", seller), 403, "forbidden")


def test_nobody_becomes_admin_through_the_api(api: Api):
    admin, user = api.admin(), api.buyer()

    problem(
        api.patch(f"/api/users/{user.id}", admin, json={"role": "admin"}), 422, "validation_failed"
    )
    assert (
        api.put("/api/users/profile", user, json={"name": "x", "role": "admin"}).json["role"]
        == "buyer"
    )
    problem(api.patch(f"/api/users/{admin.id}", admin, json={"suspended": True}), 403, "forbidden")
