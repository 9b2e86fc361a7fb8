"""The staged rows of an import on their way into the catalogue, a batch at a time.

With `skip_bad` a batch is two short transactions, so that no buyer waits: first products, images
and documents, then stock, which is locked before products everywhere. With `atomic` all batches are
one transaction, which locks the stock that it will change first. A dry run only reads.

Rows that are variants (workflows/import_variants.py) come first; the others are products by
themselves, and are applied here.
"""

import time
from collections.abc import Sequence
from typing import Any

from marketplace.postgres.pool import Conn
from marketplace.queries import documents, import_changes, import_rows, imports
from marketplace.queries.import_changes import Change
from marketplace.queries.import_rows import Batch, Matched, Stocked, WrongRow
from marketplace.workflows import import_variants, product_documents
from marketplace.workflows.import_work import (
    APPLY_ROWS,
    LOOK_ROWS,
    OVERTAKEN,
    TOLD_IMAGES,
    Count,
    Found,
    Unsettled,
    Work,
    act,
    change_stock,
    found_wrong,
    hold,
    milliseconds_since,
    refuse,
    refuse_all,
    settle_groups,
    settle_names,
    tell,
)
from marketplace.workflows.product_documents import Interrupted

#: New categories and brands that a dry run names.
NAMED = 100
#: How often rows are tried again that others have overtaken.
TRIES = 50


def apply_in_batches(work: Work) -> None:
    """Apply the staged rows to the catalogue, or count what that would do."""
    for _ in range(TRIES):
        settle_groups(work)
        try:
            import_variants.apply(work)
            return _apply_plain(work)
        except Unsettled:
            if work.dry_run:  # what was counted is counted anew
                raise Interrupted from None
    raise RuntimeError(f"import {work.id} was overtaken {TRIES} times")


def _apply_plain(work: Work) -> None:
    after_line = 0
    while True:
        if work.stopping():
            raise Interrupted
        try:
            batch = _look(work, after_line) if work.dry_run else _apply(work, after_line)
        except OVERTAKEN as error:
            raise Unsettled from error
        except Found as found:
            refuse(work, found)
            continue
        if batch is None:
            return
        after_line = batch.last_line


def apply_at_once(work: Work) -> None:
    """Apply all staged rows to the catalogue in one transaction, or none of them."""
    for _ in range(TRIES):
        settle_groups(work)
        try:
            return _apply_all(work)
        except (Unsettled, *OVERTAKEN):
            continue
        except Found as found:
            refuse(work, found)
            refuse_all(work)
    raise RuntimeError(f"import {work.id} was overtaken {TRIES} times")


def _look(work: Work, after_line: int) -> Batch | None:
    """Count what the next rows would do."""
    with work.db.working() as conn:
        hold(conn, work)
        batch, ahead = _next(conn, work, after_line, LOOK_ROWS)
        if batch is None:
            imports.keep_plan(conn, work.id, import_rows.new_things(conn, work.id, NAMED))
            return None
        met = _met(conn, batch)
        count = _counted(work, met, created=ahead["rows_ahead"] - len(met.met))
        _note_changes(conn, work, batch, met)
        imports.count_applied(conn, work.id, **count._asdict(), locked_ms=None)
    return batch


def _apply(work: Work, after_line: int) -> Batch | None:
    """Apply the next rows: products in one transaction, stock in another."""
    with work.db.working() as conn:
        hold(conn, work)
        act(conn, work)
        batch, ahead = _next(conn, work, after_line, APPLY_ROWS)
        if batch is None:
            return None
        started = time.monotonic()
        met, count = _write(conn, work, batch, ahead)
        later = [] if work.on_match == "skip" else met.stocked
        if later:
            import_rows.settle(conn, work.id, later)
        import_rows.end_batch(conn, batch, keep=later)
        imports.count_applied(
            conn, work.id, **count._asdict(), locked_ms=milliseconds_since(started)
        )
    if later:
        _write_stock(work, batch, met)
    return batch


def _write_stock(work: Work, batch: Batch, met: Matched) -> None:
    with work.db.working() as conn:
        hold(conn, work)
        act(conn, work)
        started = time.monotonic()
        change_stock(conn, work, batch, _stocked(met))
        import_rows.end_batch(conn, batch, keep=[])
        imports.count_applied(
            conn, work.id, **Count()._asdict(), locked_ms=milliseconds_since(started)
        )


def _stocked(met: Matched) -> list[Stocked]:
    pairs = zip(met.stocked, met.stocked_ids, strict=True)
    return [Stocked(line, product_id, 0) for line, product_id in pairs]


def _apply_all(work: Work) -> None:
    """Apply all rows. Another connection records progress meanwhile; the import is locked last, so
    that it can be cancelled.
    """
    with work.db.working() as conn:
        act(conn, work)
        started = time.monotonic()
        if work.on_match == "update":
            import_rows.lock_stock_ahead(conn, work.id, work.store_id)
        count, after_line = import_variants.apply_all(conn, work), 0
        while True:
            if work.stopping():
                raise Interrupted
            batch, ahead = _next(conn, work, after_line, APPLY_ROWS)
            if batch is None:
                break
            met, more = _write(conn, work, batch, ahead)
            if met.stocked and work.on_match == "update":
                wrong = import_rows.change_stock(conn, batch, _stocked(met))
                if wrong:
                    raise found_wrong(work.id, wrong)
            count, after_line = count.plus(more), batch.last_line
            tell(work, more)
        hold(conn, work)
        imports.count_anew(conn, work.id, **count._asdict(), locked_ms=milliseconds_since(started))
        import_rows.clear(conn, work.id)


def _next(
    conn: Conn, work: Work, after_line: int, limit: int
) -> tuple[Batch | None, dict[str, Any]]:
    ahead = import_rows.next_batch(conn, work.id, after_line=after_line, limit=limit)
    if ahead["last_line"] is None:
        return None, ahead
    return Batch(
        work.id, work.store_id, after_line, ahead["last_line"], work.default_stock, work.fields
    ), ahead


def _met(conn: Conn, batch: Batch) -> Matched:
    """Match the batch with products. Raises Unsettled for rows of products that have variants by
    now, and Found for rows whose keys match several products, for those that are wrong, and for
    those that match none and lack what a new one needs.
    """
    met = import_rows.match(conn, batch)
    if met.varied:
        raise Unsettled
    if met.conflicts:
        raise Found(
            lambda later: import_rows.refuse_conflicts(later, batch.import_id, met.conflicts)
        )
    if met.wrong:
        raise found_wrong(batch.import_id, _wrong(met))
    if met.incomplete:
        raise Found(
            lambda later: import_rows.refuse_incomplete(later, batch.import_id, met.incomplete)
        )
    return met


def _wrong(met: Matched) -> list[WrongRow]:
    found = zip(met.wrong, met.wrong_codes, met.wrong_stock, strict=True)
    return [
        import_rows.unseen(line, there)
        if code == "precondition_failed"
        else import_rows.too_low(line)
        for line, code, there in found
    ]


def _write(conn: Conn, work: Work, batch: Batch, ahead: dict[str, Any]) -> tuple[Matched, Count]:
    """Write products, images and documents of a batch; return its matches, and the outcome of its
    rows.
    """
    met = _met(conn, batch)
    if work.on_match == "update" and (met.changed or met.pictures):
        documents.lock(conn, sorted({*met.changed_ids, *met.pictures_ids}))
        met = _met(conn, batch)  # what others have written until the lock was granted
    new = ahead["rows_ahead"] > len(met.met)
    if new or (work.on_match == "update" and met.changed):
        settle_names(
            conn,
            work,
            batch,
            has_categories=ahead["has_categories"],
            has_brands=ahead["has_brands"],
        )
    _note_changes(conn, work, batch, met, before=ahead["settled"])
    product_ids = import_rows.add_products(conn, batch, met.met) if new else []
    if product_ids:
        documents.add(conn, product_ids, work.config.currency)
    if work.on_match == "update":
        _change(conn, work, batch, met)
    return met, _counted(work, met, created=len(product_ids), before=ahead["settled"])


def _change(conn: Conn, work: Work, batch: Batch, met: Matched) -> None:
    """Write the differences to existing products."""
    if met.changed:
        import_rows.change_products(conn, batch, met.changed, met.changed_ids)
    if met.pictures:
        import_rows.change_images(conn, batch, met.pictures, met.pictures_ids)
        changed = set(met.changed_ids)
        import_rows.touch_products(
            conn, batch, [each for each in met.pictures_ids if each not in changed]
        )
    touched = sorted({*met.changed_ids, *met.pictures_ids})
    if touched:
        product_documents.refresh(conn, touched, work.config.currency)


def _counted(work: Work, met: Matched, *, created: int, before: Sequence[int] = ()) -> Count:
    """Count the outcome of the rows; `before`: lines that were counted when all of them except the
    stock was written.
    """
    if work.on_match == "skip":
        return Count(created=created, skipped=len(met.met), hidden=len(met.hidden))
    touched = {*met.changed, *met.pictures, *met.stocked}
    return Count(
        created=created,
        updated=len(touched.difference(before)),
        unchanged=len(set(met.met).difference(touched, before)),
        hidden=len(set(met.hidden).difference(before)),
        raised=met.raised,
    )


def _note_changes(
    conn: Conn, work: Work, batch: Batch, met: Matched, before: Sequence[int] = ()
) -> None:
    """Keep what becomes of the rows, as long as the catalogue still tells what was before."""
    if len(met.met) < batch.last_line - batch.after_line:
        import_changes.add_new(conn, batch._asdict(), met.met, dry_run=work.dry_run)
    if work.on_match == "skip":
        return
    products = dict(zip(met.met, met.met_ids, strict=True))
    touched = {*met.changed, *met.pictures, *met.stocked}.difference(before)
    same = set(met.met).difference(touched, before)
    unchanged = [Change(line, products[line]) for line in same]
    import_changes.add(conn, work.id, "unchanged", unchanged)
    if touched:
        lines = sorted(touched)
        changes = _described(conn, batch, met, {line: products[line] for line in lines})
        import_changes.add(conn, work.id, "changed", changes)


def _described(conn: Conn, batch: Batch, met: Matched, products: dict[int, int]) -> list[Change]:
    found = {
        row["line"]: (row["before"] or {}, row["after"] or {})
        for row in import_rows.describe(conn, batch, list(products), list(products.values()))
    }
    if met.pictures:
        were = import_rows.images(conn, batch, met.pictures, met.pictures_ids)
        for row in were:
            before, after = found[row["line"]]
            before["images"] = row["before"][:TOLD_IMAGES]
            after["images"] = row["after"][:TOLD_IMAGES]
    return [Change(line, product_id, None, *found[line]) for line, product_id in products.items()]
