"""A user of the first app."""

from conftest import PASSWORD, Api, User


def signed_in(api: Api, user: User) -> User:
    """The user on a phone with the first app: the token is its `auth_token`."""
    answer = api.post(
        "/api/auth/login", json={"email": user.email, "password": PASSWORD, "client_type": "mobile"}
    )
    assert answer.status_code == 200, answer.text
    return User({**answer.json, "access_token": answer.json["auth_token"]}, user.email)
