"""`subset`: parts of a coverage along its axes (OGC 19-087 /req/subsetting/subset; OGC 20-058 has it of maps too)."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from chronotile.catalog.catalogue import MAX_LISTED, Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import Trim
from chronotile.core.model.crs import CRS84, Crs
from chronotile.core.model.grid import BBox
from chronotile.core.model.time.instants import ABSENT, LATEST, TimeSelection
from chronotile.core.model.time.parser import parse_time
from chronotile.protocols.common.query.axes import GEOGRAPHIC, HORIZONTAL, PROJECTED, Axis, Member, by_axis, members_of
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp, number
from chronotile.protocols.common.query.parameter import Parameter


def axis_names(*, is_geographic: bool) -> tuple[str, str]:
    """Return what the axes x and y are called in documents."""
    return ("Lon", "Lat") if is_geographic else ("x", "y")


OPEN = {"*", "..", ""}
MAX_COLONS = 16
_QUOTED_ENDS = re.compile(r'("[^"]*"\s*|[^":]*):(\s*"[^"]*"|[^"]*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """The part of a coverage that `subset` selects."""

    trim: Trim | None = None
    """In space."""
    time: TimeSelection | None = None
    """`None` where it does not speak of time."""


def requested_subset(query: Kvp, layer: Layer, catalogue: Catalogue, *, has_time: bool) -> Subset:
    """Return the part that `subset` and `subset-crs` select.

    Without `subset-crs`, `Lat` and `Lon` are in CRS84 (clause M), `x` and `y` in the layer's own CRS where that is
    projected.

    Args:
        query: Of the request.
        layer: Whose CRS it is.
        catalogue: All that is served.
        has_time: Whether there is an axis `time`.

    Raises:
        ChronotileError: One of them is not accepted.
    """
    text, crs_name = query.optional("subset"), query.optional("subset-crs")
    named = None if crs_name is None else named_crs(crs_name, layer, catalogue, locator="subset-crs")
    if text is None:
        return Subset()
    members = members_of(text, locator="subset")
    own = layer.main_variable.grid.crs
    crs = named
    if crs is None:  # that whose axes are named first: that of the others must be the same
        first = next((name for member in members if (name := member.name.lower()) in HORIZONTAL), "lat")
        crs = own if first in PROJECTED and not own.is_geographic else CRS84
    known: dict[str, Axis] = GEOGRAPHIC if crs.is_geographic else PROJECTED
    # Messages list the axes of the CRS that is named, else of all that do without.
    kinds = [named.is_geographic] if named else [True] if own.is_geographic else [True, False]
    accepted = tuple(name for is_geographic in kinds for name in axis_names(is_geographic=is_geographic))
    if has_time:
        known, accepted = {**known, "time": "time"}, (*accepted, "time")
    axes = by_axis(members, known, accepted=accepted, locator="subset")
    times = axes.pop("time", None)
    return Subset(trim=_trim(axes, crs) if axes else None, time=None if times is None else _times(times))


def _trim(axes: dict[Axis, Member], crs: Crs) -> Trim:
    (xmin, xmax), (ymin, ymax) = (_edges(axes.get(axis)) for axis in ("x", "y"))
    for member, is_wrong in ((axes.get("x"), xmin > xmax and not crs.is_geographic), (axes.get("y"), ymin > ymax)):
        if member is not None and is_wrong:
            message = f"subset of {member.name} goes from low to high, got {member.content[:MAX_SHOWN]!r}"
            raise InvalidParameter(message, locator="subset")
    return Trim(box=BBox(xmin, ymin, xmax, ymax), crs=crs, locator="subset")


def _edges(member: Member | None) -> tuple[float, float]:
    """The two edges of an axis, equal for a slice, infinite where it is open."""
    if member is None:
        return -math.inf, math.inf
    parts = [_unquoted(part) for part in member.content.split(":", 2)]
    if len(parts) > 2 or (len(parts) == 1 and parts[0] in OPEN):
        raise _no_position(member)
    low = -math.inf if parts[0] in OPEN else _position(parts[0], member)
    return low, math.inf if parts[-1] in OPEN else _position(parts[-1], member)


def _position(text: str, member: Member) -> float:
    try:
        return number(text, locator="subset")
    except InvalidParameter as error:
        raise _no_position(member) from error


def _no_position(member: Member) -> InvalidParameter:
    return InvalidParameter(
        f"subset of {member.name} takes a number, or two as low:high of which one may be *, got "
        f"{member.content[:MAX_SHOWN]!r}",
        locator="subset",
    )


def _times(member: Member) -> TimeSelection:
    """What `time(...)` selects: an instant, a list of them, or an interval `low:high`; `*` alone is the latest."""
    if _unquoted(member.content) == "*":
        return LATEST
    between = next((ends for ends in _halves(member.content) if all(_is_end(end) for end in ends)), None)
    if between is not None and between[0] in OPEN and between[1] in OPEN:
        return ABSENT
    single = ",".join(_unquoted(part) for part in member.content.split(","))
    try:
        return parse_time("/".join(end or ".." for end in between) if between else single or "()")
    except InvalidParameter as error:
        raise InvalidParameter(f"subset of {member.name}: {error.message}", locator="subset") from error


def _halves(content: str) -> Iterable[tuple[str, str]]:
    """What stands before and after each colon: without quotes, colons of the times of a day look like the one between.

    The whole goes first: `2020-06-01T10:50:00Z` is an instant.
    """
    if '"' in content:
        ends = _QUOTED_ENDS.fullmatch(content)
        return [] if ends is None else [(_unquoted(ends[1]), _unquoted(ends[2]))]
    if _is_end(content):
        return []
    colons = [place for place, letter in enumerate(content) if letter == ":"][:MAX_COLONS]
    return [(_unquoted(content[:place]), _unquoted(content[place + 1 :])) for place in colons]


def _is_end(text: str) -> bool:
    """Whether an interval may begin or end with it."""
    if text in OPEN:
        return True
    try:
        return bool(parse_time(text).parts) and not set(text) & {"/", ","}
    except InvalidParameter:
        return False


def _unquoted(text: str) -> str:
    return text.strip().strip('"').strip()


def named_fields(
    query: Kvp, parameter: Parameter[str], offered: OfferedCollection, *, of_any_grid: bool = False
) -> tuple[Layer, ...]:
    """Return the layers that a list names, each once, by the names of fields or the ids of layers; none without a list.

    Args:
        query: Of the request.
        parameter: That has the list.
        offered: The collection.
        of_any_grid: Whether variables on other grids than that of the coverage may be named too.

    Raises:
        InvalidParameter: One is not a field; the message names those that are.
    """
    name, given = parameter.name, parameter.given(query)
    if given is None:
        return ()
    elsewhere = {layer.main_variable.name: layer for layer in offered.layers if not layer.is_composite}
    fields = elsewhere if of_any_grid else offered.fields
    known = {layer.id: layer for layer in fields.values()} | fields
    layers: dict[str, Layer] = {}
    for field in (part.strip() for part in given.split(",")):
        if field not in known:
            hint = f"; its grid is different: use collection {elsewhere[field].id}" if field in elsewhere else ""
            others = " and others" if len(offered.fields) > MAX_LISTED else ""
            listed = ", ".join(islice(offered.fields, MAX_LISTED)) + others
            message = f"{name} names a field {field[:MAX_SHOWN]!r}; accepted are {listed}{hint}"
            raise InvalidParameter(message, locator=name)
        layers[known[field].id] = known[field]
    return tuple(layers.values())
