"""The client's address has one spelling, and nobody is without one."""

from dataclasses import replace

import pytest
from conftest import Api

from marketplace.config.checked import proxies
from marketplace.config.env import ConfigError
from marketplace.config.rate_limits import parsed
from marketplace.web.client import address

SPELLINGS = {
    "198.51.100.7": "198.51.100.7",
    "198.51.100.7:51234": "198.51.100.7",
    " 198.51.100.7 ": "198.51.100.7",
    "2001:DB8::1": "2001:db8::1",
    "[2001:db8::1]": "2001:db8::1",
    "[2001:db8::1]:443": "2001:db8::1",
    '"[2001:db8::1]:443"': "2001:db8::1",
    "fe80::1%eth0": "fe80::1",
    "[fe80::1%eth0]:80": "fe80::1",
    "::ffff:203.0.113.5": "203.0.113.5",
    "::FFFF:cb00:7105": "203.0.113.5",
    "[::ffff:203.0.113.5]:99": "203.0.113.5",
    "::ffff:0:203.0.113.5": "203.0.113.5",
    "::203.0.113.5": "203.0.113.5",
    "64:ff9b::203.0.113.5": "203.0.113.5",
    "::1": "::1",
    "::": "::",
}
UNREADABLE = (
    "", "unknown", "_hidden", "unix:", "198.51.100", "999.1.1.1", "01.2.3.4", "１.2.3.4",
    "1.2.3.4:999999", "1.2.3.4:x", "[::1", "::1]", "a" * 5000, "1.2.3.4 5.6.7.8", "1.2.3.4/8",
)  # fmt: skip


@pytest.mark.parametrize("text", SPELLINGS)
def test_an_address_has_one_spelling(text: str):
    assert address(text) == SPELLINGS[text]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_address_is_none(text: str):
    assert address(text) is None


def left(api: Api, peer: str, forwarded: str | None = None) -> int:
    """What is left of a limit by address behind one more use; KeyError if it was not counted."""
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    answer = api.post(
        "/api/auth/login",
        json={"email": "tidak.ada@example.com", "password": "salah-salah-salah"},
        headers=headers,
        extras={"REMOTE_ADDR": peer},
    )
    return int(answer.headers["ratelimit"].partition("r=")[2].partition(";")[0])


@pytest.fixture
def behind(api: Api) -> Api:
    limits = parsed("sign-in=1/1000")
    config = replace(
        api.config,
        rate_limits=limits,
        trusted_proxies=proxies("unix 10.0.0.0/8 127.0.0.1 fd00::/8"),
    )
    return Api(config, api.db, api.owner_url)


def test_each_spelling_counts_as_the_same_client(behind: Api):
    spellings = ("203.0.113.9", "203.0.113.9:1234", "::ffff:203.0.113.9", "[::FFFF:203.0.113.9]:1")
    assert [left(behind, "127.0.0.1", text) for text in spellings] == [999, 998, 997, 996]


def test_all_of_ipv4_is_not_one_network(behind: Api):
    for shape in ("::ffff:198.18.0.{}", "64:ff9b::198.18.1.{}", "::198.18.2.{}"):
        assert [left(behind, "127.0.0.1", shape.format(n)) for n in (1, 2)] == [999, 999]
    assert [left(behind, "127.0.0.1", f"2001:db8::{n}") for n in (1, 2)] == [999, 998]


@pytest.mark.parametrize("text", ["unknown", "_hidden", "198.51.100", "", None])
def test_what_a_proxy_wrote_unreadably_counts_as_the_proxy(behind: Api, text: str | None):
    assert left(behind, "10.1.2.3", text) == 999
    assert left(behind, "10.1.2.3", text) == 998


def test_a_unix_socket_without_an_address_is_counted_too(behind: Api):
    assert [left(behind, "", text) for text in (None, "unknown")] == [999, 998]
    assert left(behind, "", "203.0.113.8") == 999


def test_a_chain_of_trusted_proxies_leads_to_the_first_that_is_not(behind: Api):
    assert left(behind, "10.0.0.1", "1.1.1.1, 203.0.113.7, 10.9.9.9, fd00::1") == 999
    assert left(behind, "127.0.0.1", "203.0.113.7") == 998
    assert left(behind, "10.0.0.1", "2.2.2.2, unknown, 10.5.5.5") == 999
    assert left(behind, "10.0.0.1", "10.5.5.5") == 998


def test_a_mapped_peer_is_a_trusted_proxy(behind: Api):
    assert left(behind, "::ffff:127.0.0.1", "203.0.113.6") == 999
    assert left(behind, "127.0.0.1", "203.0.113.6") == 998


def test_who_is_not_trusted_chooses_no_address(behind: Api):
    assert left(behind, "203.0.113.4", "198.51.100.1") == 999
    assert left(behind, "203.0.113.4", "198.51.100.2") == 998


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("unix,127.0.0.1", ("unix", "127.0.0.1/32")),
        ("127.0.0.0/8 [::1]", ("127.0.0.0/8", "::1/128")),
        ("::ffff:10.0.0.0/104", ("10.0.0.0/8",)),
        ("10.1.2.3/8", ("10.0.0.0/8",)),
    ],
)
def test_trusted_proxies_are_networks(text: str, expected: tuple[str, ...]):
    assert proxies(text) == expected


@pytest.mark.parametrize(
    "text", ["localhost", "nginx", "10.0.0.0/33", "10.0.0", "unix:/run/x", "*"]
)
def test_a_proxy_that_can_never_match_is_refused(text: str):
    with pytest.raises(ConfigError, match="TRUSTED_PROXIES"):
        proxies(text)
