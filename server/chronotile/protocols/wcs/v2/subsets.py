"""Trims and slices of a coverage along its axes (OGC 09-110r4 §8.4.1, 09-147r3 §6.3, 11-053r1)."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.coverage import Trim
from chronotile.core.model.crs import Crs
from chronotile.core.model.grid import BBox
from chronotile.core.model.time.instants import ABSENT, TimeSelection, format_instant
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.encoders.coverage.gml import axis_labels
from chronotile.protocols.common.query.axes import GEOGRAPHIC, PROJECTED, Axis, Member, by_axis, members_of
from chronotile.protocols.common.query.crs import check_degrees
from chronotile.protocols.common.query.kvp import number
from chronotile.protocols.wcs.faults import refusal

LOCATOR = "subset"
OPEN = "*"
_SECONDS = re.compile(r"-?\d{1,10}(\.\d{1,9})?", re.ASCII)
"""Coordinates of the axis `time`; of four digits alone it is a year."""
MOST_SECONDS = 9_200_000_000
"""Before the end of the years that are served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """The part of a coverage that trims and slices leave."""

    trims: tuple[Trim, ...]
    time: TimeSelection
    sliced: frozenset[Axis]
    """Axes that the answer no longer has."""


def axes_by_label(text: str, crs: Crs, *, has_time: bool, locator: str, unknown: str) -> Mapping[Axis, Member]:
    """Return the members of a list `axis(...),axis(...)` by their axes.

    Args:
        text: The list.
        crs: Whose axes they are, under the labels of documents or other names that are usual.
        has_time: Whether there is an axis `time`.
        locator: The parameter.
        unknown: The code for a label that is none or twice there, of the standard that defines the parameter.

    Raises:
        InvalidParameter: With the code.
    """
    members = members_of(text, locator=locator)
    labels = axis_labels(crs)
    own: dict[str, Axis] = {label.lower(): axis for axis, label in labels.items()}
    known = {**(GEOGRAPHIC if crs.is_geographic else PROJECTED), **own}
    accepted = tuple(labels.values())
    if has_time:
        known, accepted = {**known, "time": "time"}, (*accepted, "time")
    try:
        return by_axis(members, known, accepted=accepted, locator=locator)
    except InvalidParameter as error:
        raise refusal(unknown, error.message, locator=locator) from error


def requested_subset(texts: str | None, crs: Crs, *, has_time: bool) -> Subset:
    """Return what SUBSET selects.

    Args:
        texts: All values, joined by commas.
        crs: Of the positions.
        has_time: Whether the coverage has an axis `time`.

    Raises:
        InvalidParameter: It is not accepted; with the code of the standard.
    """
    if texts is None:
        return Subset(trims=(), time=ABSENT, sliced=frozenset())
    axes = axes_by_label(texts, crs, has_time=has_time, locator=LOCATOR, unknown="InvalidAxisLabel")
    ends = {axis: _ends(member) for axis, member in axes.items()}
    time = ABSENT if "time" not in ends else _times(ends["time"], axes["time"])
    space = {axis: _positions(ends[axis], axes[axis]) for axis in axes if axis != "time"}
    everywhere = (-math.inf, math.inf)
    (xmin, xmax), (ymin, ymax) = (space.get(axis, everywhere) for axis in ("x", "y"))
    trims = (Trim(box=BBox(xmin, ymin, xmax, ymax), crs=crs, locator=LOCATOR),) if space else ()
    try:
        for trim in trims:
            check_degrees(trim.box, crs, locator=LOCATOR)
    except InvalidParameter as error:
        raise refusal("InvalidSubsetting", error.message, locator=LOCATOR) from error
    sliced = frozenset(axis for axis, own in ends.items() if len(own) == 1)
    return Subset(trims=trims, time=time, sliced=sliced)


def _ends(member: Member) -> tuple[str, ...]:
    """One text of a slice, two of a trim."""
    parts = tuple(part.strip() for part in member.content.split(","))
    if len(parts) > 2 or not all(parts) or parts == (OPEN,):
        raise _invalid(member, "takes one position, or two as low,high of which either may be *")
    return parts


def _positions(ends: Iterable[str], member: Member) -> tuple[float, float]:
    texts = tuple(ends)
    try:
        low = -math.inf if texts[0] == OPEN else number(texts[0], locator=LOCATOR)
        high = math.inf if texts[-1] == OPEN else number(texts[-1], locator=LOCATOR)
    except InvalidParameter as error:
        raise _invalid(member, "takes numbers") from error
    if low > high:
        raise _invalid(member, "goes from low to high")
    return low, high


def _times(ends: Iterable[str], member: Member) -> TimeSelection:
    texts = [".." if end == OPEN else _time_text(end) for end in ends]
    if texts == ["..", ".."]:
        return ABSENT
    try:
        return parse_time("/".join(texts))
    except InvalidParameter as error:
        raise _invalid(member, error.message) from error


def _time_text(end: str) -> str:
    """A time as it is written, of which a plain number is seconds since 1970, the coordinate in documents."""
    plain = end.strip('"').strip()
    if plain != end or len(plain) == 4 or _SECONDS.fullmatch(plain) is None or abs(float(plain)) > MOST_SECONDS:
        return plain or "-"
    return format_instant(np.datetime64(round(float(plain) * 1e9), "ns"))


def _invalid(member: Member, what: str) -> InvalidParameter:
    message = f"{LOCATOR} of {member.name} {what}; got {member.content[:MAX_SHOWN]!r}"
    return refusal("InvalidSubsetting", message, locator=LOCATOR)
