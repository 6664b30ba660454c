"""Writes to the index. Each function runs in one transaction of the caller."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from chronotile.catalog.items.asset_forms import AssetForm, packed_digest
from chronotile.catalog.items.cells import cell_boxes, level_of, outward
from chronotile.catalog.items.lookups import product_key
from chronotile.catalog.items.preparing import Prepared
from chronotile.catalog.items.properties import DAY_NS, GROUPS_OF_DAYS, group_start, rank_of
from chronotile.catalog.items.schema import BODIES, COLLECTIONS, COVERS, FORMS, HEADERS, INSTANTS, ITEMS, SCHEMA, VALUES
from chronotile.catalog.items.statements import EDGES, chunks, insert_rows
from chronotile.catalog.items.value_rows import remove_values, value_records
from chronotile.core.database import database_time
from chronotile.core.errors import MAX_SHOWN, ItemExists
from chronotile.core.model.items import IndexSettings, PutSummary, product_id
from chronotile.core.model.space.boxes import BBox

RowValues = dict[str, Any]


@dataclass(slots=True)
class CollectionChanges:
    """Changes that a transaction makes to data that the items of a collection share."""

    items: Counter[int] = field(default_factory=Counter)
    """Change of the number of items, by instant."""
    ends: dict[int, int] = field(default_factory=dict)
    """Latest end of the added items, by instant."""
    ended: set[int] = field(default_factory=set)
    """Instants of removed items: their end may have to be computed again."""
    touched: set[int] = field(default_factory=set)
    """Instants of other changed items."""
    forms: Counter[str] = field(default_factory=Counter)
    """Change of the number of items, by form of their assets."""
    new_forms: dict[str, AssetForm] = field(default_factory=dict)
    boxes: list[BBox] = field(default_factory=list)
    """Boxes of the added items."""
    longest: int = 0
    """Longest duration of the added items, in nanoseconds."""


class Numbered(NamedTuple):
    """An item to write, with the numbers of the changes that added and last replaced it."""

    number: int
    prepared: Prepared
    first_change: int
    last_change: int


def settings_of(row: Row[Any] | SimpleNamespace) -> IndexSettings:
    """Return the grouping, order and searched properties of a collection."""
    return IndexSettings(
        group=row.grouping,
        order_by=row.order_by,
        is_descending=bool(row.is_descending),
        searched=tuple(orjson.loads(row.searched or b"[]")),
    )


def columns_of(settings: IndexSettings) -> RowValues:
    """Return the columns of a collection with its settings."""
    return {
        "grouping": settings.group,
        "order_by": settings.order_by,
        "is_descending": settings.is_descending,
        "searched": orjson.dumps(settings.searched).decode() if settings.searched else None,
    }


def lock_collection(connection: Connection, archive: str, id_: str) -> Row[Any] | None:
    """Lock a collection until the end of the transaction and return its row; `None` if it does not exist."""
    return connection.execute(_collection(archive, id_).with_for_update()).one_or_none()


def make_collection(connection: Connection, archive: str, id_: str, settings: IndexSettings) -> None:
    """Create a collection unless it exists. A separate transaction is required, so that it waits for no other lock."""
    number = _take_numbers(connection, "next_collection", 1)
    if connection.execute(_collection(archive, id_)).one_or_none() is None:
        values = {
            **columns_of(settings),
            **dict.fromkeys(("counter", "times_counter", "layouts_counter"), first_count(connection)),
            **dict.fromkeys(("levels", "longest", "removed", "forgotten"), 0),
        }
        connection.execute(insert(COLLECTIONS).values(number=number, archive=archive, id=id_, **values))


def first_count(connection: Connection) -> int:
    """Return the first value of counters; it is larger than those of an earlier index, which used the same numbers."""
    return int(database_time(connection) * 1e6)


def begin_counting(connection: Connection) -> None:
    """Start all counters of a restored index again, above all values that were used since the copy was made.

    Clients and caches may have seen these values: old cursors of changes expire, and no URL gets a second meaning.
    """
    count = first_count(connection)
    connection.execute(update(SCHEMA).values(next_change=count, first_change=count))
    counters = dict.fromkeys(("counter", "times_counter", "layouts_counter"), count)
    connection.execute(update(COLLECTIONS).values(counters))


def put_batch(connection: Connection, archive: str, collection: str, batch: Sequence[Prepared]) -> PutSummary | None:
    """Put items with distinct ids; return `None` if the collection does not exist."""
    row = lock_collection(connection, archive, collection)
    return None if row is None else put_into(connection, row, batch, existing_items(connection, row.number, batch))


def add_batch(connection: Connection, archive: str, collection: str, batch: Sequence[Prepared]) -> PutSummary | None:
    """Add items with distinct ids; return `None` if the collection does not exist.

    Raises:
        ItemExists: An item with one of the ids exists; the caller must roll back.
    """
    row = lock_collection(connection, archive, collection)
    if row is None:
        return None
    existing = existing_items(connection, row.number, batch)
    if existing:
        raise ItemExists(f"collection {collection} has an item {min(existing)[:MAX_SHOWN]!r}; PUT replaces it")
    return put_into(connection, row, batch, existing)


def put_into(
    connection: Connection, row: Row[Any], batch: Sequence[Prepared], existing: Mapping[str, Row[Any]]
) -> PutSummary:
    """Put items with distinct ids into a locked collection; `existing` has the rows of ids that exist already."""
    changed = [
        prepared for prepared in batch if (old := existing.get(prepared.id)) is None or old.digest != prepared.digest
    ]
    replaced = [existing[prepared.id] for prepared in changed if prepared.id in existing]
    added, unchanged = len(changed) - len(replaced), len(batch) - len(changed)
    summary = PutSummary(added=added, replaced=len(replaced), unchanged=unchanged)
    if not changed:
        return summary
    changes, change = CollectionChanges(), take_change(connection)
    take_out(connection, row, replaced, changes)
    next_number = _take_numbers(connection, "next_item", summary.added)
    numbers = {old.id: old.number for old in replaced}
    firsts = {old.id: old.first_change for old in replaced}
    for prepared in changed:
        if prepared.id not in numbers:
            numbers[prepared.id] = next_number
            next_number += 1
    new = [
        Numbered(number=numbers[item.id], prepared=item, first_change=firsts.get(item.id, change), last_change=change)
        for item in changed
    ]
    _insert(connection, row, new, changes)
    finish(connection, row, changes)
    return summary


def take_out(connection: Connection, row: Row[Any], items: Sequence[Row[Any]], changes: CollectionChanges) -> None:
    """Remove items of a locked collection with their rows in other tables, and add this to `changes`."""
    if not items:
        return
    numbers = [item.number for item in items]
    for part in chunks(numbers):
        for assets in connection.scalars(select(BODIES.c.assets).where(BODIES.c.item.in_(part))):
            changes.forms[packed_digest(assets)] -= 1
        if row.searched is not None:
            statement = select(ITEMS.c.number, ITEMS.c.start, BODIES.c.properties)
            statement = statement.join(BODIES, BODIES.c.item == ITEMS.c.number).where(BODIES.c.item.in_(part))
            remove_values(connection, row.number, connection.execute(statement).all(), settings_of(row).searched)
    for item in items:
        changes.items[item.instant] -= 1
        changes.ended.add(item.instant)
    keys = [key for item in items for key in cover_keys(row.number, item)]
    connection.execute(delete(COVERS).where(*is_cover()), keys)
    for table, column in ((ITEMS, ITEMS.c.number), (BODIES, BODIES.c.item), (HEADERS, HEADERS.c.item)):
        for part in chunks(numbers):
            connection.execute(delete(table).where(column.in_(part)))


def finish(connection: Connection, row: Row[Any], changes: CollectionChanges) -> None:
    """Write the data that items of a collection share, and increase its counters."""
    are_times_other = _write_instants(connection, row, changes)
    are_layouts_new = write_forms(connection, row.number, changes)
    extent = _extent(row, changes.boxes)
    levels = row.levels
    for box in changes.boxes:
        levels |= 1 << level_of(box)
    has_grown = any(getattr(row, name) != value for name, value in extent.items())
    set_columns(
        connection,
        row.number,
        counter=row.counter + 1,
        times_counter=row.times_counter + are_times_other,
        layouts_counter=row.layouts_counter + (are_layouts_new or has_grown),
        levels=levels,
        longest=max(row.longest, changes.longest),
        **extent,
    )


def set_columns(connection: Connection, collection: int, **values: Any) -> None:  # noqa: ANN401 -- as columns have them
    """Write columns of a locked collection."""
    connection.execute(update(COLLECTIONS).where(COLLECTIONS.c.number == collection).values(values))


def cover_records(collection: int, number: int, instant: int, box: BBox) -> list[RowValues]:
    """Return the rows of an item in `COVERS`."""
    common = {"collection": collection, "instant": instant, "item": number}
    parts = cell_boxes(box).items()
    return [{"cell": cell, **common, **dict(zip(EDGES, outward(part), strict=True))} for cell, part in parts]


def box_of(row: Row[Any]) -> BBox:
    """Return the box of a row of an item."""
    return BBox(row.west, row.south, row.east, row.north)


def take_change(connection: Connection) -> int:
    """Return the number of this transaction's change; other transactions wait for its end to get theirs."""
    return _take_numbers(connection, "next_change", 1)


def _insert(connection: Connection, row: Row[Any], items: Sequence[Numbered], changes: CollectionChanges) -> None:
    """Write the rows of items in all tables."""
    settings, changed = settings_of(row), row.counter + 1
    rows, bodies, covers, headers = list[RowValues](), list[RowValues](), list[RowValues](), list[RowValues]()
    values = list[RowValues]()
    for number, item, first_change, last_change in items:
        start, end, properties = item.start, item.end, item.properties
        instant = group_start(start, item.bbox, settings)
        rows.append(
            {
                "number": number,
                "collection": row.number,
                "id": item.id,
                "instant": instant,
                "start": start,
                "end": end,
                "updated": item.updated,
                "changed": changed,
                "first_change": first_change,
                "last_change": last_change,
                "product": product_key(product_id(row.id, item.id)),
                "rank": rank_of(properties, start, settings),
                **dict(zip(EDGES, map(float, item.bbox), strict=True)),
                "footprint": item.footprint,
                "digest": item.digest,
            }
        )
        bodies.append(
            {"item": number, "assets": item.assets, "properties": item.properties_json, "document": item.document}
        )
        covers += cover_records(row.number, number, instant, item.bbox)
        values += value_records(settings.searched, properties, collection=row.number, number=number, start=start)
        headers += [
            {"item": number, "asset": asset.name, "etag": asset.etag, "size": asset.size, "header": asset.header}
            for asset in item.headed
        ]
        changes.items[instant] += 1
        changes.ends[instant] = max(end, changes.ends.get(instant, end))
        changes.boxes.append(item.bbox)
        changes.longest = max(changes.longest, end - start)
        changes.forms[item.form.digest] += 1
        changes.new_forms[item.form.digest] = item.form
    # Sorted like the tables of covers and values, so fewer pages of the database are written.
    values.sort(key=lambda record: (record["value"], record["start"]))
    covers.sort(key=lambda record: (record["cell"], record["instant"], record["item"]))
    for table, records in ((ITEMS, rows), (BODIES, bodies), (COVERS, covers), (VALUES, values), (HEADERS, headers)):
        insert_rows(connection, table, records)


def _collection(archive: str, id_: str) -> Select[Any]:
    return select(COLLECTIONS).where(COLLECTIONS.c.archive == archive, COLLECTIONS.c.id == id_)


def _take_numbers(connection: Connection, column: str, count: int) -> int:
    """Return the first of `count` new numbers."""
    first = int(connection.scalars(select(SCHEMA.c[column]).with_for_update()).one())
    if count:
        connection.execute(update(SCHEMA).values({column: first + count}))
    return first


def existing_items(connection: Connection, collection: int, batch: Sequence[Prepared]) -> dict[str, Row[Any]]:
    """Return the rows of existing items with the ids of a batch, by id."""
    existing = dict[str, Row[Any]]()
    for part in chunks([prepared.id for prepared in batch]):
        rows = connection.execute(select(ITEMS).where(ITEMS.c.collection == collection, ITEMS.c.id.in_(part)))
        existing.update({row.id: row for row in rows})
    return existing


def is_cover() -> list[Any]:
    """Return the conditions that select one row of `COVERS`, with parameters of `cover_keys`."""
    return [COVERS.c[name] == bindparam(f"the_{name}") for name in ("collection", "cell", "instant", "item")]


def cover_keys(collection: int, item: Row[Any]) -> Iterable[RowValues]:
    """Yield the parameters of `is_cover` for all rows of an item."""
    for cell in cell_boxes(box_of(item)):
        yield {"the_collection": collection, "the_cell": cell, "the_instant": item.instant, "the_item": item.number}


def _write_instants(connection: Connection, row: Row[Any], changes: CollectionChanges) -> bool:
    """Write the rows of changed instants; return whether instants appeared, vanished or have another end."""
    is_of_days = row.grouping in GROUPS_OF_DAYS
    resized = {instant for instant, count in changes.items.items() if count}
    touched = sorted(resized.union(changes.ends, changes.ended, changes.touched))
    stored = dict[int, tuple[int, int]]()
    before = select(INSTANTS.c.instant, INSTANTS.c["items"], INSTANTS.c.end).where(INSTANTS.c.collection == row.number)
    for part in chunks(touched):
        rows = connection.execute(before.where(INSTANTS.c.instant.in_(part)))
        stored |= {instant: (items, end) for instant, items, end in rows}
    new = list[RowValues]()
    for instant in touched:
        items, end = stored.get(instant, (0, 0))
        items += changes.items[instant]
        if not items:
            continue
        if is_of_days:
            end = instant + DAY_NS
        elif instant in changes.ended:
            latest = select(func.max(ITEMS.c.end)).where(ITEMS.c.collection == row.number, ITEMS.c.instant == instant)
            end = int(connection.scalars(latest).one())
        else:
            end = max(end, changes.ends.get(instant, 0))
        changed = row.counter + 1
        new.append({"collection": row.number, "instant": instant, "items": items, "end": end, "changed": changed})
    for part in chunks(list(stored)):
        connection.execute(delete(INSTANTS).where(INSTANTS.c.collection == row.number, INSTANTS.c.instant.in_(part)))
    insert_rows(connection, INSTANTS, new)
    ends_before = {(instant, end) for instant, (_, end) in stored.items()}
    return {(values["instant"], values["end"]) for values in new} != ends_before


def write_forms(connection: Connection, collection: int, changes: CollectionChanges) -> bool:
    """Update the counts of forms; return whether a form is new to the collection."""
    digests = [digest for digest, count in changes.forms.items() if count]
    stored = dict[str, int]()
    for part in chunks(digests):
        rows = connection.execute(
            select(FORMS.c.digest, FORMS.c["items"]).where(FORMS.c.collection == collection, FORMS.c.digest.in_(part))
        )
        stored.update(map(tuple, rows))
    new, updated, unused = list[RowValues](), list[RowValues](), list[str]()
    for digest in digests:
        items = stored.get(digest, 0) + changes.forms[digest]
        if digest not in stored:
            body = changes.new_forms[digest].body
            new.append({"collection": collection, "digest": digest, "items": items, "body": body})
        elif items:
            updated.append({"the_digest": digest, "the_items": items})
        else:
            unused.append(digest)
    insert_rows(connection, FORMS, new)
    if updated:
        change = update(FORMS).where(FORMS.c.collection == collection, FORMS.c.digest == bindparam("the_digest"))
        connection.execute(change.values({"items": bindparam("the_items")}), updated)
    for part in chunks(unused):
        connection.execute(delete(FORMS).where(FORMS.c.collection == collection, FORMS.c.digest.in_(part)))
    return bool(new)


def _extent(row: Row[Any], boxes: Sequence[BBox]) -> dict[str, float]:
    """Return columns of a box around all items, with longitudes from -180 and from 0; readers use the narrower one."""
    names = ("west", "south", "east", "north", "west_360", "east_360")
    edges = [] if row.west is None else [tuple(getattr(row, name) for name in names)]
    for box in boxes:
        west, east = (box.xmin, box.xmax) if box.xmin <= box.xmax else (-180.0, 180.0)
        west_360 = box.xmin % 360
        east_360 = west_360 + (box.unwound().xmax - box.xmin)
        if east_360 > 360:
            west_360, east_360 = 0.0, 360.0
        edges.append((west, box.ymin, east, box.ymax, west_360, east_360))
    if not edges:
        return {}
    columns = list(zip(*edges, strict=True))
    least = (True, True, False, False, True, False)
    edges_of = zip(names, columns, least, strict=True)
    return {name: float(min(values) if is_least else max(values)) for name, values, is_least in edges_of}
