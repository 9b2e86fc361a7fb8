"""What each part costs: CPU of a request with and without HAProxy, PgBouncer and a replica, on
the same machine.
"""

import threading
import time
from collections.abc import Callable

import psutil

from system.ha.hosts import Host
from system.ha.load import Client
from system.ha.nodes import Cluster, until

#: Connections that send, one request after the other each.
SENDERS = 2


def variants(cluster: Cluster, host: Host) -> dict[str, dict[str, str]]:
    """Settings by what is in between."""
    primary = cluster.primary.at.postgres
    direct = {
        "DATABASE_URL": host.url("marketplace_api", primary),
        "DATABASE_POOLER": "",
        "DATABASE_REPLICA_URL": "",
    }
    balanced = {**direct, "DATABASE_URL": host.url("marketplace_api", host.primary)}
    replica = {"DATABASE_REPLICA_URL": host.url("marketplace_api", host.replicas)}
    pooled = {
        **direct,
        "DATABASE_URL": host.url("marketplace_api", host.pooler),
        "DATABASE_POOLER": "transaction",
    }
    return {
        "PostgreSQL alone": direct,
        "HAProxy": balanced,
        "HAProxy, PgBouncer": pooled,
        "HAProxy, replica": {**balanced, **replica},
        "HAProxy, PgBouncer, replica": {**pooled, **replica},
    }


def measure(
    cluster: Cluster, hosts: list[Host], token: str, number: int, say: Callable[[str], None]
) -> None:
    """Say what a listing, a product and a write cost, in microseconds of CPU by part."""
    host = hosts[0]
    hosts[1].kill("api")
    say("Microseconds of CPU for a request, by part:")
    say(
        f"{'':28} {'request':8} {'req/s':>6} {'app':>6} {'pgb':>5} {'hap':>5} {'primary':>8} "
        f"{'replica':>8}"
    )
    product = Client(host).call("GET", "/api/products?per_page=1").json["products"][0]["id"]
    requests: dict[str, tuple[str, str, dict[str, str] | None]] = {
        "listing": ("GET", "/api/products", None),
        "detail": ("GET", f"/api/products/{product}", None),
        "create": ("POST", "/api/products", {"name": "Kopi", "price": "5"}),
    }
    for title, settings in variants(cluster, host).items():
        host.kill("api")
        host.settings = {**host.settings, **settings}
        host.start("api")
        until("the API", host.ready, 30, cluster.logs)
        for name, request in requests.items():
            _send(host, request, token, number // 5)
            before, started = spent(cluster, host), time.monotonic()
            _send(host, request, token, number)
            seconds = time.monotonic() - started
            each = [
                1e6 * (after - earlier) / number
                for earlier, after in zip(before, spent(cluster, host), strict=True)
            ]
            say(
                f"{title:28} {name:8} {number / seconds:6.0f} {each[0]:6.0f} {each[1]:5.0f} "
                f"{each[2]:5.0f}"
                f" {each[3]:8.0f} {each[4]:8.0f}"
            )


def spent(cluster: Cluster, host: Host) -> list[float]:
    """Seconds of CPU so far: application, PgBouncer, HAProxy, the primary's PostgreSQL, the
    replica's.
    """
    roots = [psutil.Process(host.pid(name)) for name in ("api", "pgbouncer", "haproxy")]
    servers = [node.server() for node in (cluster.primary, cluster.replica)]
    return [_tree(root) if root is not None else 0.0 for root in (*roots, *servers)]


def _tree(root: psutil.Process) -> float:
    times = root.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in root.children(recursive=True):
        with_children = child.cpu_times()
        total += with_children.user + with_children.system
    return float(total)


def _send(
    host: Host, request: tuple[str, str, dict[str, str] | None], token: str, number: int
) -> None:
    def some() -> None:
        client = Client(host)
        method, path, document = request
        for _ in range(number // SENDERS):
            answer = client.call(method, path, document, token if document else "")
            if answer.status not in (200, 201):
                raise SystemExit(f"{method} {path}: {answer}")

    threads = [threading.Thread(target=some) for _ in range(SENDERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
