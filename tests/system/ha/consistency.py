"""Write, then read at another host: never stale with the Consistency-Token, and often answered
by the replica.
"""

import re
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from system.ha.hosts import DATABASE, Host
from system.ha.load import Client, seller
from system.ha.nodes import Cluster

THREADS = 4


class Pairs:
    """Pairs of a PATCH at one host and a GET at the other, half anonymous details, half the
    seller's listings.
    """

    def __init__(self, hosts: list[Host], name: str, *, with_token: bool) -> None:
        self.stale = 0
        self.made = 0
        self.wrong: list[str] = []
        self._hosts = hosts
        self._name = name
        self._with_token = with_token
        self._lock = threading.Lock()

    def run(self, number: int) -> "Pairs":
        """Make so many pairs, in four threads."""
        threads = [
            threading.Thread(target=self._some, args=(which, number // THREADS))
            for which in range(THREADS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self

    def _some(self, which: int, number: int) -> None:
        writer, reader = (Client(self._hosts[(which + turn) % 2]) for turn in (0, 1))
        token = seller(writer.host, f"{self._name}{which}")
        product = writer.call(
            "POST", "/api/products", {"name": f"{self._name} {which}", "price": "1"}, token
        ).json
        path = f"/api/products/{product['id']}"
        listing = f"/api/products?store_id={product['store']['id']}"
        for price in range(1000, 1000 + number):
            written = writer.call("PATCH", path, {"price": str(price)}, token)
            seen = written.headers.get("consistency-token", "")
            headers = {"Consistency_Token": seen} if self._with_token else {}
            signed_in = price % 2 == 0
            read = reader.call(
                "GET", listing if signed_in else path, None, token if signed_in else "", **headers
            )
            self._judge(written.status, seen, read.status, read.body, price)

    def _judge(self, written: int, seen: str, status: int, body: bytes, price: int) -> None:
        with self._lock:
            self.made += 1
            if status == 404:  # what was just made is not there yet
                self.stale += 1
            elif (written, status) != (200, 200) or not seen:
                self.wrong.append(f"PATCH {written}, token {seen!r}, GET {status} {body[:200]!r}")
            else:
                found = re.search(rb'"price": ?"(\d+)', body)
                self.stale += found is None or int(found[1]) != price


def read_by_replica(cluster: Cluster) -> int:
    """How many statements of the catalogue the replica has answered, as it says itself."""
    query = (
        "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query ~ '-- "
        "(products|listings)[.]'"
    )
    with cluster.replica.connect(DATABASE) as conn:
        found = conn.execute(query).fetchone()
    return int(found[0]) if found else 0


def counted(hosts: list[Host]) -> dict[str, int]:
    """What the hosts say of their public reads: by replica, by primary."""
    total: dict[str, int] = {}
    for host in hosts:
        with urllib.request.urlopen(f"http://127.0.0.1:{host.port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for server, number in re.findall(r'marketplace_reads_total\{server="(\w+)"\} (\S+)', text):
            total[server] = total.get(server, 0) + int(float(number))
    return total


@contextmanager
def pausing(cluster: Cluster) -> Iterator[None]:
    """Have the replica stop replaying for half a second, again and again: what a large vacuum or
    a slow disk does.
    """
    done = threading.Event()

    def pause() -> None:
        with cluster.replica.connect() as conn:
            while not done.is_set():
                conn.execute("SELECT pg_wal_replay_pause()")
                done.wait(0.5)
                conn.execute("SELECT pg_wal_replay_resume()")
                done.wait(0.05)

    thread = threading.Thread(target=pause)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def check(cluster: Cluster, hosts: list[Host], number: int) -> list[tuple[str, list[str]]]:
    """Each line that was measured, with what is wrong."""
    lines = [_pairs(cluster, hosts, number, "near", with_token) for with_token in (True, False)]
    with pausing(cluster):
        lines += [
            _pairs(cluster, hosts, number // 5, "late", with_token) for with_token in (True, False)
        ]
    return lines


def _pairs(
    cluster: Cluster, hosts: list[Host], number: int, when: str, with_token: bool
) -> tuple[str, list[str]]:
    before, said = read_by_replica(cluster), counted(hosts).get("replica", 0)
    how = "with" if with_token else "without"
    done = Pairs(hosts, f"{when}-{how}-", with_token=with_token).run(number)
    by_replica, told = read_by_replica(cluster) - before, counted(hosts).get("replica", 0) - said
    wrong = done.wrong[:3]
    if with_token and done.stale:
        wrong.append("stale reads in spite of the token")
    if by_replica == 0:
        wrong.append("the replica was not asked")
    if not with_token and when == "late" and not done.stale:
        wrong.append("nothing was stale, so this check shows nothing")
    title = (
        f"{done.made} write-then-read pairs {how} "
        f"token{', replica pausing' if when == 'late' else ''}"
    )
    return (
        f"{title}: {done.stale} stale, {told} reads by the replica ({by_replica} statements)",
        wrong,
    )
