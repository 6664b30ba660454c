"""How requests for coverages name axes and interpolations, and lists such as `Lat(40:50),Lon(10:20)`."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Resampling
from chronotile.protocols.common.query.kvp import Kvp

Axis = Literal["x", "y", "time"]

GEOGRAPHIC: dict[str, Axis] = {"lat": "y", "latitude": "y", "lon": "x", "long": "x", "longitude": "x"}
PROJECTED: dict[str, Axis] = {"x": "x", "y": "y", "e": "x", "n": "y", "easting": "x", "northing": "y"}
"""Axes by their names in lower case (OGC 19-087 /req/subsetting/subset E, /rec/subsetting/subset-crs-axis-names)."""
HORIZONTAL = GEOGRAPHIC | PROJECTED

MAX_MEMBERS = 16
MAX_TEXT = 20_000
# Nothing that may be a blank stands next to something else that may: what does not match is refused in linear time.
_MEMBER = re.compile(r"\s*(?P<name>[A-Za-z][\w.\-]{0,59})\s*\((?P<content>[^()]*)\)\s*", re.ASCII)


class Member(NamedTuple):
    """The entry of a list for one axis: `Lat(40:50)`."""

    name: str
    """As it was written."""
    content: str
    """Between the brackets, without blanks around."""


def members_of(text: str, *, locator: str) -> tuple[Member, ...]:
    """Return the members of a list such as `Lat(40:50),Lon(10:20)`.

    Raises:
        InvalidParameter: It is none, or too long.
    """
    members: list[Member] = []
    position = 0
    while True:
        found = _MEMBER.match(text, position) if len(text) <= MAX_TEXT and len(members) < MAX_MEMBERS else None
        if found is None:
            accepted = f"a list of up to {MAX_MEMBERS} axes such as Lat(...),Lon(...)"
            raise InvalidParameter(f"{locator} is {accepted}, got {text[:MAX_SHOWN]!r}", locator=locator)
        members.append(Member(found["name"], found["content"].strip()))
        position = found.end()
        if position == len(text):
            return tuple(members)
        if text[position] != ",":
            message = f"{locator} has {text[position : position + MAX_SHOWN]!r} where a comma or the end is expected"
            raise InvalidParameter(message, locator=locator)
        position += 1


def by_axis(
    members: Iterable[Member], known: dict[str, Axis], *, accepted: Iterable[str], locator: str
) -> dict[Axis, Member]:
    """Return members by their axes.

    Args:
        members: In any order.
        known: Axes by their names in lower case.
        accepted: Names that a message lists.
        locator: The parameter.

    Raises:
        InvalidParameter: A name is not known, or an axis is there twice.
    """
    listed: dict[Axis, Member] = {}
    for member in members:
        axis = known.get(member.name.lower())
        if axis is None:
            message = f"{locator} names an axis {member.name!r}, which is not there; use {', '.join(accepted)}"
            raise InvalidParameter(message, locator=locator)
        if axis in listed:
            twice = " and ".join(dict.fromkeys((listed[axis].name, member.name)))
            raise InvalidParameter(f"{locator} repeats an axis: {twice}", locator=locator)
        listed[axis] = member
    return listed


def query_of(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the parameters of a request, in which several `subset` are as one with commas (clause Q).

    Raises:
        InvalidParameter: Another name appears twice with different values.
    """
    listed = list(pairs)
    subsets = [value for name, value in listed if name.lower() == "subset" and value.strip()]
    others = [(name, value) for name, value in listed if name.lower() != "subset"]
    return Kvp([*others, ("subset", ",".join(subsets))] if subsets else others)


INTERPOLATIONS: Mapping[str, Resampling] = {
    "nearest": "nearest",
    "nearest-neighbor": "nearest",
    "nearest-neighbour": "nearest",
    "bilinear": "bilinear",
    "linear": "bilinear",
}
INTERPOLATION_URI = "http://www.opengis.net/def/interpolation/OGC/1/"
