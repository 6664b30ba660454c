"""Conditions of `$filter` as values, before they become CQL2."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID


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
