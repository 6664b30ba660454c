"""The words of `$filter` (OData 4.01 URL conventions §5.1.1), and the values that some of them are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant

# Conditions of `$filter` as values, before they become CQL2.


@dataclass(frozen=True, slots=True)
class Moment:
    """A time."""

    text: str
    """RFC 3339, in UTC."""


Literal = str | int | float | bool | UUID | Moment


@dataclass(frozen=True, slots=True)
class Comparison:
    """A property and a value."""

    path: str
    operator: str
    """One of `eq`, `ne`, `lt`, `le`, `gt`, `ge`."""
    value: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """A property that has one of some values."""

    path: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A property whose text has a part."""

    path: str
    function: str
    """One of `contains`, `startswith`, `endswith`."""
    text: str


@dataclass(frozen=True, slots=True)
class Intersects:
    """A footprint that meets a geometry."""

    geometry: Mapping[str, Any]
    """GeoJSON, longitude first."""


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """An attribute whose value holds a condition."""

    name: str
    type: str
    """`String`, `Double`, …"""
    condition: "Condition"
    """With `VALUE` as the path of its comparisons."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions, of which all or any have to hold."""

    parts: tuple["Condition", ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Negated:
    """A condition that may not hold."""

    part: "Condition"


Condition = Comparison | Membership | TextMatch | Intersects | AttributeTest | Joined | Negated

VALUE = "Value"
NAME_OF_ATTRIBUTE = "Name"


def join(parts: list[Condition], *, is_all: bool) -> Condition:
    """Return several conditions as one; those within that are joined in the same way become its parts."""
    if len(parts) == 1:
        return parts[0]
    flat = list[Condition]()
    for part in parts:
        flat += part.parts if isinstance(part, Joined) and part.is_all == is_all else (part,)
    return Joined(tuple(flat), is_all)


def conjuncts(condition: Condition) -> tuple[Condition, ...]:
    """Return the conditions that all have to hold."""
    return condition.parts if isinstance(condition, Joined) and condition.is_all else (condition,)


MOST_TEXT = 100_000
"""Characters of a filter."""
FILTER = "$filter"
_TOKEN = re.compile(
    r"""\s*+(?:
      (?P<geography>geo(?:graphy|metry)'[^']*+')
    | (?P<text>'(?:[^']|'')*+')
    | (?P<guid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\w-]))
    | (?P<time>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?(?:Z|[+-]\d\d:\d\d)?)?(?![\w:.-]))
    | (?P<number>[+-]?\d{1,40}(?:\.\d{1,40})?(?:e[+-]?\d{1,3})?(?![\w.]))
    | (?P<name>[a-z_][\w.]{0,127}(?:/[a-z_][\w.]{0,127}){0,4}(?![\w./]))
    | (?P<sign>[(),:=])
    | (?P<end>\Z)
    )""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a filter."""

    kind: str
    text: str
    position: int
    """Of its first character, counted from 1."""

    @property
    def word(self) -> str:
        """The word in lower case, or nothing of a literal."""
        return self.text.lower() if self.kind in {"name", "sign"} else ""


def tokens_of(text: str) -> list[Token]:
    """Return the words of a filter; the last one is its end.

    Raises:
        InvalidParameter: It is too long, or has characters that are none.
    """
    if len(text) > MOST_TEXT:
        raise refused(f"has {len(text)} characters; at most {MOST_TEXT} are accepted")
    tokens, at = list[Token](), 0
    while not tokens or tokens[-1].kind != "end":
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            at = len(text) - len(text[at:].lstrip())
            raise refused(f"cannot be read from character {at + 1}: {text[at : at + MAX_SHOWN]!r}")
        kind = found.lastgroup
        tokens.append(Token(kind, found[kind], found.start(kind) + 1))
        at = found.end()
    return tokens


def literal_of(token: Token) -> Literal | None:
    """Return the value of a word; `None`: it has none.

    Raises:
        InvalidParameter: It is a time that does not exist.
    """
    if token.kind == "text":
        return token.text[1:-1].replace("''", "'")
    if token.kind == "number":
        is_whole = token.text.lstrip("+-").isdigit()
        return int(token.text) if is_whole else float(token.text)
    if token.kind == "guid":
        return UUID(token.text)
    if token.kind == "time":
        return moment_of(token.text)
    return {"true": True, "false": False}.get(token.word)


def literal_of_text(text: str) -> Literal | None:
    """Return the value of a text that is one word; `None`: it is not.

    Raises:
        InvalidParameter: It has characters that are none, or is a time that does not exist.
    """
    token, *others = tokens_of(text)
    return literal_of(token) if [each.kind for each in others] == ["end"] else None


def moment_of(text: str) -> Moment:
    """Return a time; without a zone it is UTC, a date its first moment.

    Raises:
        InvalidParameter: It does not exist.
    """
    try:
        return Moment(format_instant(parse_instant(text).start))
    except InvalidParameter as error:
        raise refused(f"has the time {text[:MAX_SHOWN]!r}; accepted: 2024-05-01T10:30:00.000Z") from error


def refused(why: str) -> InvalidParameter:
    """Return the error of a filter that is not accepted."""
    return InvalidParameter(f"{FILTER} {why}", locator=FILTER)
