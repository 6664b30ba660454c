"""Axes and interpolations of coverage requests, and lists such as `Lat(40:50),Lon(10:20)`."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Resampling
from chronotile.protocols.common.query.kvp import Kvp

CoverageAxis = Literal["x", "y", "time"]

GEOGRAPHIC: dict[str, CoverageAxis] = {"lat": "y", "latitude": "y", "lon": "x", "long": "x", "longitude": "x"}
PROJECTED: dict[str, CoverageAxis] = {"x": "x", "y": "y", "e": "x", "n": "y", "easting": "x", "northing": "y"}
"""Axes by their names in lower case (OGC 19-087 /req/subsetting/subset E, /rec/subsetting/subset-crs-axis-names)."""
HORIZONTAL = GEOGRAPHIC | PROJECTED

MAX_MEMBERS = 16
MAX_TEXT = 20_000
# Adjacent parts never both match a blank, so refusing a text takes linear time.
_MEMBER = re.compile(r"\s*(?P<name>[A-Za-z][\w.\-]{0,59})\s*\((?P<content>[^()]*)\)\s*", re.ASCII)


class AxisMember(NamedTuple):
    """Entry of a list for one axis: `Lat(40:50)`."""

    name: str
    content: str
    """Text between the brackets, without surrounding blanks."""


def members_of(text: str, *, locator: str) -> tuple[AxisMember, ...]:
    """Return the members of a list such as `Lat(40:50),Lon(10:20)`.

    Raises:
        InvalidParameter: The text is not a list, or is too long.
    """
    members: list[AxisMember] = []
    position = 0
    while True:
        match = _MEMBER.match(text, position) if len(text) <= MAX_TEXT and len(members) < MAX_MEMBERS else None
        if match is None:
            accepted = f"a list of up to {MAX_MEMBERS} axes such as Lat(...),Lon(...)"
            raise InvalidParameter(f"{locator} is {accepted}, got {text[:MAX_SHOWN]!r}", locator=locator)
        members.append(AxisMember(match["name"], match["content"].strip()))
        position = match.end()
        if position == len(text):
            return tuple(members)
        if text[position] != ",":
            message = f"{locator} has {text[position : position + MAX_SHOWN]!r} where a comma or the end is expected"
            raise InvalidParameter(message, locator=locator)
        position += 1


def members_by_axis(
    members: Iterable[AxisMember], axes: dict[str, CoverageAxis], *, accepted: Iterable[str], locator: str
) -> dict[CoverageAxis, AxisMember]:
    """Return members by axis.

    Args:
        members: Entries in any order.
        axes: Axes by their names in lower case.
        accepted: Names listed in messages.
        locator: Name of the parameter.

    Raises:
        InvalidParameter: A name is unknown, or an axis is repeated.
    """
    listed: dict[CoverageAxis, AxisMember] = {}
    for member in members:
        axis = axes.get(member.name.lower())
        if axis is None:
            message = f"{locator} names an axis {member.name!r}, which is not there; use {', '.join(accepted)}"
            raise InvalidParameter(message, locator=locator)
        if axis in listed:
            twice = " and ".join(dict.fromkeys((listed[axis].name, member.name)))
            raise InvalidParameter(f"{locator} repeats an axis: {twice}", locator=locator)
        listed[axis] = member
    return listed


def query_of(pairs: Iterable[tuple[str, str]]) -> Kvp:
    """Return the parameters of a request; several `subset` become one list with commas (OGC 19-087 clause Q).

    Raises:
        InvalidParameter: Another parameter is repeated with different values.
    """
    parameters = list(pairs)
    subsets = [value for name, value in parameters if name.lower() == "subset" and value.strip()]
    remaining = [(name, value) for name, value in parameters if name.lower() != "subset"]
    return Kvp([*remaining, ("subset", ",".join(subsets))] if subsets else remaining)


INTERPOLATIONS: Mapping[str, Resampling] = {
    "nearest": "nearest",
    "nearest-neighbor": "nearest",
    "nearest-neighbour": "nearest",
    "bilinear": "bilinear",
    "linear": "bilinear",
}
INTERPOLATION_URI = "http://www.opengis.net/def/interpolation/OGC/1/"
