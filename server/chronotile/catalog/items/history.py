"""Pages of changes of items, in the order of the changes."""

import heapq
from collections.abc import Container, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Select, bindparam, func, select, tuple_
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import statements
from chronotile.catalog.items.cursors import is_number, seal, unseal
from chronotile.catalog.items.lookups import found_items
from chronotile.catalog.items.pass_tables import FIRST_PASSES, IS_FILLED, PASSES, scope_of
from chronotile.catalog.items.schema import COLLECTIONS, ITEMS, REMOVED, SCHEMA
from chronotile.catalog.items.search_query import SearchedCollection
from chronotile.catalog.items.statements import DriverCursor, Statement, Value
from chronotile.core.errors import CursorExpired, InvalidParameter
from chronotile.core.model.items import ChangeKind, ChangePage, ItemChange

MAX_CHANGES = 1_000
"""Changes of a page."""
LAST = (1 << 63) - 1
REMOVAL, ITEM = 0, 1
"""Kinds of changes in the order of a page: removals of a transaction come before its other changes."""
PARTS = 4
_SCOPE = scope_of(COLLECTIONS.c.archive, COLLECTIONS.c.id)
_CHANGED = (
    select(
        *(COLLECTIONS.c[field.name] for field in fields(SearchedCollection)),
        COLLECTIONS.c.forgotten,
        func.coalesce(FIRST_PASSES.c.change, 0),
        IS_FILLED,
    )
    .join_from(COLLECTIONS, PASSES, PASSES.c.collection == _SCOPE, isouter=True)
    .join(FIRST_PASSES, FIRST_PASSES.c.collection == _SCOPE, isouter=True)
    .where(COLLECTIONS.c.archive == bindparam("archive"))
    .order_by(COLLECTIONS.c.id)
)
_OF_ITEM = *statements.REF_COLUMNS, ITEMS.c.first_change, ITEMS.c.last_change
_REFUSED = InvalidParameter("since is not a cursor of these changes", locator="since")


@dataclass(frozen=True, slots=True)
class ChangedCollection:
    """A collection whose changes are read."""

    searched: SearchedCollection
    forgotten: int
    """Number of the last change whose removed items were deleted from the history."""
    filled: int
    """Changes up to this one are omitted."""


@dataclass(frozen=True, slots=True)
class _ChangePosition:
    """Position of the last change before a page."""

    baseline: int
    """Last change before the first page: items with a later first change are `added`, others `replaced`."""
    change: int
    kind: int
    number: int

    def not_before(self, change: int) -> "_ChangePosition":
        """Return this position, or the position after `change` if that is later."""
        return self if self.change >= change else _ChangePosition(change, change, ITEM, LAST)

    def text(self, subject: bytes) -> str:
        return seal(orjson.dumps([self.baseline, self.change, self.kind, self.number]), subject)


class HistoryReader:
    """Reads a page of changes.

    Args:
        archive: Id of the archive.
        cursor: Cursor of the driver, in a transaction.
        dialect: Dialect of the database.
        among: Ids of the collections to read; `None` reads all.
        without_first_fill: Whether to omit changes before the end of the first pass over a collection's source.
    """

    def __init__(
        self,
        archive: str,
        cursor: DriverCursor,
        dialect: Dialect,
        *,
        among: Container[str] | None,
        without_first_fill: bool,
    ) -> None:
        self._subject = f"changes of {archive}".encode()
        self._cursor, self._dialect = cursor, dialect
        self._collections = [
            ChangedCollection(SearchedCollection(*row), forgotten, filled if without_first_fill else 0)
            for *row, forgotten, filled, is_filled in self._rows(_CHANGED, archive=archive)
            if (is_filled or not without_first_fill) and (among is None or row[1] in among)
        ]

    def page(self, since: str | None, limit: int) -> ChangePage:
        """Return at most `limit` changes after a cursor; without one, no changes and the current cursor.

        A page of large documents has fewer changes.

        Raises:
            InvalidParameter: The cursor or the limit is not accepted.
            CursorExpired: Some items removed since then are no longer listed, or the index was made again.
        """
        if not 1 <= limit <= MAX_CHANGES:
            raise InvalidParameter(f"limit is {limit}; accepted: 1 to {MAX_CHANGES}", locator="limit")
        ((next_change, first_change),) = self._rows(select(SCHEMA.c.next_change, SCHEMA.c.first_change))
        end = _ChangePosition(next_change - 1, next_change - 1, ITEM, LAST)
        if since is None:
            return ChangePage(changes=(), cursor=end.text(self._subject), is_last=True)
        position = self._position(since)
        starts = [position.not_before(collection.filled) for collection in self._collections]
        is_forgotten = any(
            (start.change, start.kind) <= (collection.forgotten, REMOVAL)
            for collection, start in zip(self._collections, starts, strict=True)
        )
        if is_forgotten or not first_change - 1 <= position.change < next_change:
            raise CursorExpired(
                "since is too old: not all items that were removed after it are listed any more; list all items, and "
                "continue with the cursor of a request without since",
                locator="since",
            )
        streams = [
            stream
            for collection, start in zip(self._collections, starts, strict=True)
            for stream in (self._changes_after(start, kind, collection, limit) for kind in (REMOVAL, ITEM))
        ]
        rows = list(islice(heapq.merge(*streams, key=lambda row: row[0]), limit + 1))
        changes = self._changes(rows[:limit], position.baseline)
        is_last = len(changes) == len(rows)
        after = end if is_last else _ChangePosition(position.baseline, *rows[len(changes) - 1][0])
        return ChangePage(changes=changes, cursor=after.text(self._subject), is_last=is_last)

    def _position(self, since: str) -> _ChangePosition:
        parts = unseal(since, self._subject, _REFUSED)
        if not (isinstance(parts, list) and len(parts) == PARTS and all(map(is_number, parts))):
            raise _REFUSED
        baseline, change, kind, number = parts
        if not 0 <= baseline <= change or kind not in {REMOVAL, ITEM} or number < 0:
            raise _REFUSED
        return _ChangePosition(baseline, change, kind, number)

    def _changes_after(
        self, position: _ChangePosition, kind: int, collection: ChangedCollection, limit: int
    ) -> list[Any]:
        """Return the changes of a kind in a collection after a position, ascending, at most `limit` + 1."""
        # All removals of a change come before its items.
        number = position.number if position.kind == kind else {REMOVAL: LAST, ITEM: -1}[kind]
        if kind == REMOVAL:
            query, keys = select(REMOVED.c.change, REMOVED.c.item, REMOVED.c.id), (REMOVED.c.change, REMOVED.c.item)
        else:
            query, keys = select(*_OF_ITEM), (ITEMS.c.last_change, ITEMS.c.number)
        is_of_collection = keys[0].table.c.collection == collection.searched.number
        query = query.where(is_of_collection, tuple_(*keys) > tuple_(position.change, number))
        rows = self._rows(query.order_by(*keys).limit(limit + 1))
        if kind == REMOVAL:
            return [((change, REMOVAL, item), collection, id_) for change, item, id_ in rows]
        return [((row[-1], ITEM, row[0]), collection, row) for row in rows]

    def _changes(
        self, rows: Sequence[tuple[tuple[int, int, int], ChangedCollection, Any]], baseline: int
    ) -> tuple[ItemChange, ...]:
        """Return the changes of the first rows; fewer than all rows if the documents are too large for a page."""
        present = [(collection.searched.id, row) for _, collection, row in rows if not isinstance(row, str)]
        items = found_items(present, self._cursor, self._dialect)
        changes = list[ItemChange]()
        for key, collection, row in rows:
            kind: ChangeKind = "removed"
            item = None
            if not isinstance(row, str):
                item = next(items, None)
                if item is None:
                    break
                kind = "added" if row[-2] > max(baseline, collection.filled) else "replaced"
            changes.append(
                ItemChange(
                    kind=kind,
                    collection=collection.searched.id,
                    id=row if item is None else item.ref.id,
                    item=item,
                    number=key[0],
                    cursor=_ChangePosition(baseline, *key).text(self._subject),
                )
            )
        return tuple(changes)

    def _rows(self, query: Select[Any], **values: Value) -> list[Any]:
        return Statement(query, self._dialect).run(self._cursor, values)
