"""Changes of items that are in the index: removed, replaced, opened, grouped or ordered in another way."""

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

MOST_REMOVED = 100_000
"""Items of a collection that stay listed as removed: the newest; up to twice as many before others are forgotten."""
REORDERED = 2_000
"""Items that one transaction groups and orders."""


def remove(connection: Connection, archive: str, collection: str, ids: Sequence[str]) -> int:
    """Remove items; return how many were there."""
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
    connection: Connection, archive: str, collection: str, prepared: Prepared, *, found: ItemRef | None
) -> bool:
    """Put an item in place of the one of its id; return whether one is there, and as it was found."""
    row = writing.lock_collection(connection, archive, collection)
    existing = {} if row is None else writing.existing_items(connection, row.number, [prepared])
    old = existing.get(prepared.id)
    if row is None or old is None or (found is not None and (old.number, old.changed) != (found.number, found.changed)):
        return False
    writing.put_into(connection, row, [prepared], existing)
    return True


def _list_removed(connection: Connection, row: Row[Any], items: Sequence[Row[Any]]) -> None:
    """Tell who reads changes which items were removed; of very many, those that were removed first are forgotten."""
    change = writing.take_change(connection)
    records = [{"collection": row.number, "change": change, "item": item.number, "id": item.id} for item in items]
    insert_rows(connection, REMOVED, records)
    of_collection = REMOVED.c.collection == row.number
    values = {"removed": row.removed + len(items)}
    if values["removed"] > 2 * MOST_REMOVED:
        newest = select(REMOVED.c.change).where(of_collection).order_by(REMOVED.c.change.desc())
        last = connection.scalars(newest.offset(MOST_REMOVED).limit(1)).one()
        gone = connection.execute(delete(REMOVED).where(of_collection, REMOVED.c.change <= last)).rowcount
        values = {"removed": values["removed"] - gone, "forgotten": last}
    writing.set_columns(connection, row.number, **values)


def note_header(
    connection: Connection, ref: ItemRef, asset: str, *, values: dict[str, Any], layouts: Sequence[BandLayout]
) -> bool:
    """Keep what opening a file costs; return whether the item has changed: its file is in another state than before.

    Args:
        connection: In a transaction.
        ref: The item as it was found; nothing happens if it has changed since.
        asset: Its name.
        values: Of the columns `header`, `etag` and `size`.
        layouts: Of the bands of the file; empty: as they were.
    """
    found = _lock_found(connection, ref)
    if found is None:
        return False
    number = ref.number
    own = HEADERS.c.item == number, HEADERS.c.asset == asset
    before = connection.scalar(select(HEADERS.c.etag).where(*own))
    connection.execute(delete(HEADERS).where(*own))
    connection.execute(insert(HEADERS).values(item=number, asset=asset, **values))
    if layouts:
        _state_layouts(connection, found, asset, tuple(layouts))
    is_replaced = bool(before and values["etag"]) and before != values["etag"]
    if is_replaced:
        row, item = found
        of_item = {"changed": row.counter + 1, "last_change": writing.take_change(connection)}
        connection.execute(update(ITEMS).where(ITEMS.c.number == number).values(of_item))
        writing.finish(connection, row, writing.CollectionChanges(touched={item.instant}))
    return is_replaced


def note_layouts(connection: Connection, ref: ItemRef, asset: str, layouts: Sequence[BandLayout]) -> None:
    """Keep the layouts of the bands of a file of an item that is as it was found."""
    found = _lock_found(connection, ref)
    if found is not None:
        _state_layouts(connection, found, asset, tuple(layouts))


def begin_reordering(connection: Connection, archive: str, collection: str, settings: IndexSettings) -> bool | None:
    """Store how items are grouped, ordered and searched; return whether those that are there are still to be.

    `None`: the collection is not there.
    """
    row = writing.lock_collection(connection, archive, collection)
    if row is None:
        return None
    if writing.settings_of(row) == settings:
        return row.reordered_to is not None
    writing.set_columns(connection, row.number, **writing.columns_of(settings), reordered_to=0)
    return True


def reorder_some(connection: Connection, archive: str, collection: str) -> bool:
    """Group and order some of the items that are there; return whether there are more."""
    row = writing.lock_collection(connection, archive, collection)
    if row is None or row.reordered_to is None:
        return False
    if row.reordered_to == 0 and remove_some(connection, row.number):
        return True
    items = connection.execute(
        select(ITEMS, BODIES.c.properties)
        .join(BODIES, BODIES.c.item == ITEMS.c.number)
        # The sum keeps SQLite from an index by collection, of which it would sort all items for each of these parts.
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


def _lock_found(connection: Connection, ref: ItemRef) -> tuple[Row[Any], Row[Any]] | None:
    """The collection, which others change only after this transaction, and the item, if that is as it was found."""
    collection = connection.scalar(select(ITEMS.c.collection).where(ITEMS.c.number == ref.number))
    if collection is None:
        return None
    row = connection.execute(select(COLLECTIONS).where(COLLECTIONS.c.number == collection).with_for_update()).one()
    item = connection.execute(select(ITEMS).where(ITEMS.c.number == ref.number)).one_or_none()
    return None if item is None or item.changed != ref.changed else (row, item)


def _state_layouts(
    connection: Connection, found: tuple[Row[Any], Row[Any]], name: str, layouts: tuple[BandLayout, ...]
) -> None:
    row, item = found
    packed = connection.scalars(select(BODIES.c.assets).where(BODIES.c.item == item.number)).one()
    old = packed_digest(packed)
    body = connection.scalars(select(FORMS.c.body).where(FORMS.c.collection == row.number, FORMS.c.digest == old)).one()
    known = unpack_assets(packed, {old: bytes(body)})
    assets = [replace(each, layouts=layouts) if each.name == name else each for each in known]
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


# Room on the disk for removing items: SQLite writes what changes before it frees anything.
