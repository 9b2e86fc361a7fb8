"""The cost of an import, beside a raw COPY of the same file and the row-by-row loop of the first
system.
"""

import tempfile
from pathlib import Path
from typing import Any

from marketplace.postgres import migrations
from marketplace.postgres.pool import Conn, Row
from marketplace.postgres.statements import named_sql, one
from tools.bench import databases, fill, import_costs
from tools.bench.catalogue_file import Written, write
from tools.bench.databases import Urls
from tools.bench.fill import Report
from tools.bench.import_costs import Cost

SQL = named_sql("imports", Path(__file__).parent)


def measure(urls: Urls, *, rows: int, orm_rows: int, bad: int, seed: int, report: Report) -> int:
    """Run everything once, on a fresh database; 1 if the import is not correct."""
    postmaster = import_costs.postmaster(urls.maker)
    databases.make_anew(urls)
    migrations.migrate(urls.owner, lambda line: None)
    with tempfile.TemporaryDirectory() as name, fill.connected(urls.owner) as conn:
        folder = Path(name)
        made = write(folder / "catalogue.csv", rows, seed, bad)
        report(
            f"{rows:,} rows, {made.path.stat().st_size / 2**20:,.0f} MB, {len(made.bad):,} of "
            "them bad"
        )
        sound = (
            write(folder / "sound.csv", rows, seed) if bad else made
        )  # COPY refuses a row with too many cells
        costs = {
            "COPY": import_costs.of_copy(urls.owner, sound),
            "ORM": import_costs.of_orm(urls.owner, sound.path, orm_rows),
        }
        store = one(conn, SQL["add_store"])["id"]
        costs["import"], first = import_costs.of_import(urls.owner, postmaster, folder, made, store)
        written = one(conn, SQL["written"])
        costs["again"], again = import_costs.of_import(urls.owner, postmaster, folder, made, store)
        _table(costs, report)
        _times({"import": first, "again": again}, report)
        verdicts = (
            _as_announced(conn, made, first, report),
            _all_there(made, first, written, report),
            _nothing_written(made, again, written, one(conn, SQL["written"]), report),
        )
    return 0 if all(verdicts) else 1


def _as_announced(conn: Conn, made: Written, said: dict[str, Any], report: Report) -> bool:
    """Return whether the import has reported the bad rows, those alone, each with its reason."""
    errors = conn.execute(SQL["errors"], {"import_id": said.get("id")}).fetchall()
    found = {row["line"]: row["code"] for row in errors}
    right = sum(found.get(line) == code for line, code in made.bad.items())
    report(
        f"bad rows: {len(found):,} reported, {right:,} of {len(made.bad):,} with the right reason"
    )
    return found == made.bad


def _all_there(made: Written, said: dict[str, Any], written: Row, report: Report) -> bool:
    """Return whether all other rows have become products."""
    good = made.rows - len(made.bad)
    report(f"import: {said.get('state')}, {written['products']:,} of {good:,} products are there")
    return said.get("state") == "done" and said["rows_created"] == written["products"] == good


def _nothing_written(
    made: Written, said: dict[str, Any], before: Row, after: Row, report: Report
) -> bool:
    """Return whether the same file changed nothing."""
    if said.get("state") != "done":
        report(f"again: {said.get('state')}")
        return False
    wrote = said["rows_created"] + said["rows_updated"]
    same = "as they were" if before == after else f"changed: {before} is now {after}"
    report(
        f"again: {wrote:,} rows written, {said['rows_unchanged']:,} unchanged; the products are "
        f"{same}"
    )
    return wrote == 0 and before == after and said["rows_unchanged"] == made.rows - len(made.bad)


def _table(costs: dict[str, Cost], report: Report) -> None:
    heads = (
        f"{'client':>8} {'database':>8} {'both':>8} {'rows/s':>9} {'s':>7} {'MB':>5} "
        f"{'backend MB':>10}"
    )
    report(f"{'us of CPU/row':13} {heads}")
    for name, cost in costs.items():
        spent = (
            f"{cost.client:8.1f} {cost.database:8.1f} {cost.cpu:8.1f} {cost.rate:9,.0f} "
            f"{cost.seconds:7.1f}"
        )
        memory = f" {cost.memory:5.0f} {cost.backend_memory:10.0f}" if cost.memory else ""
        report(f"{name:13} {spent}{memory}")
    first = costs["import"]
    report(f"CPU of the import by COPY: {first.cpu / costs['COPY'].cpu:.1f}")
    report(f"rows/s of the import by ORM: {first.rate / costs['ORM'].rate:.1f}")
    report(f"time of the import again by the first: {costs['again'].seconds / first.seconds:.3f}")


def _times(said: dict[str, dict[str, Any]], report: Report) -> None:
    """Print where the time went, by the imports' own counts; they wait if no worker runs."""
    for name, each in said.items():
        parts = [
            f"{what.removesuffix('_ms')} {ms / 1000:.1f} s"
            for what, ms in each.get("timings", {}).items()
            if ms
        ]
        report(f"{name}: {', '.join(parts) or 'it did not say'}")
