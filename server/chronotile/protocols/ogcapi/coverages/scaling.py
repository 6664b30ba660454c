"""How many cells an answer has: `scale-factor`, `scale-axes`, `scale-size`, `width`, `height` and `resolution`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.coverage import ScaleFactors, ScaleSize
from chronotile.protocols.common.query.kvp import Kvp, integer
from chronotile.protocols.common.query.parameter import Parameter, names_of, number, text, whole
from chronotile.protocols.ogcapi.axes import HORIZONTAL, Axis, by_axis, members_of

LEAST, MOST = 1e-6, 1e9
SCALE_FACTOR = number("scale-factor", "How many cells become one along both axes", least=LEAST, most=MOST)
SCALE_AXES = text("scale-axes", "The same for each axis: `Lat(2),Lon(4)`")
SCALE_SIZE = text("scale-size", "How many cells each axis has: `Lat(100),Lon(200)`")
WIDTH = whole("width", "How many columns; rows follow where they are not given", least=1)
HEIGHT = whole("height", "How many rows; columns follow where they are not given", least=1)
RESOLUTION = text("resolution", "How wide a cell is along each axis, in units of the CRS: `Lat(0.1),Lon(0.1)`")
KINDS: Mapping[str, tuple[Parameter[object], ...]] = {
    "scale-factor": (SCALE_FACTOR,),
    "scale-axes": (SCALE_AXES,),
    "scale-size": (SCALE_SIZE,),
    "width and height": (WIDTH, HEIGHT),
    "resolution": (RESOLUTION,),
}
"""Kinds of scaling with their parameters; only one kind may be used, as each sets the number of cells."""
SCALING = tuple(each for parameters in KINDS.values() for each in parameters)
AS_OBSERVED: Mapping[str, str] = {"scale-axes": "1", "resolution": ""}
"""What leaves time as it is."""
_WHOLE = re.compile(r"\d{1,18}(?:\.0{1,18})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSize:
    """How many columns or rows an answer has; the axis that is not named keeps its native number."""

    width: int | None
    height: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """How wide and high a cell is, in units of the CRS of the answer; an axis left out keeps its native one."""

    x: float | None
    y: float | None


Scaling = ScaleFactors | ScaleSize | PartialSize | Resolution


def requested_scaling(query: Kvp) -> Scaling | None:
    """Return how an answer is to be scaled in space; `None` where it is not.

    Raises:
        InvalidParameter: A parameter is not accepted, time is to be scaled, or there are two kinds at once.
    """
    kinds = [kind for kind, each in KINDS.items() if any(query.optional(name) is not None for name in names_of(each))]
    if len(kinds) > 1:
        raise InvalidParameter(
            f"{' and '.join(kinds)} each set the number of cells; give one of them", locator=_locator(query)
        )
    return _READERS[kinds[0]](query) if kinds else None


def _locator(query: Kvp) -> str:
    """The first of several that are there."""
    return next(name for name in names_of(SCALING) if query.optional(name) is not None)


def _factor(query: Kvp) -> Scaling:
    factor = SCALE_FACTOR.of(query)
    return ScaleFactors(x=factor, y=factor)


def _factors(query: Kvp) -> Scaling:
    factors = {axis: _positive(part, locator="scale-axes") for axis, part in _axes(query, "scale-axes").items()}
    return ScaleFactors(x=factors.get("x", 1.0), y=factors.get("y", 1.0), locator="scale-axes")


def _size(query: Kvp) -> Scaling:
    sizes = {axis: _cells(part) for axis, part in _axes(query, "scale-size").items()}
    width, height = sizes.get("x"), sizes.get("y")
    return ScaleSize(width=width, height=height) if width and height else PartialSize(width=width, height=height)


def _width_and_height(query: Kvp) -> Scaling:
    width, height = WIDTH.given(query), HEIGHT.given(query)
    return ScaleSize(width=width, height=height, locator="height" if width is None else "width")


def _resolution(query: Kvp) -> Scaling:
    parts = {axis: part for axis, part in _axes(query, "resolution").items() if part}
    sizes = {axis: _positive(part, locator="resolution") for axis, part in parts.items()}
    return Resolution(x=sizes.get("x"), y=sizes.get("y"))


_READERS: Mapping[str, Callable[[Kvp], Scaling]] = {
    "scale-factor": _factor,
    "scale-axes": _factors,
    "scale-size": _size,
    "width and height": _width_and_height,
    "resolution": _resolution,
}


def _axes(query: Kvp, name: str) -> dict[Axis, str]:
    """What stands for each axis in space; time may be there where it keeps its instants: `time(1)`, `time()`."""
    members = members_of(query.required(name), locator=name)
    axes = by_axis(members, {**HORIZONTAL, "time": "time"}, accepted=("Lat", "Lon", "x", "y"), locator=name)
    time = axes.pop("time", None)
    if time is not None and time.content != AS_OBSERVED.get(name):
        raise InvalidParameter(
            f"{name} does not scale time: instants are returned as observed; select them with datetime, "
            "or reduce them with the time series API",
            locator=name,
        )
    return {axis: member.content for axis, member in axes.items()}


def _positive(given: str, *, locator: str) -> float:
    return number(locator, "", least=LEAST, most=MOST).parse(given)


def _cells(given: str) -> int:
    if not _WHOLE.fullmatch(given):
        raise InvalidParameter(
            f"scale-size takes whole numbers of cells, got {given[:MAX_SHOWN]!r}", locator="scale-size"
        )
    return integer(given.partition(".")[0], locator="scale-size", least=1)
