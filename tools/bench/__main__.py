"""python -m tools.bench data [--products N] [--seed S]"""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

import psycopg
from psycopg import sql

from marketplace.config import settings
from marketplace.config.env import ConfigError
from marketplace.postgres import migrations
from marketplace.postgres.database import Database
from marketplace.postgres.embedded.server import EmbeddedError
from marketplace.postgres.pool import Conn
from marketplace.postgres.roles import MigrationError
from marketplace.postgres.statements import one
from tools.bench import (
    calls,
    creation,
    databases,
    fill,
    load,
    placing,
    rounds,
    samples,
    selling,
    servers,
    shapes,
    shop,
    worst,
    yardstick,
)
from tools.bench.catalogue import Catalogue


def main(arguments: list[str]) -> int:
    """Run the command that the first argument names. Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    data = commands.add_parser("data", help="make the generated shop anew")
    data.add_argument("--products", type=int, default=1_000_000)
    data.add_argument("--seed", type=int, default=1)
    data.add_argument("--database", default=databases.NAME)
    data.set_defaults(run=make_data)
    bench = commands.add_parser("run", help="measure what serving the generated shop costs")
    bench.add_argument("--seconds", type=float, default=2.0)
    bench.add_argument("--rounds", type=int, default=3)
    bench.add_argument("--seed", type=int, default=1)
    bench.add_argument("--database", default=databases.NAME)
    bench.set_defaults(run=run_bench)
    python = commands.add_parser("calls", help="measure what calls cost in Python, in one process")
    python.add_argument("--beside", type=Path, help="another checkout, measured in turns with this")
    python.add_argument("--rounds", type=int, default=25)
    python.add_argument("--only", default="", help="the names of some calls, with commas")
    python.add_argument("--database", default=databases.NAME)
    python.set_defaults(run=measure_calls)
    search = commands.add_parser(
        "worst", help="look for the public request that costs the database most"
    )
    search.add_argument("--requests", type=int, default=4000)
    search.add_argument("--seed", type=int, default=1)
    search.add_argument("--database", default=databases.NAME)
    search.set_defaults(run=find_worst)
    importing = commands.add_parser("imports", help="measure what importing a file costs")
    importing.add_argument("--rows", type=int, default=1_000_000)
    importing.add_argument("--orm-rows", type=int, default=3_000)
    importing.add_argument("--bad", type=int, default=0)
    importing.add_argument("--seed", type=int, default=1)
    importing.add_argument("--database", default="marketplace_bench_import")
    importing.set_defaults(run=run_imports)
    trade = commands.add_parser("selling", help="make a trade of many orders anew")
    trade.add_argument("--orders", type=int, default=1_000_000)
    trade.add_argument("--database", default=selling.NAME)
    trade.set_defaults(run=make_trade)
    lists = commands.add_parser("lists", help="measure the lists of that trade, and its proof")
    lists.add_argument("--database", default=selling.NAME)
    lists.set_defaults(run=measure_trade)
    verbs = commands.add_parser("placing", help="measure placing and paying beside their floors")
    verbs.add_argument("--calls", type=int, default=1000)
    verbs.add_argument("--rounds", type=int, default=3)
    verbs.add_argument("--database", default=placing.NAME)
    verbs.set_defaults(run=measure_placing)
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (
        ConfigError,
        EmbeddedError,
        MigrationError,
        servers.StartError,
        psycopg.OperationalError,
    ) as error:
        print(str(error).strip(), file=sys.stderr)
        return 1


def make_data(args: argparse.Namespace) -> int:
    """Drop the database, make and fill it, and print its contents."""
    started = time.monotonic()
    with databases.served(args.database) as urls:
        databases.make_anew(urls)
        migrations.migrate(urls.owner, lambda line: None)
        fill.fill(urls.owner, Catalogue(args.products, args.seed), print)
        with fill.connected(urls.owner) as conn:
            for row in fill.sizes(conn):
                print(f"  {row['name']:20} {row['bytes'] / 2**20:8,.0f} MB")
            said = f"{args.products} products, seed {args.seed}"
            about = sql.SQL("COMMENT ON DATABASE {} IS {}")
            conn.execute(about.format(sql.Identifier(args.database), sql.Literal(said)))
    print(f"{args.database}: {said}, in {time.monotonic() - started:.0f} s")
    return 0


def make_trade(args: argparse.Namespace) -> int:
    """Drop the database of the trade, make and fill it, and print its contents."""
    started = time.monotonic()
    with databases.served(args.database) as urls:
        databases.make_anew(urls)
        migrations.migrate(urls.owner, lambda line: None)
        selling.fill(urls.owner, args.orders, print)
        with fill.connected(urls.owner) as conn:
            for row in fill.sizes(conn):
                print(f"  {row['name']:20} {row['bytes'] / 2**20:8,.0f} MB")
    print(f"{args.database}: {args.orders} orders, in {time.monotonic() - started:.0f} s")
    return 0


def measure_trade(args: argparse.Namespace) -> int:
    """Print what each list costs, and how long the proof takes; 1 where a list or a sum is bad."""
    with databases.served(args.database) as urls:
        slow = selling.measure(urls.owner, print)
        broken = selling.prove(urls.owner, print)
    return 1 if slow or broken else 0


def measure_placing(args: argparse.Namespace) -> int:
    """Print what placing and paying cost in a database of their own; 1 where it is too much."""
    with databases.served(args.database) as urls:
        databases.make_anew(urls)
        migrations.migrate(urls.owner, lambda line: None)
        above = placing.measure(urls.owner, urls.api, print, calls=args.calls, rounds=args.rounds)
    print(f"above what passes: {', '.join(above)}" if above else "all pass")
    return 1 if above else 0


def run_bench(args: argparse.Namespace) -> int:
    """Start the servers, drive them, print the table."""
    with databases.served(args.database) as urls, fill.connected(urls.owner) as conn:
        config = settings.load(database_url=urls.api, pool_size=1, secret_keys=(shop.new_key(),))
        print(f"{args.database}: {databases.described(urls)}; {machine(conn)}")
        known = samples.load(conn)
        with shop.kept(conn), load.clients() as clients, servers.running(config) as running:
            db = Database(config)
            seller = shop.sign_in(conn, db, config, known.stores[0]["id"])
            made = shapes.build(known, running[0].port, seller.token, args.seed)
            heard = yardstick.overhear(
                config, [load.path(request) for request in made[shapes.LISTING]]
            )
            with yardstick.scripts(conn, heard) as files:
                bench = rounds.Bench(conn, urls.api, clients, running, yardstick.pgbench(), files)
                results = bench.run(made, seconds=args.seconds, rounds=args.rounds)
            cost = creation.measure(db, config, seller, known)
            db.close()
    rounds.table(results, print)
    rounds.ratios(results, cost, print)
    return 0


def measure_calls(args: argparse.Namespace) -> int:
    """Print what each call costs in Python, and in that of another checkout."""
    with databases.served(args.database) as urls, fill.connected(urls.owner) as conn:
        config = settings.load(database_url=urls.api, pool_size=1, secret_keys=(shop.new_key(),))
        print(f"{args.database}: {databases.described(urls)}; {machine(conn)}")
        known = samples.load(conn)
        with shop.kept(conn):
            db = Database(config)
            seller = shop.sign_in(conn, db, config, known.stores[0]["id"])
            db.close()
            shop.fill_cart(conn, seller, known)
            made = calls.build(known, seller.token, args.only)
            calls.measure(config, made, print, beside=args.beside, rounds=args.rounds)
    return 0


def run_imports(args: argparse.Namespace) -> int:
    """Import a generated file, and again, beside COPY and the loop of an ORM."""
    from tools.bench import imports  # needs SQLAlchemy, which the others do without

    with databases.served(args.database) as urls:
        return imports.measure(
            urls, rows=args.rows, orm_rows=args.orm_rows, bad=args.bad, seed=args.seed, report=print
        )


def machine(conn: Conn) -> str:
    """Print the machine that the numbers were measured on."""
    version = one(conn, shop.SQL["version"])["version"]
    python, busy = platform.python_version(), os.getloadavg()[0]
    return f"PostgreSQL {version}, Python {python}, {os.cpu_count()} CPUs, load {busy:.1f}"


def find_worst(args: argparse.Namespace) -> int:
    """Send random requests and print those that cost the database most; 1 if one
    is over the limit.
    """
    with databases.served(args.database) as urls:
        print(f"{args.database}: {databases.described(urls)}")
        with fill.connected(urls.owner) as conn:
            known = samples.load(conn)
        config = settings.load(database_url=urls.api, pool_size=1)
        found = worst.search(config, known, requests=args.requests, seed=args.seed)
    return 1 if worst.report(found, print) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
