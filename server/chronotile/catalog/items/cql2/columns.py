"""Properties of items as expressions over the tables: columns where there are some, else values within JSON."""

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, Boolean, Double, Text, bindparam, case, cast, func, literal, null
from sqlalchemy.sql import ColumnElement

from chronotile.catalog.items.cql2.tree import refused
from chronotile.catalog.items.order import INSTANT_MARK
from chronotile.catalog.items.schema import BODIES, ITEMS
from chronotile.database import POSTGRESQL

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_:.\-]{0,199}")
TIMES = {"datetime": ITEMS.c.start, "updated": ITEMS.c.updated}
EDGES = {"start_datetime": ITEMS.c.start, "end_datetime": ITEMS.c.end - 1}
"""What periods begin and end with, and the times of items that state none: the end of an instant is the instant."""
COLLECTION = "collection_id"
GEOMETRIES = ("geometry", "geom", "bbox")

Expression = ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Property:
    """A property by each type that its value may have; NULL where it has another, or is missing."""

    name: str
    number: Expression
    text: Expression
    boolean: Expression
    time: Expression
    """In nanoseconds since 1970."""
    is_there: Expression
    is_time: bool = False
    """Whether it can be nothing else."""


class Columns:
    """Makes expressions of properties, for one database.

    The id of the collection whose items are looked at is the parameter `COLLECTION`.

    Args:
        dialect: Name of the database.
    """

    def __init__(self, dialect: str) -> None:
        self._is_postgresql = dialect == POSTGRESQL
        self.are_bodies_used = False

    def property(self, name: object) -> Property:
        """Return a property.

        Raises:
            InvalidParameter: There can be none of that name.
        """
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise refused(f"names the property {str(name)[:60]!r}; names have letters, digits and _ : . -")
        if name in GEOMETRIES:
            return Property(name, null(), null(), null(), null(), is_there=literal(value=True))
        if name in TIMES:
            column = TIMES[name]
            return Property(name, null(), null(), null(), column, is_there=column.is_not(None), is_time=True)
        if name in {"id", "collection"}:
            text = ITEMS.c.id if name == "id" else self.collated(bindparam(COLLECTION, type_=Text()))
            return Property(name, null(), text, null(), null(), is_there=literal(value=True))
        self.are_bodies_used = True
        time = self._of_type(INSTANT_MARK + name, ("integer",), "number", BigInteger())
        return Property(
            name,
            number=self._of_type(name, ("integer", "real"), "number", Double()),
            text=self.collated(self._of_type(name, ("text",), "string", Text())),
            boolean=self._of_type(name, ("true", "false"), "boolean", Boolean()),
            time=func.coalesce(time, EDGES[name]) if name in EDGES else time,
            is_there=self._kind(name).is_not(None),
            is_time=name in EDGES,
        )

    def collated(self, text: Expression) -> Expression:
        """Return a text that compares by its characters' numbers, as in SQLite, whatever the database's language is."""
        return text.collate("C") if self._is_postgresql else text

    def matching(self, text: Expression, pattern: str) -> Expression:
        """Return whether a text has the form of a pattern of LIKE: `%` for any, `_` for one character."""
        if self._is_postgresql:
            return text.like(pattern, escape="\\")
        return text.bool_op("GLOB")(literal(_glob(pattern), Text()))

    def _kind(self, name: str) -> Expression:
        if self._is_postgresql:
            return func.jsonb_typeof(func.jsonb_extract_path(BODIES.c.properties, name))
        return func.json_type(BODIES.c.properties, f'$."{name}"')

    def _of_type(self, name: str, sqlite: tuple[str, ...], postgresql: str, type_: Any) -> Expression:  # noqa: ANN401 -- SQLAlchemy's
        kind = self._kind(name)
        if self._is_postgresql:
            text = func.jsonb_extract_path_text(BODIES.c.properties, name)
            return case((kind == postgresql, cast(text, type_)))
        value = func.json_extract(BODIES.c.properties, f'$."{name}"', type_=type_)
        return case((kind.in_([literal(each) for each in sqlite]), value))


def without_case(text: Expression) -> Expression:
    """Return a text with A to Z in lower case, in both databases."""
    return func.lower(text)


def lower(text: str) -> str:
    """Return a text of a filter in the same way."""
    return "".join(letter.lower() if "A" <= letter <= "Z" else letter for letter in text)


def _glob(pattern: str) -> str:
    """The pattern as SQLite's GLOB has it, which minds the case."""
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
