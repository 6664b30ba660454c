"""Properties of items as SQL expressions: columns, or values in JSON."""

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.tree import filter_error
from chronotile.catalog.items.properties import INSTANT_MARK
from chronotile.catalog.items.schema import BODIES, ITEMS
from chronotile.core.database import POSTGRESQL

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.\-]{0,199}")
TIMES = {"datetime": ITEMS.c.start, "updated": ITEMS.c.updated}
EDGES = {"start_datetime": ITEMS.c.start, "end_datetime": ITEMS.c.end - 1}
"""Start and end of items, also if these state no period: the end of an instant is the instant."""
EXACT = {"id", *TIMES, *EDGES}
"""Properties with an exact column to sort by; ranks are rounded."""
COLLECTION = "collection_id"
GEOMETRIES = ("geometry", "geom", "bbox")

SqlExpression = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Property:
    """A property as one expression per type; the expression is NULL if the value has another type or is missing."""

    name: str
    number: SqlExpression
    text: SqlExpression
    boolean: SqlExpression
    time: SqlExpression
    """Nanoseconds since 1970."""
    is_there: SqlExpression
    is_time: bool = False
    """Whether its only type is time."""


class PropertyColumns:
    """Returns expressions of properties for one database.

    The id of the collection is the parameter `COLLECTION` of statements.

    Args:
        dialect: Name of the database.
    """

    def __init__(self, dialect: str) -> None:
        self._is_postgresql = dialect == POSTGRESQL
        self.are_bodies_used = False

    def property(self, name: object) -> Property:
        """Return the expressions of a property.

        Raises:
            InvalidParameter: No property can have this name.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise filter_error(f"names the property {str(name)[:60]!r}; names have letters, digits and _ : . -")
        if name in GEOMETRIES:
            return Property(name, sa.null(), sa.null(), sa.null(), sa.null(), is_there=sa.literal(value=True))
        if name in TIMES:
            column = TIMES[name]
            return Property(name, sa.null(), sa.null(), sa.null(), column, is_there=column.is_not(None), is_time=True)
        if name in {"id", "collection"}:
            text = ITEMS.c.id if name == "id" else self.collate(sa.bindparam(COLLECTION, type_=sa.Text()))
            return Property(name, sa.null(), text, sa.null(), sa.null(), is_there=sa.literal(value=True))
        self.are_bodies_used = True
        time = self._typed_value(INSTANT_MARK + name, ("integer",), "number", sa.BigInteger())
        return Property(
            name,
            number=self._typed_value(name, ("integer", "real"), "number", sa.Double()),
            text=self.collate(self._typed_value(name, ("text",), "string", sa.Text())),
            boolean=self._typed_value(name, ("true", "false"), "boolean", sa.Boolean()),
            time=sa.func.coalesce(time, EDGES[name]) if name in EDGES else time,
            is_there=self._kind(name).is_not(None),
            is_time=name in EDGES,
        )

    def collate(self, text: SqlExpression) -> SqlExpression:
        """Return a text that compares by code points, as in SQLite, in any language of the database."""
        return text.collate("C") if self._is_postgresql else text

    def matching(self, text: SqlExpression, pattern: str) -> SqlExpression:
        """Return the condition that a text matches a pattern of LIKE: `%` is any text, `_` any character."""
        if self._is_postgresql:
            return text.like(pattern, escape="\\")
        return text.bool_op("GLOB")(sa.literal(glob_of(pattern), sa.Text()))

    def _kind(self, name: str) -> SqlExpression:
        if self._is_postgresql:
            return sa.func.jsonb_typeof(sa.func.jsonb_extract_path(BODIES.c.properties, name))
        return sa.func.json_type(BODIES.c.properties, f'$."{name}"')

    def _typed_value(self, name: str, sqlite: tuple[str, ...], postgresql: str, type_: Any) -> SqlExpression:  # noqa: ANN401 -- SQLAlchemy's
        kind = self._kind(name)
        if self._is_postgresql:
            text = sa.func.jsonb_extract_path_text(BODIES.c.properties, name)
            return sa.case((kind == postgresql, sa.cast(text, type_)))
        value = sa.func.json_extract(BODIES.c.properties, f'$."{name}"', type_=type_)
        return sa.case((kind.in_([sa.literal(json_type) for json_type in sqlite]), value))


def lower(text: str) -> str:
    """Return a text with A to Z in lower case, like `func.lower` in both databases."""
    return "".join(letter.lower() if "A" <= letter <= "Z" else letter for letter in text)


def glob_of(pattern: str) -> str:
    """Return a pattern of LIKE as a pattern of SQLite's GLOB, which is case-sensitive."""
    parts, is_escaped = list[str](), False
    for letter in pattern:
        if is_escaped or letter not in "\\%_":
            parts.append(f"[{letter}]" if letter in "*?[" else letter)
            is_escaped = False
        elif letter == "\\":
            is_escaped = True
        else:
            parts.append("*" if letter == "%" else "?")
    return "".join(parts)
