"""Polygons of clients made valid (OGC 06-103r4 §6.1.11): rings that cross themselves or one another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter
from chronotile.model.area import Polygon

PAIRS_PER_EDGE = 6
"""Edges whose boxes overlap: of an outline each has itself and its two neighbours."""

FREE_PAIRS = 20_000
"""Of small polygons, which may be as tangled as they like: repair takes about 10 µs a pair."""

_REASON = re.compile(r"(?P<what>[^\[]+)\[(?P<x>\S+) (?P<y>\S+)\]")


@dataclass(frozen=True, slots=True, eq=False)
class Repaired:
    """What became of one polygon."""

    polygons: tuple[Polygon, ...]
    note: str | None = None
    """What was wrong with it; `None` where nothing was."""


def repaired(polygons: Sequence[Polygon], names: Sequence[str], *, locator: str) -> list[Repaired]:
    """Return each polygon as it is where it is valid, else what it covers: all that its outer ring turns round.

    Args:
        polygons: Closed rings of at least four positions.
        names: What messages call each.
        locator: The parameter they came in.

    Raises:
        InvalidParameter: One covers nothing, or is too tangled to be repaired; the message names it.
    """
    shapes = _shapes(polygons)
    is_valid = shapely.is_valid(shapes)
    done = [Repaired((polygon,)) for polygon in polygons]
    pairs = edges = 0
    for index in np.flatnonzero(~is_valid).tolist():
        reason = f"{_where(polygons[index])}{_told(shapely.is_valid_reason(shapes[index]))}"
        edges += sum(len(ring) - 1 for ring in polygons[index])
        pairs += _overlapping_pairs(polygons[index], at_most=PAIRS_PER_EDGE * edges + FREE_PAIRS - pairs)
        if pairs > PAIRS_PER_EDGE * edges + FREE_PAIRS:
            raise InvalidParameter(f"{names[index]} is too tangled to be repaired: {reason}", locator=locator)
        try:
            parts = _polygons(shapely.make_valid(shapes[index], method="structure", keep_collapsed=False))
        except shapely.GEOSException as error:  # of coordinates of far apart magnitudes
            raise InvalidParameter(f"{names[index]} cannot be repaired: {reason}", locator=locator) from error
        if not parts:
            raise InvalidParameter(f"{names[index]} covers no area: {reason}", locator=locator)
        done[index] = Repaired(parts, reason)
    return done


def united(areas: Sequence[Sequence[Polygon]], names: Sequence[str], *, locator: str) -> list[tuple[Polygon, ...]]:
    """Return the polygons of each area, of which no two overlap: as they are, or what they cover together.

    Args:
        areas: Valid polygons.
        names: What messages add to tell each area: nothing, or ` of feature 3`.
        locator: The parameter they came in.

    Raises:
        InvalidParameter: The polygons of one are too tangled with one another; the message names it.
    """
    done = [tuple(polygons) for polygons in areas]
    pairs = edges = 0
    for index, polygons in enumerate(done):
        if len(polygons) < 2 or not _boxes_overlap(shapes := _shapes(polygons)):
            continue
        if shapely.is_valid(shapely.multipolygons(shapes)):
            continue  # they touch at most: to unite thousands that do would take minutes
        rings = tuple(ring for polygon in polygons for ring in polygon)
        edges += sum(len(ring) - 1 for ring in rings)
        pairs += _overlapping_pairs(rings, at_most=PAIRS_PER_EDGE * edges + FREE_PAIRS - pairs)
        if pairs > PAIRS_PER_EDGE * edges + FREE_PAIRS:
            raise InvalidParameter(
                f"the polygons{names[index]} are too tangled with one another; send what they cover together",
                locator=locator,
            )
        try:
            done[index] = _polygons(shapely.union_all(shapes))
        except shapely.GEOSException as error:
            raise InvalidParameter(
                f"the polygons{names[index]} overlap and cannot be united; send what they cover together",
                locator=locator,
            ) from error
    return done


def _boxes_overlap(shapes: NDArray[np.object_]) -> bool:
    """Whether any two boxes do; some are asked for at once, each of which may overlap all."""
    tree = shapely.STRtree(shapes)
    some = (shapes[start : start + 16] for start in range(0, len(shapes), 16))
    return any(tree.query(each).shape[1] > len(each) for each in some)


def _shapes(polygons: Sequence[Polygon]) -> NDArray[np.object_]:
    rings = [ring for polygon in polygons for ring in polygon]
    ring_ends = np.cumsum([0, *(len(ring) for ring in rings)])
    polygon_ends = np.cumsum([0, *(len(polygon) for polygon in polygons)])
    shapes: NDArray[np.object_] = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, np.concatenate(rings), (ring_ends, polygon_ends)
    )
    return shapes


def _overlapping_pairs(polygon: Polygon, *, at_most: int) -> int:
    """Pairs of edges, of one ring or two, whose boxes overlap; counting ends soon after `at_most`.

    A hundred random vertices cross a thousand times, and what they enclose takes a second to find; a coast of a
    hundred thousand that crosses itself once takes little more than its reading.
    """
    edges = shapely.linestrings(np.concatenate([np.stack([ring[:-1], ring[1:]], axis=1) for ring in polygon]))
    tree = shapely.STRtree(edges)
    pairs = start = 0
    step = 8  # each of which may overlap all
    while start < len(edges) and pairs <= at_most:
        pairs += tree.query(edges[start : start + step]).shape[1]
        start += step
        step = min(2 * step, 4096) if pairs <= PAIRS_PER_EDGE * start else 8
    return pairs


def _where(polygon: Polygon) -> str:
    """The ring at fault, if it is one of several and alone at fault."""
    if len(polygon) == 1:
        return ""
    alone = shapely.is_valid(_shapes([(ring,) for ring in polygon]))
    return "" if alone.all() else f"ring {int(np.argmin(alone)) + 1}: "


def _told(reason: str) -> str:
    """`Self-intersection[4.55 50.85]` in words."""
    found = _REASON.fullmatch(reason)
    if found is None:
        return reason.lower()
    return f"{found['what'].lower()} at {float(found['x']):.10g} {float(found['y']):.10g}"


def _polygons(shape: shapely.Geometry) -> tuple[Polygon, ...]:
    """The polygons of a shape, without the lines and points to which parts of it have collapsed."""
    parts = shapely.get_parts(shapely.get_parts(shape))  # polygons of multipolygons of collections
    return tuple(_rings(part) for part in parts if isinstance(part, shapely.Polygon) and not part.is_empty)


def _rings(part: shapely.Polygon) -> Polygon:
    return tuple(shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors))
