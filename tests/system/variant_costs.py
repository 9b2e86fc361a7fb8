"""What variants cost who reads: lists, single products and the change feed, beside an earlier release.

    PYTHONPATH=.:tests .venv/bin/python tests/system/variant_costs.py [--products 1000000] [--against v0.1.0]

Two generated shops of the same products stand on one server: one is made by the earlier release from its tag, in the
other one product in twenty has twelve variants. pgbench sends the statements that each release was observed to send for
the same requests, one release right after the other, and the CPU of PostgreSQL is compared. Ends with 1 where a ratio
is above its limit. `--keep` leaves both databases, and takes them as they are if they are there.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from marketplace.config.settings import ROOT
from marketplace.postgres.databases import drop
from tools.bench import databases, fill, samples, yardstick
from tools.bench.catalogue import WITH_VARIANTS
from tools.bench.databases import Urls
from tools.bench.samples import Samples

BEFORE, NOW = "marketplace_bench_before", "marketplace_bench_variants"
#: Kind of request -> how much more it may cost than before, application and PostgreSQL together.
LIMITS = {"list": 1.05, "one product": 1.2, "one with variants": 1.6, "feed": 1.6}
KINDS = 8  # few: pgbench plans each for each connection
#: Run in the folder of each release: fills an empty database.
MAKE = """
import sys
try:
    from marketplace.postgres import migrations
except ImportError:
    from marketplace import migrations
from tools.bench import fill
from tools.bench.catalogue import Catalogue
migrations.migrate(sys.argv[1], lambda line: None)
fill.fill(sys.argv[1], Catalogue(int(sys.argv[2]), 1), print)
"""
#: And then: the paths come in, the scripts of pgbench go out.
OVERHEAR = """
import json, sys
import psycopg
try:
    from marketplace.config import settings
except ImportError:
    from marketplace import config as settings
from tools.bench import yardstick
kinds = json.load(sys.stdin)
config = settings.load(pool_size=1)
with psycopg.connect(config.database_url) as conn:
    made = {
        kind: [yardstick.script(conn, sent) for sent in yardstick.overhear(config, paths)]
        for kind, paths in kinds.items()
    }
json.dump(made, sys.stdout)
"""
#: And this: the paths come in, microseconds of the application's CPU a request go out.
SERVE = """
import json, sys, time
import falcon.testing
from marketplace.app import create_app
try:
    from marketplace.config import settings
    from marketplace.postgres.database import Database
except ImportError:
    from marketplace import config as settings
    from marketplace.db import Database
kinds = json.load(sys.stdin)
config = settings.load(pool_size=1)
db = Database(config)
app = create_app(config, db)

def serve(path):
    where, _, query = path.partition("?")
    environ = falcon.testing.create_environ(where, query_string=query)
    before = time.process_time()
    answer = app(environ, lambda status, headers, failure=None: None)
    b"".join(answer)
    return time.process_time() - before

for paths in kinds.values():
    for path in paths * 20:
        serve(path)
used = {kind: sum(serve(path) for path in paths * 60) / len(paths) / 60 * 1e6 for kind, paths in kinds.items()}
db.close()
json.dump(used, sys.stdout)
"""
Scripts = dict[str, list[str]]


def main() -> int:
    """Make what is missing, measure, print the ratios; 1 if one is above its limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--against", default="v0.1.0", help="tag of the earlier release")
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    program = yardstick.pgbench()
    if program is None:
        print("There is no pgbench here.")
        return 1
    with databases.served(NOW) as now, released(args.against) as tree:
        before = Urls(now.maker, on(now.owner, BEFORE), on(now.api, BEFORE))
        shops = {NOW: (now, ROOT), BEFORE: (before, tree)}
        for name, (urls, folder) in shops.items():
            if not (args.keep and is_there(urls, name, args.products)):
                make(folder, urls, name, args.products)
        with fill.connected(now.owner) as conn:
            asked = requests(samples.load(conn), args.products)
        heard = {name: overheard(folder, urls, asked) for name, (urls, folder) in shops.items()}
        found = measure(program, shops, heard, asked, seconds=args.seconds, rounds=args.rounds)
        if not args.keep:
            with psycopg.connect(now.maker, autocommit=True) as maker:
                for name in shops:
                    drop(maker, name)
    return report(found)


@contextmanager
def released(tag: str) -> Iterator[Path]:
    """The files of a release in a folder of their own."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "release.tar"
        subprocess.run(["git", "-C", str(ROOT), "archive", "-o", str(packed), tag], check=True)
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        packed.unlink()
        yield Path(folder)


def on(url: str, name: str) -> str:
    """The same login for another database."""
    return make_conninfo("", **{**conninfo_to_dict(url), "dbname": name})


def is_there(urls: Urls, name: str, products: int) -> bool:
    """Whether the database is there, and filled with so many products."""
    with psycopg.connect(urls.maker) as conn:
        found = conn.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            [name],
        ).fetchone()
    return found == (f"{products} products",)


def make(folder: Path, urls: Urls, name: str, products: int) -> None:
    """Make the database anew, by a release."""
    databases.make_anew(urls)
    in_release(folder, urls, "-c", MAKE, urls.owner, str(products))
    with psycopg.connect(urls.maker, autocommit=True) as conn:
        about = sql.SQL("COMMENT ON DATABASE {} IS {}")
        conn.execute(about.format(sql.Identifier(name), sql.Literal(f"{products} products")))


def in_release(folder: Path, urls: Urls, *command: str, sent: str = "") -> str:
    """Run Python in the folder of a release, on its shop; what it prints."""
    env = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "DATABASE_URL": urls.api,
        "MIGRATE_DATABASE_URL": urls.owner,
    }
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, input=sent, text=True, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    return done.stdout


def requests(known: Samples, products: int) -> dict[str, list[str]]:
    """The paths that are asked for, by kind; both shops have these categories and ids."""
    step = max(products // KINDS // WITH_VARIANTS, 1) * WITH_VARIANTS
    with_variants = [step * (place + 1) for place in range(KINDS) if step * (place + 1) <= products]
    return {
        "list": ["/api/products"]
        + [
            f"/api/products?category_id={category['id']}&page={1 + place % 5}"
            for place, category in enumerate(known.categories[:KINDS])
        ],
        "one product": [f"/api/products/{number - 1}" for number in with_variants],
        "one with variants": [f"/api/products/{number}" for number in with_variants],
        "feed": ["/api/changes?types=products"],
    }


def overheard(folder: Path, urls: Urls, asked: dict[str, list[str]]) -> Scripts:
    """The transactions that a release sends for the requests, by kind."""
    said = in_release(folder, urls, "-c", OVERHEAR, sent=json.dumps(asked))
    heard: Scripts = json.loads(said[said.index("{") :])
    return heard


def measure(
    program: str,
    shops: dict[str, tuple[Urls, Path]],
    heard: dict[str, Scripts],
    asked: dict[str, list[str]],
    *,
    seconds: int,
    rounds: int,
) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Microseconds of CPU a request (application, PostgreSQL), by kind and shop, a pair a round; the first round warms up."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {
        kind: {name: [] for name in shops} for kind in LIMITS
    }
    for number in range(rounds + 1):
        turn = list(shops.items()) if number % 2 else list(shops.items())[::-1]
        served = {name: serve(folder, urls, asked) for name, (urls, folder) in turn}
        for kind, taken in found.items():
            for name, (urls, _) in turn:
                with fill.connected(urls.owner) as conn, written(heard[name][kind]) as files:
                    spent = yardstick.run(program, conn, urls.api, files, seconds if number else 1)
                if number:
                    taken[name].append((served[name][kind], spent.cpu))
    return found


def serve(folder: Path, urls: Urls, asked: dict[str, list[str]]) -> dict[str, float]:
    """Microseconds that a release's application takes for a request, by kind."""
    said = in_release(folder, urls, "-c", SERVE, sent=json.dumps(asked))
    used: dict[str, float] = json.loads(said[said.index("{") :])
    return used


@contextmanager
def written(scripts: Sequence[str]) -> Iterator[list[Path]]:
    """The transactions as files."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.sql" for number in range(len(scripts))]
        for file, text in zip(files, scripts, strict=True):
            file.write_text(text, encoding="utf-8")
        yield files


def report(found: dict[str, dict[str, list[tuple[float, float]]]]) -> int:
    """Print a line a kind; 1 if one costs too much more."""
    worse = 0
    for kind, taken in found.items():
        ratios = sorted(
            sum(now) / sum(old) for now, old in zip(taken[NOW], taken[BEFORE], strict=True)
        )
        ratio = statistics.median(ratios)
        worse += ratio > LIMITS[kind]
        said = " ".join(
            f"{name} {statistics.median(app for app, _ in taken[shop]):.0f} + "
            f"{statistics.median(pg for _, pg in taken[shop]):.0f} us,"
            for name, shop in (("before", BEFORE), ("now", NOW))
        )
        print(
            f"{kind}: {said} {ratio:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), at most {LIMITS[kind]}"
        )
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
