"""The bench: every shape of request on every server, round after round, and its cost."""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from marketplace.ops.progress import Progress
from marketplace.postgres.pool import Conn
from tools.bench import processes, servers, shop, yardstick
from tools.bench.creation import Cost
from tools.bench.load import Connection, Load, get
from tools.bench.servers import Server
from tools.bench.shapes import CREATE, DEEP_NAME, DETAIL, FIRST, HELLO, LISTING, Shapes

BARE = "hello, bare server"
#: What prototype.py serves too, by the name of the shape that the application serves.
PROTOTYPE = {LISTING: "listing, prototype", DETAIL: "detail, prototype"}
WARM = 0.3  # seconds
CREATES = 0.3  # of the seconds of the others: there are fewer of them


class Measured(NamedTuple):
    """Microseconds of CPU a request (application's and PostgreSQL's), requests a second,
    milliseconds; refusals.
    """

    app: float
    database: float
    rate: float
    p50: float
    p99: float
    refused: float


class Results(NamedTuple):
    """By server and shape: a measure a round. By server: megabytes of the workers, of their parent
    process. The result of pgbench right after the listing; shapes that were left out, and why.
    """

    measured: dict[tuple[str, str], list[Measured]]
    memory: dict[str, tuple[float, float]]
    pgbench: dict[str, list[yardstick.Spent]]
    left_out: dict[str, str]

    def median(self, server: str, shape: str) -> Measured:
        """Return the median of each number, over the rounds."""
        return Measured(
            *(
                statistics.median(column)
                for column in zip(*self.measured[server, shape], strict=True)
            )
        )


class Bench(NamedTuple):
    """The subject of the measurement, and its tools. `program` is pgbench, `files` its scripts."""

    conn: Conn
    url: str
    load: Load
    running: Sequence[Server]
    program: str | None
    files: Sequence[Path]

    def run(self, shapes: Shapes, *, seconds: float, rounds: int) -> Results:
        """Drive every shape for so many seconds on every server, in each of the rounds."""
        left_out = self._left_out(shapes)
        offered = {name: requests for name, requests in shapes.items() if name not in left_out}
        results = Results({}, {}, {}, left_out)
        bare = [(PROTOTYPE[name], offered[name]) for name in PROTOTYPE if name in offered]
        driven = [(BARE, [get("/")]), *bare, *offered.items()]
        with Progress("measurements", (rounds + 1) * len(self.running) * len(driven)) as bar:
            for number in range(rounds + 1):  # the first is for warming up
                for server in self.running:
                    for name, requests in driven:
                        if number:
                            self._add(results, server, name, requests, seconds)
                        else:
                            self._measure(server, name, requests, WARM)
                        bar.add(1)
        for server in self.running:
            results.memory[server.name] = (
                processes.memory(servers.workers(server.pid)), processes.memory([server.pid])
            )  # fmt: skip
        return results

    def _add(
        self, results: Results, server: Server, name: str, requests: Sequence[bytes], seconds: float
    ) -> None:
        """Measure a shape; pgbench right after the listing, so that both see the same machine."""
        one = self._measure(
            server, name, requests, CREATES * seconds if name == CREATE else seconds
        )
        results.measured.setdefault((server.name, name), []).append(one)
        if name == LISTING and self.program:
            yard = yardstick.run(
                self.program, self.conn, self.url, self.files, max(1, round(seconds))
            )
            results.pgbench.setdefault(server.name, []).append(yard)

    def _measure(
        self, server: Server, name: str, requests: Sequence[bytes], seconds: float
    ) -> Measured:
        bare = name == BARE
        port, root = server.port, server.pid
        if bare:
            port, root = server.hello_port, server.hello_pid
        elif name in PROTOTYPE.values():
            port, root = server.bare_port, server.bare_pid
        app, database = self._used(root)
        done = self.load.drive(port, requests, seconds)
        app_after, database_after = self._used(root)
        times = sorted(done.times)
        count = len(times)
        return Measured(
            processes.spent(app, app_after) / count,
            0.0 if bare else processes.spent(database, database_after) / count,
            count / done.seconds,
            times[count // 2],
            times[count * 99 // 100],
            done.refused,
        )

    def _used(self, root: int) -> tuple[dict[int, float], dict[int, float]]:
        return processes.cpu(processes.tree(root)), processes.cpu(shop.backends(self.conn))

    def _left_out(self, shapes: Shapes) -> dict[str, str]:
        """Return shapes that the application refuses, with its response."""
        found = {}
        connection = Connection(self.running[0].port)
        for name, requests in shapes.items():
            answer = connection.ask(requests[0])
            if answer.status >= 400:
                found[name] = f"{answer.status} {answer.body[:200].decode(errors='replace')}"
        connection.close()
        return found


def table(results: Results, say: Callable[[str], None]) -> None:
    """Print medians, a line a shape and a block a server."""
    names = dict.fromkeys(server for server, _ in results.measured)
    for server in names:
        say(f"\n{server:24}   app us    pg us      req/s   p50 ms   p99 ms")
        for other, shape in results.measured:
            if other == server:
                one = results.median(server, shape)
                cpu, times = f"{one.app:8.0f} {one.database:8.0f}", f"{one.p50:8.2f} {one.p99:8.2f}"
                refused = f"   {one.refused:.0f} refused" if one.refused else ""
                say(f"{shape:24} {cpu} {one.rate:10.0f} {times}{refused}")
        workers, above = results.memory[server]
        say(
            f"memory (PSS): {workers:.0f} MB for {servers.WORKERS} workers, {above:.0f} MB for "
            "the process above them"
        )
    for shape, why in results.left_out.items():
        say(f"\nleft out: {shape}: {why}")


def ratios(results: Results, cost: Cost, say: Callable[[str], None]) -> None:
    """Print the ratios that the project is measured by."""
    for server in dict.fromkeys(server for server, _ in results.measured):
        listing, hello = results.median(server, LISTING), results.median(server, HELLO)
        say(f"\n{server}")
        say(f"  listing above hello, application: {listing.app - hello.app:.0f} us")
        for shape, prototype in PROTOTYPE.items():
            if (server, prototype) in results.measured:
                whole, bare = results.median(server, shape), results.median(server, prototype)
                say(f"  {shape} by the bare prototype, both: "
                    f"{(whole.app + whole.database) / (bare.app + bare.database):.2f}")  # fmt: skip
        pgbench = results.pgbench.get(server)
        if not pgbench:
            say("  there is no pgbench here to hold the listing against")
        else:
            yard = statistics.median(spent.cpu for spent in pgbench)
            each = ", ".join(
                f"{one.database / spent.cpu:.2f}"
                for one, spent in zip(results.measured[server, LISTING], pgbench, strict=True)
            )
            say(
                f"  listing by pgbench, PostgreSQL: {listing.database / yard:.2f} ({yard:.0f} "
                f"us; by round {each})"
            )
        if (server, DEEP_NAME) in results.measured:
            deep, first = results.median(server, DEEP_NAME), results.median(server, FIRST)
            say(f"  page 10,000 by page 1, PostgreSQL: {deep.database / first.database:.2f}, "
                f"both: {(deep.app + deep.database) / (first.app + first.database):.2f}")  # fmt: skip
    say("\ncreating a product with what reads need of it by without, both: "
        f"{cost.with_document / cost.without:.2f} "
        f"({cost.with_document:.0f} us, {cost.without:.0f} us)")  # fmt: skip
