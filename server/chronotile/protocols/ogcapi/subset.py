"""The parameter `subset`: a part of a coverage along its axes (OGC 19-087 /req/subsetting/subset; OGC 20-058: maps)."""

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
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, LATEST, TimeSelection
from chronotile.protocols.common.query.axes import (
    GEOGRAPHIC,
    HORIZONTAL,
    PROJECTED,
    AxisMember,
    CoverageAxis,
    members_by_axis,
    members_of,
)
from chronotile.protocols.common.query.crs import named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter
from chronotile.protocols.common.query.values import number


def axis_names(*, is_geographic: bool) -> tuple[str, str]:
    """Return the names of the axes x and y in documents."""
    return ("Lon", "Lat") if is_geographic else ("x", "y")


OPEN = {"*", "..", ""}
MAX_COLONS = 16
_QUOTED_ENDS = re.compile(r'("[^"]*"\s*|[^":]*):(\s*"[^"]*"|[^"]*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePart:
    """The part of a coverage that `subset` requests."""

    trim: Trim | None = None
    """The part in space."""
    time: TimeSelection | None = None
    """`None` if `subset` has no axis `time`."""


def requested_subset(query: Kvp, layer: Layer, catalogue: Catalogue, *, has_time: bool) -> CoveragePart:
    """Return the part that `subset` and `subset-crs` request.

    Without `subset-crs`, `Lat` and `Lon` are in CRS84 (clause M), and `x` and `y` in the CRS of the layer, if it is
    projected. An axis `time` is accepted if `has_time`.

    Raises:
        ChronotileError: `subset` or `subset-crs` is not accepted.
    """
    text, crs_name = query.optional("subset"), query.optional("subset-crs")
    requested_crs = None if crs_name is None else named_crs(crs_name, layer, catalogue, locator="subset-crs")
    if text is None:
        return CoveragePart()
    members = members_of(text, locator="subset")
    native_crs = layer.main_variable.grid.crs
    crs = requested_crs
    if crs is None:  # the first horizontal axis names the CRS; the second axis must belong to it
        first = next((name for member in members if (name := member.name.lower()) in HORIZONTAL), "lat")
        crs = native_crs if first in PROJECTED and not native_crs.is_geographic else CRS84
    axis_of_name: dict[str, CoverageAxis] = GEOGRAPHIC if crs.is_geographic else PROJECTED
    # Messages list the axes of the requested CRS, or all axes that need no `subset-crs`.
    kinds = [requested_crs.is_geographic] if requested_crs else [True] if native_crs.is_geographic else [True, False]
    accepted = tuple(name for is_geographic in kinds for name in axis_names(is_geographic=is_geographic))
    if has_time:
        axis_of_name, accepted = {**axis_of_name, "time": "time"}, (*accepted, "time")
    axes = members_by_axis(members, axis_of_name, accepted=accepted, locator="subset")
    times = axes.pop("time", None)
    return CoveragePart(trim=_trim(axes, crs) if axes else None, time=None if times is None else _times(times))


def _trim(axes: dict[CoverageAxis, AxisMember], crs: Crs) -> Trim:
    (xmin, xmax), (ymin, ymax) = (_edges(axes.get(axis)) for axis in ("x", "y"))
    for member, is_wrong in ((axes.get("x"), xmin > xmax and not crs.is_geographic), (axes.get("y"), ymin > ymax)):
        if member is not None and is_wrong:
            message = f"subset of {member.name} goes from low to high, got {member.content[:MAX_SHOWN]!r}"
            raise InvalidParameter(message, locator="subset")
    return Trim(box=BBox(xmin, ymin, xmax, ymax), crs=crs, locator="subset")


def _edges(member: AxisMember | None) -> tuple[float, float]:
    """Return the lower and the upper edge of an axis: equal for one position, infinite if open."""
    if member is None:
        return -math.inf, math.inf
    parts = [_unquote(part) for part in member.content.split(":", 2)]
    if len(parts) > 2 or (len(parts) == 1 and parts[0] in OPEN):
        raise _no_position(member)
    low = -math.inf if parts[0] in OPEN else _position(parts[0], member)
    return low, math.inf if parts[-1] in OPEN else _position(parts[-1], member)


def _position(text: str, member: AxisMember) -> float:
    try:
        return number(text, locator="subset")
    except InvalidParameter as error:
        raise _no_position(member) from error


def _no_position(member: AxisMember) -> InvalidParameter:
    return InvalidParameter(
        f"subset of {member.name} takes a number, or two as low:high, one of them * for an open end, got "
        f"{member.content[:MAX_SHOWN]!r}",
        locator="subset",
    )


def _times(member: AxisMember) -> TimeSelection:
    """Return the times of `time(…)`: an instant, a list, or an interval `low:high`; a single `*` is the latest."""
    if _unquote(member.content) == "*":
        return LATEST
    ends = next((pair for pair in _possible_ends(member.content) if all(_is_end(end) for end in pair)), None)
    if ends is not None and ends[0] in OPEN and ends[1] in OPEN:
        return ABSENT
    single = ",".join(_unquote(part) for part in member.content.split(","))
    try:
        return parse_time("/".join(end or ".." for end in ends) if ends else single or "()")
    except InvalidParameter as error:
        raise InvalidParameter(f"subset of {member.name}: {error.message}", locator="subset") from error


def _possible_ends(content: str) -> Iterable[tuple[str, str]]:
    """Return the texts before and after each colon, as candidates for the ends of an interval.

    Without quotes, the colons of a time of day look like the separator. A text that is an instant as a whole, like
    `2020-06-01T10:50:00Z`, has no candidates.
    """
    if '"' in content:
        ends = _QUOTED_ENDS.fullmatch(content)
        return [] if ends is None else [(_unquote(ends[1]), _unquote(ends[2]))]
    if _is_end(content):
        return []
    colons = [index for index, letter in enumerate(content) if letter == ":"][:MAX_COLONS]
    return [(_unquote(content[:index]), _unquote(content[index + 1 :])) for index in colons]


def _is_end(text: str) -> bool:
    if text in OPEN:
        return True
    try:
        return bool(parse_time(text).parts) and not set(text) & {"/", ","}
    except InvalidParameter:
        return False


def _unquote(text: str) -> str:
    return text.strip().strip('"').strip()


def named_fields(
    query: Kvp, parameter: Parameter[str], offered: OfferedCollection, *, has_any_grid: bool = False
) -> tuple[Layer, ...]:
    """Return the layers of a list of field names or layer ids, without duplicates; none if the parameter is absent.

    With `has_any_grid`, variables on grids other than the coverage's are accepted, too.

    Raises:
        InvalidParameter: A name is not a field; the message lists the fields.
    """
    name, text = parameter.name, parameter.optional(query)
    if text is None:
        return ()
    by_variable = {layer.main_variable.name: layer for layer in offered.layers if not layer.is_composite}
    fields = by_variable if has_any_grid else offered.fields
    accepted = {layer.id: layer for layer in fields.values()} | fields
    layers: dict[str, Layer] = {}
    for field in (part.strip() for part in text.split(",")):
        if field not in accepted:
            hint = f"; its grid is different: use collection {by_variable[field].id}" if field in by_variable else ""
            more = " and others" if len(offered.fields) > MAX_LISTED else ""
            listed = ", ".join(islice(offered.fields, MAX_LISTED)) + more
            message = f"{name} names a field {field[:MAX_SHOWN]!r}; accepted are {listed}{hint}"
            raise InvalidParameter(message, locator=name)
        layers[accepted[field].id] = accepted[field]
    return tuple(layers.values())
