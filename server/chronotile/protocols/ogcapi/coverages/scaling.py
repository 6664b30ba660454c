"""How many cells an answer has: `scale-factor`, `scale-axes`, `scale-size`, `width`, `height` and `resolution`."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.coverage import ScaleFactors, ScaleSize
from chronotile.protocols.common.query.kvp import Kvp, integer, number
from chronotile.protocols.ogcapi.axes import HORIZONTAL, Axis, by_axis, members_of

KINDS: Mapping[str, tuple[str, ...]] = {
    "scale-factor": ("scale-factor",),
    "scale-axes": ("scale-axes",),
    "scale-size": ("scale-size",),
    "width and height": ("width", "height"),
    "resolution": ("resolution",),
}
"""Kinds of scaling with their parameters: of several, each would say how many cells there are."""
SCALING_PARAMETERS = tuple(name for names in KINDS.values() for name in names)
AS_OBSERVED: Mapping[str, str] = {"scale-axes": "1", "resolution": ""}
"""What leaves time as it is."""
LEAST, MOST = 1e-6, 1e9
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


def asked_scaling(query: Kvp) -> Scaling | None:
    """Return how an answer is to be scaled in space; `None` where it is not.

    Raises:
        InvalidParameter: A parameter is not accepted, time is to be scaled, or there are two kinds at once.
    """
    kinds = [kind for kind, names in KINDS.items() if any(query.optional(name) is not None for name in names)]
    if len(kinds) > 1:
        raise InvalidParameter(
            f"{' and '.join(kinds)} each say how many cells there are; give one of them", locator=_locator(query)
        )
    return _READERS[kinds[0]](query) if kinds else None


def _locator(query: Kvp) -> str:
    """The first of several that are there."""
    return next(name for name in SCALING_PARAMETERS if query.optional(name) is not None)


def _factor(query: Kvp) -> Scaling:
    factor = _positive(query.required("scale-factor"), locator="scale-factor")
    return ScaleFactors(x=factor, y=factor)


def _factors(query: Kvp) -> Scaling:
    factors = {axis: _positive(text, locator="scale-axes") for axis, text in _axes(query, "scale-axes").items()}
    return ScaleFactors(x=factors.get("x", 1.0), y=factors.get("y", 1.0), locator="scale-axes")


def _size(query: Kvp) -> Scaling:
    sizes = {axis: _cells(text) for axis, text in _axes(query, "scale-size").items()}
    width, height = sizes.get("x"), sizes.get("y")
    return ScaleSize(width=width, height=height) if width and height else PartialSize(width=width, height=height)


def _width_and_height(query: Kvp) -> Scaling:
    width, height = (
        None if (text := query.optional(name)) is None else integer(text, locator=name, least=1)
        for name in ("width", "height")
    )
    return ScaleSize(width=width, height=height, locator="height" if width is None else "width")


def _resolution(query: Kvp) -> Scaling:
    texts = {axis: text for axis, text in _axes(query, "resolution").items() if text}
    sizes = {axis: _positive(text, locator="resolution") for axis, text in texts.items()}
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
            f"{name} does not scale time: instants are given back as they were observed; select them with datetime, "
            "or reduce them with the time series API",
            locator=name,
        )
    return {axis: member.content for axis, member in axes.items()}


def _positive(text: str, *, locator: str) -> float:
    value = number(text, locator=locator)
    if not LEAST <= value <= MOST:
        raise InvalidParameter(f"{locator} must be from {LEAST:g} to {MOST:g}, got {text[:MAX_SHOWN]}", locator=locator)
    return value


def _cells(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise InvalidParameter(
            f"scale-size takes whole numbers of cells, got {text[:MAX_SHOWN]!r}", locator="scale-size"
        )
    return integer(text.partition(".")[0], locator="scale-size", least=1)
