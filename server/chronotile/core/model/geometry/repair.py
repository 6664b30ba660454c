"""Repair of polygons from clients (OGC 06-103r4 §6.1.11) whose rings cross themselves or each other.

GEOS checks and repairs polygons, which may take minutes for tangled ones. So the costs are estimated from overlapping
boxes of edges and rings before each step, and polygons that are too complex are refused.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
import shapely

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.geometry.area import Polygon
from chronotile.core.model.types import FloatArray, ObjectArray

PAIRS_PER_EDGE = 6
"""Limit of pairs of edges with overlapping boxes: twice the three of a simple outline.

The box of each edge overlaps itself and the boxes of its two neighbours.
"""

FREE_PAIRS = 20_000
"""Additional pairs, so that small polygons may be arbitrarily tangled. Repair takes about 10 µs per pair."""

FEW_EDGES = 200
"""Polygons with at most this number of edges are always checked, even if each edge crosses all others."""

CHECKED_PAIRS_PER_EDGE = 20
CHECKED_PAIRS = 5_000_000
"""Pairs of edges with overlapping boxes in all polygons that are checked; a check takes about 50 ns per pair."""

MAX_STEPS = 1_000_000_000
"""Maximum number of steps to find nested rings, in all polygons that are checked."""

STEPS_PER_PAIR = 500
"""Steps per pair of rings with overlapping boxes, in addition to one step per vertex of the outer ring."""

MAX_REPAIRED = 20_000_000
"""Maximum number of pairs of rings in polygons that are repaired, whether their boxes overlap or not."""

MAX_CHECKED_VERTICES = 600_000
"""Maximum for polygons checked together: one, or all of a feature. A check takes up to 215 bytes per vertex."""

MAX_REPAIRED_VERTICES = 250_000
"""Maximum for polygons that are repaired or united, which takes up to 475 bytes per vertex."""

EDGES_AT_ONCE = 1 << 16
"""Number of edges in one search tree; an edge takes about 400 bytes."""

LOCATOR = "geometry"
_AT_ONCE = 16
"""Number of boxes in one query; each may overlap all others."""

_REASON = re.compile(r"(?P<what>[^\[]+)\[(?P<x>\S+) (?P<y>\S+)\]")


def refusal(message: str) -> InvalidParameter:
    """Return the error of a geometry that is not accepted."""
    return InvalidParameter(message, locator=LOCATOR)


@dataclass(frozen=True, slots=True, eq=False)
class Repaired:
    """Result of the repair of one polygon."""

    polygons: tuple[Polygon, ...]
    note: str | None = None
    """The fault; `None` if the polygon was valid."""


def repair_polygons(polygons: Sequence[Polygon], names: Sequence[str]) -> list[Repaired]:
    """Return valid polygons unchanged; replace others by the area inside their outer rings without their holes.

    Args:
        polygons: Closed rings of at least four positions.
        names: Names of the polygons in messages.

    Raises:
        InvalidParameter: A polygon covers no area, or is too complex or too large to be repaired; the message names it.
        LimitExceeded: A polygon has too many vertices.
    """
    checks = Checks(MAX_STEPS)
    for polygon, name in zip(polygons, names, strict=True):
        _require_few_vertices(polygon, "max_checked_vertices", MAX_CHECKED_VERTICES)
        checks.require_few(polygon, polygon, f"{name} is")
    shapes = _shapes(polygons)
    is_valid = shapely.is_valid(shapes)
    done = [Repaired((polygon,)) for polygon in polygons]
    ring_pairs = 0
    for index in np.flatnonzero(~is_valid).tolist():
        reason = f"{_where(polygons[index])}{_describe(shapely.is_valid_reason(shapes[index]))}"
        checks.require_repairable(polygons[index], f"{names[index]} is too complex to be repaired: {reason}")
        vertices = sum(map(len, polygons[index]))
        if vertices > MAX_REPAIRED_VERTICES:
            limit = f"of which at most {MAX_REPAIRED_VERTICES} can be repaired"
            raise refusal(f"{names[index]} has {vertices} vertices, {limit}: {reason}")
        ring_pairs += len(polygons[index]) ** 2
        if ring_pairs > MAX_REPAIRED:
            raise refusal(f"{names[index]} has too many rings to be repaired, at most {isqrt(MAX_REPAIRED)}: {reason}")
        try:
            parts = _polygons(shapely.make_valid(shapes[index], method="structure", keep_collapsed=False))
        except shapely.GEOSException as error:  # coordinates with very different magnitudes
            raise refusal(f"{names[index]} cannot be repaired: {reason}") from error
        if not parts:
            raise refusal(f"{names[index]} covers no area: {reason}")
        done[index] = Repaired(parts, reason)
    return done


def unite_polygons(areas: Sequence[Sequence[Polygon]], names: Sequence[str]) -> list[tuple[Polygon, ...]]:
    """Return the polygons of each area without overlaps: unchanged, or united.

    Args:
        areas: Valid polygons.
        names: Text per area at the end of messages: empty, or ` of feature 3`.

    Raises:
        InvalidParameter: The polygons of an area overlap in too complex a way; the message names it.
        LimitExceeded: The polygons of an area have too many vertices to be checked or united.
    """
    done = [tuple(polygons) for polygons in areas]
    checks = Checks(MAX_STEPS)
    for index, polygons in enumerate(done):
        if len(polygons) < 2 or not _boxes_overlap(shapes := _shapes(polygons)):
            continue
        rings = tuple(ring for polygon in polygons for ring in polygon)
        outer = tuple(polygon[0] for polygon in polygons)
        _require_few_vertices(rings, "max_checked_vertices", MAX_CHECKED_VERTICES)
        checks.require_few(rings, outer, f"the polygons{names[index]} are")
        if shapely.is_valid(shapely.multipolygons(shapes)):
            continue  # the polygons only touch, and a union of thousands would take minutes
        _require_few_vertices(rings, "max_united_vertices", MAX_REPAIRED_VERTICES)
        message = f"the polygons{names[index]} overlap in too complex a way; send their union"
        checks.require_repairable(rings, message)
        try:
            done[index] = _polygons(shapely.union_all(shapes))
        except shapely.GEOSException as error:
            raise refusal(f"the polygons{names[index]} overlap and cannot be united; send their union") from error
    return done


class Checks:
    """Costs of checks and repairs for all polygons of a request or file, estimated before each step."""

    def __init__(self, most_steps: int) -> None:
        self._most_steps = most_steps
        self._edges = self._pairs = self._steps = 0
        self._repaired_edges = self._repaired_pairs = 0

    def require_few(self, rings: Polygon, nested: Polygon, which: str) -> None:
        """Refuse rings whose check would take too long.

        Args:
            rings: Rings whose edges are checked for crossings.
            nested: Rings that are checked for being inside each other.
            which: Start of the message.

        Raises:
            InvalidParameter: Too many edges or rings may overlap.
        """
        edges = sum(len(ring) - 1 for ring in rings)
        if edges <= FEW_EDGES:
            return
        self._steps += _nesting_steps(nested, at_most=self._most_steps - self._steps)
        if self._steps > self._most_steps:
            raise refusal(
                f"{which} too complex: too many rings may contain one another, at most {self._most_steps} comparisons "
                "are made; simplify them, or send fewer rings or features at once"
            )
        self._edges += edges
        most = CHECKED_PAIRS_PER_EDGE * self._edges + CHECKED_PAIRS
        self._pairs += _overlapping_pairs(rings, at_most=most - self._pairs)
        if self._pairs > most:
            raise refusal(
                f"{which} too complex: too many edges may cross one another, at most {most} pairs are checked; "
                "simplify them, or send fewer at once"
            )

    def require_repairable(self, rings: Polygon, message: str) -> None:
        """Refuse rings with too many crossings for a repair or union.

        Raises:
            InvalidParameter: There are too many; the error has this message.
        """
        self._repaired_edges += sum(len(ring) - 1 for ring in rings)
        most = PAIRS_PER_EDGE * self._repaired_edges + FREE_PAIRS
        self._repaired_pairs += _overlapping_pairs(rings, at_most=most - self._repaired_pairs)
        if self._repaired_pairs > most:
            raise refusal(message)


def _require_few_vertices(rings: Polygon, limit: str, allowed: int) -> None:
    vertices = sum(map(len, rings))
    require_at_most(limit, vertices, allowed, alternative="simplify each feature", locator=LOCATOR)


def _nesting_steps(rings: Polygon, *, at_most: int) -> int:
    """Return the number of steps to find nested rings, from their boxes; counting stops soon after `at_most`."""
    sizes = np.array([len(ring) for ring in rings])
    starts = np.cumsum([0, *sizes[:-1]])
    vertices = np.concatenate(rings)
    low, high = np.minimum.reduceat(vertices, starts), np.maximum.reduceat(vertices, starts)
    boxes = shapely.box(*low.T, *high.T)
    tree = shapely.STRtree(boxes)
    steps = start = 0
    while start < len(boxes) and steps <= at_most:
        overlapping = tree.query(boxes[start : start + _AT_ONCE])[1]
        steps += int((sizes[overlapping] + STEPS_PER_PAIR).sum())
        start += _AT_ONCE
    return steps


def _boxes_overlap(shapes: ObjectArray) -> bool:
    """Return whether any boxes overlap. The tree is queried in batches, because each box may overlap all others."""
    tree = shapely.STRtree(shapes)
    batches = (shapes[start : start + 16] for start in range(0, len(shapes), 16))
    return any(tree.query(batch).shape[1] > len(batch) for batch in batches)


def _shapes(polygons: Sequence[Polygon]) -> ObjectArray:
    rings = [ring for polygon in polygons for ring in polygon]
    ring_ends = np.cumsum([0, *(len(ring) for ring in rings)])
    polygon_ends = np.cumsum([0, *(len(polygon) for polygon in polygons)])
    shapes: ObjectArray = shapely.from_ragged_array(
        shapely.GeometryType.POLYGON, np.concatenate(rings), (ring_ends, polygon_ends)
    )
    return shapes


def _overlapping_pairs(polygon: Polygon, *, at_most: int) -> int:
    """Return the number of pairs of edges with overlapping boxes; counting stops soon after `at_most`.

    The number predicts the duration of a repair. A hundred random vertices have a thousand crossings, which take a
    second; a coast of a hundred thousand vertices that crosses itself once takes little longer than reading it.
    """
    low, high = _edge_boxes(polygon)
    order = np.argsort(low[:, 0], kind="stable")
    low = low[order]
    high = high[order]
    del order
    pairs = start = 0
    while start < len(low) and pairs <= at_most:
        part = slice(start, start + EDGES_AT_ONCE)
        tree = shapely.STRtree(_diagonals(low[part], high[part]))
        is_near = ((low <= high[part].max(axis=0)) & (high >= low[part].min(axis=0))).all(axis=1)
        pairs += _pairs_with(tree, low[is_near], high[is_near], at_most=at_most - pairs)
        start += EDGES_AT_ONCE
    return pairs


def _edge_boxes(polygon: Polygon) -> tuple[FloatArray, FloatArray]:
    """Return (edge, 2) smallest and largest x and y of the edges of all rings."""
    vertices, ends = np.concatenate(polygon), np.cumsum([len(ring) for ring in polygon])
    low, high = (ufunc(vertices[:-1], vertices[1:]) for ufunc in (np.minimum, np.maximum))
    if len(polygon) == 1:
        return low, high
    is_edge = np.ones(len(low), dtype=np.bool_)
    is_edge[ends[:-1] - 1] = False  # steps from one ring to the next
    return low[is_edge], high[is_edge]


def _diagonals(low: FloatArray, high: FloatArray) -> ObjectArray:
    # (box,) lines with these bounding boxes.
    lines: ObjectArray = shapely.linestrings(np.stack([low, high], axis=1))
    return lines


def _pairs_with(tree: shapely.STRtree, low: FloatArray, high: FloatArray, *, at_most: int) -> int:
    """Return the number of pairs of overlapping boxes, one in the tree; counting stops soon after `at_most`."""
    pairs = start = 0
    step = 8  # few, because each box may overlap all boxes of the tree
    while start < len(low) and pairs <= at_most:
        part = slice(start, start + step)
        pairs += tree.query(_diagonals(low[part], high[part])).shape[1]
        start += step
        step = min(2 * step, 4096) if pairs <= PAIRS_PER_EDGE * start else 8
    return pairs


def _where(polygon: Polygon) -> str:
    """Return the faulty ring for a message; empty if the polygon has no other ring or the fault is between rings."""
    if len(polygon) == 1:
        return ""
    alone = shapely.is_valid(_shapes([(ring,) for ring in polygon]))
    return "" if alone.all() else f"ring {int(np.argmin(alone)) + 1}: "


def _describe(reason: str) -> str:
    """Return a reason such as `Self-intersection[4.55 50.85]` in words."""
    match = _REASON.fullmatch(reason)
    if match is None:
        return reason.lower()
    return f"{match['what'].lower()} at {float(match['x']):.10g} {float(match['y']):.10g}"


def _polygons(shape: shapely.Geometry) -> tuple[Polygon, ...]:
    # Polygons of a shape, without the lines and points that are left of collapsed parts.
    parts = shapely.get_parts(shapely.get_parts(shape))  # polygons of multipolygons of collections
    return tuple(_rings(part) for part in parts if isinstance(part, shapely.Polygon) and not part.is_empty)


def _rings(part: shapely.Polygon) -> Polygon:
    return tuple(shapely.get_coordinates(ring) for ring in (part.exterior, *part.interiors))
