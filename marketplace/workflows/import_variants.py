"""The staged rows of an import that are variants, on their way into the catalogue: whole products
at a time, before the rows that are products by themselves.

As there, products, variants, images and documents are written in one transaction and stock in the
next. Where variants are shown or hidden, the stock of their products is locked first.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from marketplace.postgres.pool import Conn
from marketplace.queries import documents, import_changes, import_rows, import_variants, imports
from marketplace.queries.import_changes import Change
from marketplace.queries.import_rows import Stocked, WrongRow, too_low, unseen
from marketplace.queries.import_variants import Batch, Met
from marketplace.text.messages import say
from marketplace.workflows import product_documents
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
    settle_names,
    tell,
)
from marketplace.workflows.product_documents import Interrupted


class _Ahead(NamedTuple):
    """The next batch, and its rows as a batch of lines, for their categories and brands."""

    batch: Batch
    lines: import_rows.Batch
    has_categories: bool
    has_brands: bool


def apply(work: Work) -> None:
    """Apply all groups of staged rows, or count what that would do. Raises Unsettled."""
    after = ""
    while True:
        if work.stopping():
            raise Interrupted
        try:
            batch = _look(work, after) if work.dry_run else _apply(work, after)
        except OVERTAKEN as error:
            raise Unsettled from error
        except Found as found:
            refuse(work, found)
            continue
        if batch is None:
            return
        after = batch.last_key


def apply_all(conn: Conn, work: Work) -> Count:
    """Apply all groups in a transaction that is open and goes on."""
    count, after = Count(), ""
    while True:
        if work.stopping():
            raise Interrupted
        ahead = _next(conn, work, after, APPLY_ROWS)
        if ahead is None:
            return count
        rows = _write(conn, work, ahead)
        stocked = _stocked(work, rows)
        if stocked:
            wrong = import_rows.change_stock(conn, ahead.lines, stocked)
            if wrong:
                raise found_wrong(work.id, wrong)
        more = _counted(work, rows)
        count, after = count.plus(more), ahead.batch.last_key
        tell(work, more)


def _look(work: Work, after: str) -> Batch | None:
    """Count what the next rows would do."""
    with work.db.working() as conn:
        hold(conn, work)
        ahead = _next(conn, work, after, LOOK_ROWS)
        if ahead is None:
            return None
        rows = _matched(conn, work, ahead.batch)
        _note_changes(conn, work, ahead.batch, rows)
        _note_new(conn, work, rows, {})
        imports.count_applied(conn, work.id, **_counted(work, rows)._asdict(), locked_ms=None)
    return ahead.batch


def _apply(work: Work, after: str) -> Batch | None:
    """Apply the next rows: products and variants in one transaction, stock in another."""
    with work.db.working() as conn:
        hold(conn, work)
        act(conn, work)
        ahead = _next(conn, work, after, APPLY_ROWS)
        if ahead is None:
            return None
        started = time.monotonic()
        rows = _write(conn, work, ahead)
        later = _stocked(work, rows)
        if later:
            import_rows.settle(conn, work.id, [row.line for row in later])
        import_variants.end_batch(conn, ahead.batch, keep=[row.line for row in later])
        imports.count_applied(
            conn,
            work.id,
            **_counted(work, rows)._asdict(),
            locked_ms=milliseconds_since(started),
        )
    if later:
        _write_stock(work, ahead, later)
    return ahead.batch


def _write_stock(work: Work, ahead: _Ahead, later: Sequence[Stocked]) -> None:
    with work.db.working() as conn:
        hold(conn, work)
        act(conn, work)
        change_stock(conn, work, ahead.lines, later)
        import_variants.end_batch(conn, ahead.batch, keep=[])


def _next(conn: Conn, work: Work, after: str, limit: int) -> _Ahead | None:
    ahead = import_variants.next_batch(conn, work.id, after_key=after, limit=limit)
    if ahead["last_key"] is None:
        return None
    own = (work.id, work.store_id)
    rest = (work.default_stock, work.fields)
    return _Ahead(
        Batch(*own, after, ahead["last_key"], *rest),
        import_rows.Batch(*own, ahead["first_line"] - 1, ahead["last_line"], *rest),
        ahead["has_categories"],
        ahead["has_brands"],
    )


def _matched(conn: Conn, work: Work, batch: Batch) -> list[Met]:
    """Return the rows with what they are of. Raises Unsettled for a group that is to stay apart by
    now, and Found for rows that are wrong.
    """
    rows = import_variants.match(conn, batch)
    if work.variants != "together" and any(row.parted for row in rows):
        raise Unsettled
    wrong = [_wrong(row) for row in rows if row.code]
    if wrong:
        raise found_wrong(batch.import_id, wrong)
    return rows


def _wrong(row: Met) -> WrongRow:
    """Return what is wrong with a row, in words."""
    code = row.code or ""
    if code == "precondition_failed":
        return unseen(row.line, row.there or 0)
    if code == "price_before_too_low":
        return too_low(row.line)
    field, words = _WORDS[code]
    return WrongRow(row.line, field, code.partition("_")[0] if "required" in code else code, words)


_WORDS: dict[str, tuple[str | None, str]] = {
    "simple_product": (
        "sku",
        say("is that of a product without variants; send the file with variants=auto"),
    ),
    "conflicting_keys": (
        None,
        say("its id, SKU and link are not those of one product of the store"),
    ),
    "options_differ": (
        "option1_value",
        say("a variant needs a value for each of the options that its product has"),
    ),
    "has_variants": (
        "price",
        say("its variants have price, stock and SKU: name one by variant_id or SKU"),
    ),
    "duplicate_options": (
        "option1_value",
        say("another row or variant of the product has the same options"),
    ),
    "too_many_variants": (None, say("its product would have more than 100 variants")),
    "required_option": (
        "option1_value",
        say("must not be empty: no variant has the keys of the row"),
    ),
    "required_price": ("price", say("must not be empty: no variant has the keys of the row")),
    "required_name": (
        "name",
        say("must not be empty: no product of the store has the keys of the row"),
    ),
}


# Writing
# --------------------------------------------------------------------------------------------------


def _write(conn: Conn, work: Work, ahead: _Ahead) -> list[Met]:
    """Write products, variants, images and documents of a batch; return its rows."""
    batch = ahead.batch
    rows = _locked(conn, work, batch)
    new = [row for row in rows if row.product_id is None]
    old = [row for row in rows if row.product_id is not None and work.on_match == "update"]
    if new or any(row.product_changed for row in old):
        settle_names(
            conn,
            work,
            ahead.lines,
            has_categories=ahead.has_categories,
            has_brands=ahead.has_brands,
        )
    _note_changes(conn, work, batch, rows)
    made = _add(conn, batch, new)
    fresh = [row for row in (*new, *old) if row.fresh]
    _set_images(conn, old)
    ids = import_variants.add_variants(conn, batch, fresh) if fresh else {}
    touched = _change(conn, batch, old)
    _note_new(conn, work, rows, ids)
    if made:
        documents.add(conn, made, work.config.currency)
    if touched:
        product_documents.refresh(conn, touched, work.config.currency)
    return rows


def _locked(conn: Conn, work: Work, batch: Batch) -> list[Met]:
    """Match the rows, and again once the products that they change are locked."""
    rows = _matched(conn, work, batch)
    changed = _touched(rows) if work.on_match == "update" else []
    if not changed:
        return rows
    showing = _showing(rows)
    if showing:
        import_variants.lock_stock(conn, showing)
    documents.lock(conn, changed)
    rows = _matched(conn, work, batch)
    if set(_touched(rows)).difference(changed) or set(_showing(rows)).difference(showing):
        raise Unsettled  # somebody else has written meanwhile
    return rows


def _touched(rows: Iterable[Met]) -> list[int]:
    return sorted(
        {
            row.product_id
            for row in rows
            if row.product_id is not None
            and (row.fresh or row.product_changed or row.pictures_changed or row.variant_changed)
        }
    )


def _showing(rows: Iterable[Met]) -> list[int]:
    return sorted({row.product_id for row in rows if row.product_id and row.shows_or_hides})


def _add(conn: Conn, batch: Batch, new: Sequence[Met]) -> list[int]:
    """Make products with their images, and no variants yet; return their ids."""
    firsts = [row for row in new if row.first]
    if not firsts:
        return []
    import_variants.add_products(conn, batch, [row.group_key for row in firsts])
    images = {row.new_id: row.images for row in firsts if row.images}
    if images:
        import_variants.set_images(conn, images, new=True)
    of_group = {row.group_key: row.new_id for row in firsts}
    for place, row in enumerate(new):
        new[place] = row._replace(new_id=of_group[row.group_key])  # type: ignore[index]
    return sorted(of_group.values())


def _set_images(conn: Conn, old: Sequence[Met]) -> None:
    images = {
        row.product_id: row.images
        for row in old
        if row.product_id and row.pictures_changed and row.images
    }
    if images:
        import_variants.set_images(conn, images, new=False)


def _change(conn: Conn, batch: Batch, old: Sequence[Met]) -> list[int]:
    """Write the differences to existing products; return which."""
    changed = [row for row in old if row.variant_changed]
    if changed:
        import_variants.change_variants(conn, batch, changed)
    showing = _showing(old)
    if showing:
        import_variants.show_or_hide(conn, showing)
    touched = _touched(old)
    if touched:
        said = {row.product_id: row for row in old if row.product_changed}
        import_variants.change_products(conn, batch, {each: said.get(each) for each in touched})
    return touched


def _stocked(work: Work, rows: Sequence[Met]) -> list[Stocked]:
    if work.on_match == "skip":
        return []
    return [
        Stocked(row.line, row.product_id, row.variant_id)
        for row in rows
        if row.stock_changed and row.product_id and row.variant_id
    ]


# What became of the rows
# --------------------------------------------------------------------------------------------------


def _changes(row: Met) -> bool:
    return row.product_changed or row.pictures_changed or row.variant_changed or row.stock_changed


def _counted(work: Work, rows: Sequence[Met]) -> Count:
    """Count the outcome of the rows; settled ones were counted when all of them except the stock
    was written.
    """
    old = [row for row in rows if row.product_id is not None and not row.settled]
    hidden = sum(row.stays_hidden for row in old)
    if work.on_match == "skip":
        return Count(created=len(rows) - len(old), skipped=len(old), hidden=hidden)
    fresh = sum(row.fresh for row in rows)
    updated = sum(_changes(row) and not row.fresh for row in old)
    same = sum(not _changes(row) and not row.fresh for row in old)
    raised = sum(
        row.stock_changed and row.stock_seen is None and (row.stock or 0) > (row.there or 0)
        for row in old
    )
    return Count(fresh, updated, same, hidden=hidden, raised=raised)


def _note_changes(conn: Conn, work: Work, batch: Batch, rows: Sequence[Met]) -> None:
    """Keep what becomes of rows of existing variants, as long as these tell what was before."""
    if work.on_match == "skip":
        return
    old = [row for row in rows if row.product_id and not row.settled]
    same = [
        Change(row.line, row.product_id, row.variant_id)
        for row in old
        if not _changes(row) and not row.fresh
    ]
    import_changes.add(conn, work.id, "unchanged", same)
    changed = [row for row in old if _changes(row) and not row.fresh]
    if changed:
        import_changes.add(conn, work.id, "changed", _described(conn, batch, changed))


def _described(conn: Conn, batch: Batch, changed: Sequence[Met]) -> list[Change]:
    found: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {
        row["line"]: (row["before"] or {}, row["after"] or {})
        for row in import_variants.describe(conn, batch, changed)
    }
    pictured = [row for row in changed if row.pictures_changed and row.product_id]
    were = import_variants.images_of(conn, [row.product_id or 0 for row in pictured])
    for row in pictured:
        before, after = found[row.line]
        before["images"] = were.get(row.product_id or 0, [])[:TOLD_IMAGES]
        after["images"] = (row.images or [])[:TOLD_IMAGES]
    return [Change(row.line, row.product_id, row.variant_id, *found[row.line]) for row in changed]


def _note_new(conn: Conn, work: Work, rows: Sequence[Met], ids: dict[int, int]) -> None:
    """Keep which rows make variants; those of a dry run have no ids."""
    firsts = {row.group_key: row.new_id for row in rows if row.first}
    added = []
    for row in rows:
        if row.fresh and (row.product_id is None or work.on_match == "update"):
            new = None if work.dry_run else firsts.get(row.group_key)
            after = {
                "name": row.name,
                "options": row.option_values,
                "price": row.price,
                "stock": row.new_stock,
            }
            variant = ids.get(row.line)
            added.append(Change(row.line, row.product_id or new, variant, {}, after))
    import_changes.add(conn, work.id, "added", added)
