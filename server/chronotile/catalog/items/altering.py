"""Changes of items in the index: removal, replacement, new headers of files, and another grouping or order."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from chronotile.catalog.items import writing
from chronotile.catalog.items.asset_forms import form_of, pack_assets, packed_digest, unpack_assets
from chronotile.catalog.items.preparing import Prepared
from chronotile.catalog.items.properties import group_start, rank_of
from chronotile.catalog.items.schema import BODIES, COLLECTIONS, COVERS, FORMS, HEADERS, ITEMS, REMOVED
from chronotile.catalog.items.statements import chunks, insert_rows
from chronotile.catalog.items.value_rows import remove_some, write_values
from chronotile.core.model.items import BandLayout, IndexSettings, ItemRef

MAX_REMOVED = 100_000
"""Removed items per collection that stay listed, the newest first; twice as many are stored before a clean-up."""
REORDERED = 2_000
"""Items that one transaction groups and orders again."""


def remove(connection: Connection, archive: str, collection: str, ids: Sequence[str]) -> int:
    """Remove items and return the number of existing ones."""
    row = writing.lock_collection(connection, archive, collection)
    if row is None:
        return 0
    items = [
        item
        for part in chunks(ids)
        for item in connection.execute(select(ITEMS).where(ITEMS.c.collection == row.number, ITEMS.c.id.in_(part)))
    ]
    if items:
        changes = writing.CollectionChanges()
        writing.take_out(connection, row, items, changes)
        writing.finish(connection, row, changes)
        _list_removed(connection, row, items)
    return len(items)


def replace_one(
    connection: Connection, archive: str, collection: str, prepared: Prepared, *, expected: ItemRef | None
) -> bool:
    """Replace the item with the same id; return False if it does not exist or has changed since `expected`."""
    row = writing.lock_collection(connection, archive, collection)
    existing = {} if row is None else writing.existing_items(connection, row.number, [prepared])
    old = existing.get(prepared.id)
    if row is None or old is None:
        return False
    if expected is not None and (old.number, old.changed) != (expected.number, expected.changed):
        return False
    writing.put_into(connection, row, [prepared], existing)
    return True


def _list_removed(connection: Connection, row: Row[Any], items: Sequence[Row[Any]]) -> None:
    """List items as removed for readers of changes; beyond the limit, delete the entries of the earliest removals."""
    change = writing.take_change(connection)
    records = [{"collection": row.number, "change": change, "item": item.number, "id": item.id} for item in items]
    insert_rows(connection, REMOVED, records)
    of_collection = REMOVED.c.collection == row.number
    values = {"removed": row.removed + len(items)}
    if values["removed"] > 2 * MAX_REMOVED:
        newest = select(REMOVED.c.change).where(of_collection).order_by(REMOVED.c.change.desc())
        last = connection.scalars(newest.offset(MAX_REMOVED).limit(1)).one()
        deleted = connection.execute(delete(REMOVED).where(of_collection, REMOVED.c.change <= last)).rowcount
        values = {"removed": values["removed"] - deleted, "forgotten": last}
    writing.set_columns(connection, row.number, **values)


def note_header(connection: Connection, ref: ItemRef, asset: str, *, values: dict[str, Any]) -> bool:
    """Store the header of a file; return whether the file, and so the item, has changed since the last header.

    Args:
        connection: A connection in a transaction.
        ref: The item as it was read; nothing is stored if it has changed since.
        asset: Name of the asset.
        values: Values of the columns `header`, `etag` and `size`.
    """
    locked = _lock_item(connection, ref)
    if locked is None:
        return False
    number = ref.number
    of_asset = HEADERS.c.item == number, HEADERS.c.asset == asset
    before = connection.scalar(select(HEADERS.c.etag).where(*of_asset))
    connection.execute(delete(HEADERS).where(*of_asset))
    connection.execute(insert(HEADERS).values(item=number, asset=asset, **values))
    is_replaced = bool(before and values["etag"]) and before != values["etag"]
    if is_replaced:
        row, item = locked
        of_item = {"changed": row.counter + 1, "last_change": writing.take_change(connection)}
        connection.execute(update(ITEMS).where(ITEMS.c.number == number).values(of_item))
        writing.finish(connection, row, writing.CollectionChanges(touched={item.instant}))
    return is_replaced


def note_layouts(connection: Connection, ref: ItemRef, asset: str, layouts: Sequence[BandLayout]) -> None:
    """Store the layouts of the bands of a file, unless its item has changed since `ref`."""
    locked = _lock_item(connection, ref)
    if locked is not None:
        _write_layouts(connection, locked, asset, tuple(layouts))


def begin_reordering(connection: Connection, archive: str, collection: str, settings: IndexSettings) -> bool | None:
    """Store the settings of a collection; return whether existing items still have to be grouped and ordered.

    Returns `None` if the collection does not exist.
    """
    row = writing.lock_collection(connection, archive, collection)
    if row is None:
        return None
    if writing.settings_of(row) == settings:
        return row.reordered_to is not None
    writing.set_columns(connection, row.number, **writing.columns_of(settings), reordered_to=0)
    return True


def reorder_some(connection: Connection, archive: str, collection: str) -> bool:
    """Group and order the next `REORDERED` items; return whether more remain."""
    row = writing.lock_collection(connection, archive, collection)
    if row is None or row.reordered_to is None:
        return False
    if row.reordered_to == 0 and remove_some(connection, row.number):
        return True
    items = connection.execute(
        select(ITEMS, BODIES.c.properties)
        .join(BODIES, BODIES.c.item == ITEMS.c.number)
        # `+ 0` keeps SQLite from the index by collection: it would sort all items of the collection for each batch.
        .where(ITEMS.c.collection + 0 == row.number, ITEMS.c.number > row.reordered_to)
        .order_by(ITEMS.c.number)
        .limit(REORDERED)
    ).all()
    if items:
        _reorder(connection, row, items)
        write_values(connection, row.number, items, writing.settings_of(row).searched)
    is_done = len(items) < REORDERED
    writing.set_columns(connection, row.number, reordered_to=None if is_done else items[-1].number)
    return not is_done


def _reorder(connection: Connection, row: Row[Any], items: Sequence[Row[Any]]) -> None:
    settings, changes = writing.settings_of(row), writing.CollectionChanges()
    new, moved, covers = list[writing.RowValues](), list[writing.RowValues](), list[writing.RowValues]()
    for item in items:
        instant = group_start(item.start, writing.box_of(item), settings)
        rank = rank_of(item.properties, item.start, settings)
        if instant == item.instant and rank == item.rank:
            continue
        new.append({"the_number": item.number, "the_rank": rank, "the_instant": instant})
        changes.touched.add(instant)
        if instant != item.instant:
            moved += writing.cover_keys(row.number, item)
            covers += writing.cover_records(row.number, item.number, instant, writing.box_of(item))
            changes.items[item.instant] -= 1
            changes.items[instant] += 1
            changes.ended.add(item.instant)
            changes.ends[instant] = max(item.end, changes.ends.get(instant, item.end))
    if not new:
        return
    values = {"rank": bindparam("the_rank"), "instant": bindparam("the_instant"), "changed": row.counter + 1}
    connection.execute(update(ITEMS).where(ITEMS.c.number == bindparam("the_number")).values(values), new)
    if moved:
        connection.execute(delete(COVERS).where(*writing.is_cover()), moved)
        insert_rows(connection, COVERS, covers)
    writing.finish(connection, row, changes)


def _lock_item(connection: Connection, ref: ItemRef) -> tuple[Row[Any], Row[Any]] | None:
    """Return the locked row of the collection and the row of the item; `None` if the item has changed since `ref`."""
    collection = connection.scalar(select(ITEMS.c.collection).where(ITEMS.c.number == ref.number))
    if collection is None:
        return None
    row = connection.execute(select(COLLECTIONS).where(COLLECTIONS.c.number == collection).with_for_update()).one()
    item = connection.execute(select(ITEMS).where(ITEMS.c.number == ref.number)).one_or_none()
    return None if item is None or item.changed != ref.changed else (row, item)


def _write_layouts(
    connection: Connection, locked: tuple[Row[Any], Row[Any]], name: str, layouts: tuple[BandLayout, ...]
) -> None:
    row, item = locked
    packed = connection.scalars(select(BODIES.c.assets).where(BODIES.c.item == item.number)).one()
    old = packed_digest(packed)
    body = connection.scalars(select(FORMS.c.body).where(FORMS.c.collection == row.number, FORMS.c.digest == old)).one()
    before = unpack_assets(packed, {old: bytes(body)})
    assets = [replace(asset, layouts=layouts) if asset.name == name else asset for asset in before]
    form = form_of(assets)
    if form.digest == old:
        return
    changes = writing.CollectionChanges(new_forms={form.digest: form})
    changes.forms[old] -= 1
    changes.forms[form.digest] += 1
    values = {"assets": pack_assets(assets, form.digest)}
    connection.execute(update(BODIES).where(BODIES.c.item == item.number).values(values))
    if writing.write_forms(connection, row.number, changes):
        writing.set_columns(connection, row.number, layouts_counter=COLLECTIONS.c.layouts_counter + 1)
