"""Rows of the table `VALUES`, which finds items by values of configured properties."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, tuple_

from chronotile.catalog.items.schema import VALUES
from chronotile.catalog.items.statements import insert_rows

MAX_EXACT = 1 << 53
"""Smaller integers are exact as floating-point numbers."""
KEY_BYTES = 16
REMOVED = 20_000
"""Maximum number of rows that one transaction removes."""
COLUMNS = ("collection", "value", "start", "item")

ValueRow = dict[str, Any]


def key_of(name: str, value: object) -> bytes | None:
    """Return the key of a property's value; `None` for a value that has no rows."""
    if isinstance(value, bool):
        text = f"b{value}"
    elif isinstance(value, int | float):
        if abs(value) >= MAX_EXACT:
            return None
        text = f"n{float(value) + 0.0!r}"  # -0 equals 0
    elif isinstance(value, str):
        text = f"t{value}"
    else:
        return None
    return hashlib.blake2b(f"{name}\0{text}".encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def value_records(
    names: Iterable[str], properties: Mapping[str, Any], *, collection: int, number: int, start: int
) -> list[ValueRow]:
    """Return the rows of an item; `properties` are the result of `stored_properties`."""
    keys = (key_of(name, properties.get(name)) for name in names)
    return [{"collection": collection, "value": key, "start": start, "item": number} for key in keys if key is not None]


def remove_values(connection: Connection, collection: int, items: Sequence[Any], names: Iterable[str]) -> None:
    """Remove the rows of items; each item has number, start and properties."""
    records = _records(collection, items, names)
    if records:
        statement = delete(VALUES).where(*(VALUES.c[name] == bindparam(f"the_{name}") for name in COLUMNS))
        connection.execute(statement, [{f"the_{name}": value for name, value in row.items()} for row in records])


def write_values(connection: Connection, collection: int, items: Sequence[Any], names: Iterable[str]) -> None:
    """Write the rows of items, replacing existing rows; each item has number, start and properties."""
    remove_values(connection, collection, items, names)
    insert_rows(connection, VALUES, sorted(_records(collection, items, names), key=itemgetter("value")))


def remove_some(connection: Connection, collection: int) -> bool:
    """Remove up to `REMOVED` rows of a collection, whatever their property; return whether more may remain."""
    keys = [VALUES.c[name] for name in COLUMNS[1:]]
    some = select(*keys).where(VALUES.c.collection == collection).limit(REMOVED)
    result = connection.execute(delete(VALUES).where(VALUES.c.collection == collection, tuple_(*keys).in_(some)))
    return result.rowcount == REMOVED


def _records(collection: int, items: Sequence[Any], names: Iterable[str]) -> list[ValueRow]:
    return [
        record
        for item in items
        for record in value_records(names, item.properties, collection=collection, number=item.number, start=item.start)
    ]
