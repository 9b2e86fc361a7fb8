"""What can happen to a part of the system, while it is under load; and what must be true
afterwards.
"""

import os
import signal
import time
from collections.abc import Callable

from system.ha.hosts import DATABASE, Host
from system.ha.load import Load, Record, gap
from system.ha.nodes import Cluster, until

#: Seconds of load before and after.
CALM = 3


class Trial:
    """A system, and what is done to it."""

    def __init__(self, cluster: Cluster, hosts: list[Host], token: str) -> None:
        self.cluster = cluster
        self.hosts = hosts
        self.token = token

    def switchover(self) -> None:
        """An operator moves the primary."""
        self.cluster.switch_over()

    def primary_killed(self) -> None:
        """The primary's machine loses power, and comes back when another has taken over."""
        lost = self.cluster.primary
        lost.kill()
        self._taken_over(lost.name)
        lost.start()

    def primary_frozen(self) -> None:
        """The primary's machine stands still, and goes on when another has taken over."""
        lost = self.cluster.primary
        lost.freeze()
        self._taken_over(lost.name)
        time.sleep(CALM)
        lost.thaw()

    def replica_killed(self) -> None:
        """The replica's machine loses power for a while."""
        lost = self.cluster.replica
        lost.kill()
        time.sleep(15)
        lost.start()

    def replica_frozen(self) -> None:
        """The replica's machine stands still for longer than the primary waits for it."""
        lost = self.cluster.replica
        lost.freeze()
        time.sleep(20)
        lost.thaw()

    def pgbouncer_restarted(self) -> None:
        """PgBouncer of one host is stopped at once, and started."""
        os.kill(self.hosts[0].pid("pgbouncer"), signal.SIGTERM)
        time.sleep(0.3)
        self.hosts[0].kill("pgbouncer")
        self.hosts[0].start("pgbouncer")

    def haproxy_killed(self) -> None:
        """HAProxy of one host crashes, and is started."""
        self.hosts[0].kill("haproxy")
        self.hosts[0].start("haproxy")

    def host_killed(self) -> None:
        """An application host is killed; clients go to the other one."""
        self.hosts[1].kill("api")
        time.sleep(CALM)
        self.hosts[1].start("api")
        until("the host", self.hosts[1].ready, 60, self.cluster.logs)

    def _taken_over(self, lost: str) -> None:
        until(
            "another primary",
            lambda: any(
                node.role() in ("primary", "master")
                for node in self.cluster.nodes
                if node.name != lost
            ),
            90,
            self.cluster.logs,
        )


FAULTS: dict[str, Callable[[Trial], None]] = {
    "switchover": Trial.switchover,
    "primary killed": Trial.primary_killed,
    "primary frozen": Trial.primary_frozen,
    "replica killed": Trial.replica_killed,
    "replica frozen": Trial.replica_frozen,
    "pgbouncer restarted": Trial.pgbouncer_restarted,
    "haproxy killed": Trial.haproxy_killed,
    "host killed": Trial.host_killed,
}


def attempt(trial: Trial, name: str) -> tuple[str, list[str]]:
    """Let something happen under load: what was measured in one line, and what is wrong."""
    load = Load(trial.hosts, trial.token, name)
    with load.running() as record:
        time.sleep(CALM)
        started = time.monotonic()
        FAULTS[name](trial)
        trial.cluster.settle()
        whole = time.monotonic()
        time.sleep(CALM)
    ended = time.monotonic()
    rows = stored(trial.cluster, name)
    lost = [made for made in record.acknowledged if made not in rows]
    twice = [made for made, number in rows.items() if number > 1]
    unknown = [made for made in rows if made not in record.acknowledged]
    line = (
        f"{len(record.acknowledged)} writes acknowledged, {len(lost)} lost, {len(twice)} twice;"
        f" {len(record.refused)} answers 503, {sum(record.cut.values())} cut;"
        f" writes stood still {gap(record.written_at, started, ended):.1f} s,"
        f" reads {gap(record.read_at, started, ended):.1f} s; longest request "
        f"{record.longest:.1f} s;"
        f" all parts back after {whole - started:.0f} s"
    )
    wrong = [f"{len(lost)} acknowledged writes are lost: {lost[:3]}"] if lost else []
    wrong += [f"{len(twice)} are there twice: {twice[:3]}"] if twice else []
    wrong += [f"{len(unknown)} are there that nobody was told of: {unknown[:3]}"] if unknown else []
    return line, [*wrong, *_answers(record, name)]


def _answers(record: Record, name: str) -> list[str]:
    """What was wrong with answers: only a host that is killed may cut a connection."""
    wrong = (
        [f"{len(record.wrong)} wrong answers: {sorted(set(record.wrong))[:3]}"]
        if record.wrong
        else []
    )
    if record.never:
        wrong.append(f"{len(record.never)} writes did not come through at all: {record.never[:3]}")
    cut = {
        host: number
        for host, number in record.cut.items()
        if not (name == "host killed" and host == "app2")
    }
    if cut:
        wrong.append(f"connections were cut: {cut}")
    return wrong


def stored(cluster: Cluster, name: str) -> dict[str, int]:
    """How often each product of a trial is in the database."""
    with cluster.primary.connect(DATABASE) as conn:
        query = "SELECT name, count(*) FROM products WHERE name LIKE %s GROUP BY name"
        return dict(conn.execute(query, [f"ha {name} %"]).fetchall())
