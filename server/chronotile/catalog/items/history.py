"""Changes of items in the order in which they were made, in pages that go on where the last one ended."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
from sqlalchemy import Select, Table, select, tuple_
from sqlalchemy.engine import Dialect

from chronotile.catalog.items import queries
from chronotile.catalog.items.cursors import is_number, sealed, unsealed
from chronotile.catalog.items.schema import ITEMS, REMOVED, SCHEMA
from chronotile.catalog.items.search import documents_of, found_item
from chronotile.catalog.items.search_query import SearchedCollection
from chronotile.catalog.items.statements import Statement
from chronotile.errors import CursorExpired, InvalidParameter
from chronotile.model.items import ChangeKind, ChangePage, ItemChange

MOST_CHANGES = 1_000
"""Of a page."""
LAST = (1 << 63) - 1
REMOVAL, ITEM = 0, 1
"""The order of what one transaction did."""
PARTS = 4
_REFUSED = InvalidParameter("since is not a cursor of these changes", locator="since")


@dataclass(frozen=True, slots=True)
class ChangedCollection:
    """A collection whose changes are read."""

    searched: SearchedCollection
    forgotten: int
    """The last change of which not all removed items are listed."""


@dataclass(frozen=True, slots=True)
class _Position:
    """After which change a page begins."""

    known: int
    """The last change before the first page that was read: items with a later first change are `added`."""
    change: int
    kind: int
    number: int

    def text(self, subject: bytes) -> str:
        return sealed(orjson.dumps([self.known, self.change, self.kind, self.number]), subject)


class HistoryReader:
    """Reads a page of changes.

    Args:
        archive: Whose cursors are accepted.
        collections: Whose changes are read.
        cursor: Of the driver, in a transaction.
        dialect: Of the database.
    """

    def __init__(
        self,
        archive: str,
        collections: Sequence[ChangedCollection],
        cursor: Any,  # noqa: ANN401 -- the driver's own
        dialect: Dialect,
    ) -> None:
        self._subject = f"changes of {archive}".encode()
        self._collections = collections
        self._cursor = cursor
        self._dialect = dialect

    def page(self, since: str | None, limit: int) -> ChangePage:
        """Return the changes after a cursor, at most `limit` of them; without one, none, with the cursor of now.

        Raises:
            InvalidParameter: The cursor or the limit is not accepted.
            CursorExpired: Items were removed since that are not listed any more, or the index was begun again.
        """
        if not 1 <= limit <= MOST_CHANGES:
            raise InvalidParameter(f"limit is {limit}; accepted: 1 to {MOST_CHANGES}", locator="limit")
        ((next_change, first_change),) = self._rows(select(SCHEMA.c.next_change, SCHEMA.c.first_change))
        end = _Position(next_change - 1, next_change - 1, ITEM, LAST)
        if since is None:
            return ChangePage(changes=(), cursor=end.text(self._subject), is_last=True)
        position = self._position(since)
        reached = position.change, position.kind
        is_forgotten = any(reached <= (each.forgotten, REMOVAL) for each in self._collections)
        if is_forgotten or not first_change - 1 <= position.change < next_change:
            raise CursorExpired(
                "since is too old: not all items that were removed after it are listed any more; list all items, and "
                "go on with the cursor of a request without since",
                locator="since",
            )
        streams = [
            stream
            for each in self._collections
            for stream in (self._removals(each.searched, position, limit), self._items(each.searched, position, limit))
        ]
        found = list(islice(heapq.merge(*streams, key=lambda row: row[0]), limit + 1))
        is_last, rows = len(found) <= limit, found[:limit]
        changes = self._changes(rows, position.known)
        after = end if is_last else _Position(position.known, *rows[-1][0])
        return ChangePage(changes=changes, cursor=after.text(self._subject), is_last=is_last)

    def _position(self, since: str) -> _Position:
        parts = unsealed(since, self._subject, _REFUSED)
        if not (isinstance(parts, list) and len(parts) == PARTS and all(map(is_number, parts))):
            raise _REFUSED
        known, change, kind, number = parts
        if not 0 <= known <= change or kind not in {REMOVAL, ITEM} or number < 0:
            raise _REFUSED
        return _Position(known, change, kind, number)

    def _removals(self, collection: SearchedCollection, after: _Position, limit: int) -> list[Any]:
        number = after.number if after.kind == REMOVAL else LAST
        wanted = select(REMOVED.c.change, REMOVED.c.item, REMOVED.c.id)
        rows = self._rows(_after(wanted, REMOVED, ("change", "item"), collection, (after.change, number), limit))
        return [((change, REMOVAL, item), collection, id_) for change, item, id_ in rows]

    def _items(self, collection: SearchedCollection, after: _Position, limit: int) -> list[Any]:
        number = after.number if after.kind == ITEM else -1
        wanted = select(*queries.REF_COLUMNS, ITEMS.c.first_change, ITEMS.c.last_change)
        rows = self._rows(_after(wanted, ITEMS, ("last_change", "number"), collection, (after.change, number), limit))
        return [((row[-1], ITEM, row[0]), collection, row) for row in rows]

    def _changes(
        self, rows: Sequence[tuple[tuple[int, int, int], SearchedCollection, Any]], known: int
    ) -> tuple[ItemChange, ...]:
        documents = documents_of(
            [row[0] for _, _, row in rows if not isinstance(row, str)], self._cursor, self._dialect
        )
        changes = list[ItemChange]()
        for key, collection, row in rows:
            kind: ChangeKind = "removed"
            item = None
            if not isinstance(row, str):
                item = found_item(collection, row, documents[row[0]])
                kind = "added" if row[-2] > known else "replaced"
            changes.append(
                ItemChange(
                    kind=kind,
                    collection=collection.id,
                    id=row if item is None else item.ref.id,
                    item=item,
                    number=key[0],
                    cursor=_Position(known, *key).text(self._subject),
                )
            )
        return tuple(changes)

    def _rows(self, wanted: Select[Any]) -> list[Any]:
        return Statement(wanted, self._dialect).run(self._cursor, {})


def _after(  # noqa: PLR0917 -- parts of one statement
    wanted: Select[Any],
    table: Table,
    columns: tuple[str, str],
    collection: SearchedCollection,
    position: tuple[int, int],
    limit: int,
) -> Select[Any]:
    """Rows of a collection after a position, in their order, one more than a page has."""
    keys = [table.c[name] for name in columns]
    condition = tuple_(*keys) > tuple_(*position)
    return wanted.where(table.c.collection == collection.number, condition).order_by(*keys).limit(limit + 1)
