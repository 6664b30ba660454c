"""Conditions of `$filter`, before they are translated into CQL2."""

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
    """A comparison of a property with a value."""

    path: str
    operator: str
    """`eq`, `ne`, `lt`, `le`, `gt` or `ge`."""
    value: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    """A condition that a property is in a list of values."""

    path: str
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class TextMatch:
    """A condition that the text of a property contains, starts or ends with another text."""

    path: str
    function: str
    """`contains`, `startswith` or `endswith`."""
    text: str


@dataclass(frozen=True, slots=True)
class Intersects:
    """A condition that the footprint meets a geometry."""

    geometry: Mapping[str, Any]
    """GeoJSON, longitude first."""


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """A condition on the value of an attribute."""

    name: str
    type: str
    """`String`, `Double`, …"""
    condition: "ODataCondition"
    """Condition on the value, whose comparisons have the path `VALUE`."""


@dataclass(frozen=True, slots=True)
class JoinedConditions:
    """Several conditions; all or any of them must be true."""

    parts: tuple["ODataCondition", ...]
    is_all: bool


@dataclass(frozen=True, slots=True)
class Negated:
    """A condition that must not be true."""

    part: "ODataCondition"


ODataCondition = Comparison | Membership | TextMatch | Intersects | AttributeTest | JoinedConditions | Negated

VALUE = "Value"
NAME_OF_ATTRIBUTE = "Name"


def join(parts: list[ODataCondition], *, is_all: bool) -> ODataCondition:
    """Return several conditions as one; parts of parts that are joined in the same way become its parts."""
    if len(parts) == 1:
        return parts[0]
    flat = list[ODataCondition]()
    for part in parts:
        flat += part.parts if isinstance(part, JoinedConditions) and part.is_all == is_all else (part,)
    return JoinedConditions(tuple(flat), is_all)


def conjuncts(condition: ODataCondition) -> tuple[ODataCondition, ...]:
    """Return the conditions that must all be true."""
    return condition.parts if isinstance(condition, JoinedConditions) and condition.is_all else (condition,)
