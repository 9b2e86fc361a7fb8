"""Turns what deploy/ ships into files for this machine: other addresses, ports, paths and
passwords, nothing else.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from marketplace.config.settings import ROOT

DEPLOY = ROOT / "deploy"


class Address(NamedTuple):
    """Where a PostgreSQL node listens: its own port, and Patroni's."""

    postgres: int
    patroni: int


def rendered(name: str, replacements: Mapping[str, str]) -> str:
    """A shipped file with these words replaced, in this order. Raises LookupError where one is
    not in it.
    """
    text = (DEPLOY / name).read_text(encoding="utf-8")
    for shipped, here in replacements.items():
        if shipped not in text:
            raise LookupError(f"deploy/{name} has no {shipped!r} any more")
        text = text.replace(shipped, here)
    return text


def etcd(folder: Path, client: int, peer: int) -> dict[str, str]:
    """etcd's environment: one member instead of three."""
    text = rendered(
        "ha/etcd.env",
        {
            ",etcd2=http://10.0.0.12:2380,etcd3=http://10.0.0.13:2380": "",
            "10.0.0.11:2380": f"127.0.0.1:{peer}",
            "10.0.0.11:2379": f"127.0.0.1:{client}",
            "/var/lib/etcd/marketplace": f"{folder}/etcd",
        },
    )
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def patroni(
    folder: Path, name: str, at: Address, etcd_port: int, bin_dir: Path, password: str
) -> str:
    """A node's patroni.yml."""
    return rendered(
        "ha/patroni.yml",
        {
            "name: node1": f"name: {name}",
            "10.0.0.11:2379,10.0.0.12:2379,10.0.0.13:2379": f"127.0.0.1:{etcd_port}",
            "10.0.0.11:8008": f"127.0.0.1:{at.patroni}",
            "10.0.0.11:5432": f"127.0.0.1:{at.postgres}",
            "10.0.0.0/24": "127.0.0.1/32",
            "/var/lib/postgresql/18/marketplace": f"{folder}/{name}/data",
            "/usr/lib/postgresql/18/bin": str(bin_dir),
            "/var/lib/postgresql/.pgpass-patroni": f"{folder}/{name}/pgpass",
            "/var/run/postgresql": f"{folder}/{name}",
            # who runs this has another name
            "local all postgres peer": "local all postgres scram-sha-256",
            "shared_buffers: 4GB": "shared_buffers: 256MB",
            "mode: automatic": "mode: 'off'",  # this machine is not to be restarted
            "CHANGE-ME": password,
        },
    )


def haproxy(nodes: Mapping[str, Address], primary: int, replicas: int) -> str:
    """An application machine's haproxy.cfg."""
    replacements = {
        "    log /dev/log local0 notice\n": "    log stderr format raw local0 notice\n",
        "127.0.0.1:5000": f"127.0.0.1:{primary}",
        "127.0.0.1:5001": f"127.0.0.1:{replicas}",
    }
    for (name, at), host in zip(nodes.items(), ("10.0.0.11", "10.0.0.12"), strict=True):
        shipped = f"server {name} {host}:5432 check port 8008"
        replacements[shipped] = f"server {name} 127.0.0.1:{at.postgres} check port {at.patroni}"
    return rendered("ha/haproxy.cfg", replacements)


def pgbouncer(folder: Path, port: int, primary: int) -> str:
    """An application machine's pgbouncer.ini."""
    return rendered(
        "pgbouncer/pgbouncer.ini",
        {
            "listen_port = 6432": f"listen_port = {port}",
            "port=5000": f"port={primary}",
            "/var/log/postgresql/pgbouncer.log": f"{folder}/pgbouncer.log",
            "/var/run/postgresql/pgbouncer.pid": f"{folder}/pgbouncer.pid",
            "/etc/pgbouncer/userlist.txt": f"{folder}/userlist.txt",
        },
    )
