"""Trims and slices of a coverage along its axes (OGC 09-110r4 §8.4.1, 09-147r3 §6.3, 11-053r1)."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.coverage import Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import InstantArray
from chronotile.protocols.common.query.axes import (
    GEOGRAPHIC,
    PROJECTED,
    AxisMember,
    CoverageAxis,
    members_by_axis,
    members_of,
)
from chronotile.protocols.common.query.crs import check_degrees
from chronotile.protocols.common.query.values import number
from chronotile.protocols.wcs.faults import refusing
from chronotile.protocols.wcs.v2.gml import axis_labels, seconds_of

LOCATOR = "subset"
OPEN = "*"
_SECONDS = re.compile(r"-?\d{1,10}(\.\d{1,9})?([eE][+-]?\d{1,2})?", re.ASCII)
"""Coordinate on the axis `time`, an XML double (09-110r4 requirements 32, 33); four digits are a year."""
MAX_SECONDS = 9_200_000_000
"""Seconds since 1970 that are still inside the supported years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subset:
    """The part of a coverage that trims and slices select."""

    trims: tuple[Trim, ...] = ()
    time: TimeSelection = ABSENT
    sliced: frozenset[CoverageAxis] = frozenset()
    """Axes that slices remove from the answer."""


def axes_by_label(text: str, crs: Crs, *, has_time: bool, locator: str, unknown: str) -> dict[CoverageAxis, AxisMember]:
    """Return the members of a list `axis(...),axis(...)` by axis.

    Args:
        text: The list.
        crs: CRS of the axes, which may have the labels of documents or other usual names.
        has_time: Whether there is an axis `time`.
        locator: The parameter.
        unknown: Code of the standard for unknown or repeated labels.

    Raises:
        InvalidParameter: A label is unknown or repeated.
    """
    members, labels = members_of(text, locator=locator), axis_labels(crs)
    if has_time:
        labels["time"] = "time"
    axes = (GEOGRAPHIC if crs.is_geographic else PROJECTED) | {label.lower(): axis for axis, label in labels.items()}
    with refusing(unknown, locator=locator):
        accepted = (*labels.values(), "or those of the CRS that SUBSETTINGCRS names")
        return members_by_axis(members, axes, accepted=accepted, locator=locator)


def requested_subset(texts: str | None, crs: Crs, instants: InstantArray) -> Subset:
    """Return the part of a coverage that SUBSET selects.

    Args:
        texts: All values of SUBSET, joined by commas.
        crs: CRS of the positions.
        instants: Instants (time,) of the coverage; without any it has no axis `time`.

    Raises:
        InvalidParameter: SUBSET is not accepted; has the code of the standard.
    """
    if texts is None:
        return Subset()
    axes = axes_by_label(texts, crs, has_time=instants.size > 0, locator=LOCATOR, unknown="InvalidAxisLabel")
    with refusing("InvalidSubsetting", locator=LOCATOR):
        ends = {axis: _ends(member) for axis, member in axes.items()}
        time = _times(ends["time"], instants) if "time" in ends else ABSENT
        (xmin, xmax), (ymin, ymax) = (_positions(axes.get(axis), ends.get(axis, (OPEN,))) for axis in ("x", "y"))
        box = BBox(xmin, ymin, xmax, ymax)
        check_degrees(box, crs, locator=LOCATOR)
    trims = (Trim(box=box, crs=crs, locator=LOCATOR),) if ends.keys() - {"time"} else ()
    return Subset(
        trims=trims, time=time, sliced=frozenset(axis for axis, positions in ends.items() if len(positions) == 1)
    )


def _ends(member: AxisMember) -> Sequence[str]:
    """Return one text for a slice, two for a trim."""
    parts = [part.strip() for part in member.content.split(",")]
    if len(parts) > 2 or not all(parts) or parts == [OPEN]:
        raise _invalid(member, "takes one position, or two as low,high of which either may be *")
    return parts


def _positions(member: AxisMember | None, ends: Sequence[str]) -> tuple[float, float]:
    locator = LOCATOR if member is None else f"{LOCATOR} of {member.name}"
    low = -math.inf if ends[0] == OPEN else number(ends[0], locator=locator)
    high = math.inf if ends[-1] == OPEN else number(ends[-1], locator=locator)
    if member is not None and low > high:
        raise _invalid(member, "goes from low to high")
    return low, high


def _times(ends: Sequence[str], instants: InstantArray) -> TimeSelection:
    texts = [".." if end == OPEN else _time_text(end, instants) for end in ends]
    return ABSENT if texts == ["..", ".."] else parse_time("/".join(texts))


def _time_text(end: str, instants: InstantArray) -> str:
    """Return the text of a time; a plain number means seconds since 1970, as in documents.

    Documents state seconds as float64, which cannot express all nanoseconds: a stated number means its instant.
    """
    plain = end.strip('"').strip()
    if plain != end or len(plain) == 4 or _SECONDS.fullmatch(plain) is None or abs(float(plain)) > MAX_SECONDS:
        return plain or "-"
    described = instants[seconds_of(instants) == float(plain)]
    return format_instant(described[0] if described.size else np.datetime64(round(Decimal(plain).scaleb(9)), "ns"))


def _invalid(member: AxisMember, what: str) -> InvalidParameter:
    message = f"{LOCATOR} of {member.name} {what}; got {member.content[:MAX_SHOWN]!r}"
    return InvalidParameter(message, locator=LOCATOR)
