"""The part of each native cell that lies in an area, and the true area of cells."""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter
from chronotile.model.grid import NativeGrid
from chronotile.zones.outlines import FloatArray, IntArray, Outlines
from chronotile.zones.spans import Reach, Spans, in_order, reach_in, require_few, wrap_spans

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
"""Of WGS 84, from which other ellipsoids in use differ by a few millionths of a cell's area relative to another."""

MAX_CROSSINGS = 1 << 20
"""Of edges with rows, or with columns: each takes some 240 bytes."""

NOTHING = 1e-9
"""Parts smaller than this are rounding."""


def covered_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells that each area touches, with the part inside times the cell's true area in square metres.

    No cell counts for more than the whole, wherever polygons of an area and the turns of a circular grid overlap.

    Raises:
        InvalidParameter: The outlines are too long in cells, or the grid is geographic and turned.
    """
    spans = _covered(outlines, grid, reach_in(grid))
    if grid.is_circular:
        spans = _added(wrap_spans(spans, grid.width), grid.width)
    assert spans.weights is not None  # noqa: S101 -- for the type checker
    return Spans(
        areas=spans.areas,
        rows=spans.rows,
        starts=spans.starts,
        stops=spans.stops,
        weights=spans.weights * row_areas(grid)[spans.rows],
    )


def row_areas(grid: NativeGrid) -> FloatArray:
    """Return (row,) square metres of a cell of each row.

    Of a geographic grid those on the ellipsoid between two parallels, by the closed formula of the authalic latitude
    (Snyder 1987, Map Projections: A Working Manual, equation 3-12); of others those of the projection.

    Raises:
        InvalidParameter: The grid is geographic and its rows do not run along parallels.
    """
    if not grid.crs.is_geographic:
        unit = grid.crs.metres_per_unit
        return np.full(grid.height, abs(grid.transform.determinant) * unit * unit)
    if grid.transform.b != 0 or grid.transform.d != 0:
        raise InvalidParameter("weights=area: rows of these data do not run along parallels", locator="weights")
    _x, latitudes = grid.points_at(np.zeros(grid.height + 1), np.arange(grid.height + 1, dtype=np.float64))
    sines = np.sin(np.radians(np.clip(latitudes, -90, 90)))
    squared = FLATTENING * (2 - FLATTENING)
    root = math.sqrt(squared)
    zone = (1 - squared) * (sines / (1 - squared * sines**2) + np.arctanh(root * sines) / root)
    areas: FloatArray = np.abs(np.diff(zone)) * SEMI_MAJOR_M**2 / 2 * math.radians(abs(grid.transform.a))
    return areas


def _covered(outlines: Outlines, grid: NativeGrid, reach: Reach) -> Spans:
    """Spans with the parts of their cells inside: what each bit of an edge leaves to its right, summed row by row."""
    falls = np.flatnonzero(outlines.rows[:, 0] != outlines.rows[:, 1])
    edges, rows, columns, row = _cut(outlines.rows[falls], outlines.columns[falls], 0, grid.height)
    is_inside = (row >= 0) & (row < grid.height)
    edges, row = falls[edges[is_inside]], row[is_inside]
    bits, columns, rows, column = _cut(columns[is_inside], rows[is_inside], reach.first, reach.last)
    edges, row = edges[bits], row[bits]
    heights = (rows[:, 1] - rows[:, 0]) * _signs(outlines)[outlines.rings[edges]]
    right = np.where(column < reach.first, 1.0, 1 - (columns.mean(axis=1) - column))
    area = outlines.areas[outlines.polygons[outlines.rings[edges]]]
    seen = np.flatnonzero(column < reach.last)
    return _summed(
        Spans(areas=area[seen], rows=row[seen], starts=np.maximum(column, reach.first)[seen], stops=column[seen]),
        (right * heights)[seen],
        heights[seen],
        reach,
    )


def _cut(
    along: FloatArray, across: FloatArray, low: int, high: int
) -> tuple[IntArray, FloatArray, FloatArray, IntArray]:
    """Edges cut where one coordinate is a whole number from `low` to `high`, each bit in the direction of its edge.

    Returns:
        For each bit its edge; both its coordinates (bit, 2); and the whole number below it, `low - 1` of what lies
        below all, `high` of what lies above.
    """
    least, greatest = along.min(axis=1), along.max(axis=1)
    first = np.clip(np.floor(least), low - 1, high).astype(np.int64)
    last = np.maximum(first, np.clip(np.ceil(greatest) - 1, low - 1, high).astype(np.int64))
    counts = last - first + 1
    require_few(int(counts.sum()), MAX_CROSSINGS)
    edge = np.repeat(np.arange(counts.size), counts)
    cell = first[edge] + np.arange(edge.size) - np.repeat(np.cumsum(counts) - counts, counts)
    begin = np.where(cell == first[edge], least[edge], cell)
    end = np.where(cell == last[edge], greatest[edge], cell + 1)
    is_rising = (along[:, 0] <= along[:, 1])[edge]
    cuts = np.column_stack([np.where(is_rising, begin, end), np.where(is_rising, end, begin)])
    (start, stop), (from_, until) = along[edge].T, across[edge].T
    length = stop - start
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (cuts - start[:, None]) / length[:, None]
    shares[length == 0] = (0.0, 1.0)
    return edge, cuts, from_[:, None] + shares * (until - from_)[:, None], cell


def _signs(outlines: Outlines) -> FloatArray:
    """(ring,): by which heights of edges count, so that outer rings add and holes take away however they turn."""
    x, y = outlines.columns, outlines.rows
    twice = np.bincount(outlines.rings, weights=x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0], minlength=outlines.polygons.size)
    return np.where(outlines.is_hole, 1.0, -1.0) * np.sign(twice)


def _summed(bits: Spans, own: FloatArray, heights: FloatArray, reach: Reach) -> Spans:
    """Spans of bits in cells: each cell with edges by itself, and the run of whole cells up to the next such."""
    if not own.size:
        return Spans(areas=bits.areas, rows=bits.rows, starts=bits.starts, stops=bits.stops, weights=own)
    order = np.lexsort((bits.starts, bits.rows, bits.areas))
    areas, rows, columns = bits.areas[order], bits.rows[order], bits.starts[order]
    is_line = (np.diff(areas, prepend=-1) != 0) | (np.diff(rows, prepend=-1) != 0)
    firsts = np.flatnonzero(is_line | (np.diff(columns, prepend=reach.first - 1) != 0))
    areas, rows, columns, is_line = areas[firsts], rows[firsts], columns[firsts], is_line[firsts]
    own, heights = (np.add.reduceat(each[order], firsts) for each in (own, heights))
    until = _cumulated(heights, areas)
    lines = np.flatnonzero(is_line)
    until -= np.repeat(until[lines] - heights[lines], np.diff(np.append(lines, columns.size)))
    following = np.append(columns[1:], reach.last)
    following[np.append(lines[1:], columns.size) - 1] = reach.last
    parts = np.column_stack([own + until - heights, until]).ravel()
    parts = np.clip(np.abs(parts), 0, 1)
    parts[parts > 1 - NOTHING] = 1.0
    spans = Spans(
        areas=np.repeat(areas, 2),
        rows=np.repeat(rows, 2),
        starts=np.column_stack([columns, columns + 1]).ravel(),
        stops=np.column_stack([columns + 1, following]).ravel(),
        weights=parts,
    )
    return spans.chosen((parts > NOTHING) & (spans.starts < spans.stops))


def _added(spans: Spans, width: int) -> Spans:
    """Spans in order of which no two of an area share a cell: where some do, with the sum of their parts."""
    is_line = _line_starts(spans)
    is_shared = ~is_line[1:] & (spans.starts[1:] < spans.stops[:-1])
    if not is_shared.any():
        return spans
    is_own = np.isin(spans.areas, spans.areas[1:][is_shared])  # the other areas are as they are without these
    return in_order([spans.chosen(~is_own), _summed_where_shared(spans.chosen(is_own), width)])


def _line_starts(spans: Spans) -> NDArray[np.bool_]:
    """(span,): whether it is the first of its row and area."""
    found: NDArray[np.bool_] = (np.diff(spans.areas, prepend=-1) != 0) | (np.diff(spans.rows, prepend=-1) != 0)
    return found


def _summed_where_shared(spans: Spans, width: int) -> Spans:
    assert spans.weights is not None  # noqa: S101 -- for the type checker
    is_line = _line_starts(spans)
    line_of_span = np.cumsum(is_line) - 1
    apart = width + 1  # lines one behind the other, none of which reaches the next
    borders, places = np.unique(
        np.append(spans.starts, spans.stops) + np.tile(line_of_span * apart, 2), return_inverse=True
    )
    steps = np.zeros(borders.size)
    np.add.at(steps, places, np.append(spans.weights, -spans.weights))
    line, starts = np.divmod(borders[:-1], apart)
    lines = np.flatnonzero(is_line)[line]
    parts = _cumulated(steps[:-1], spans.areas[lines])
    parts[parts > 1 - NOTHING] = 1.0
    found = Spans(
        areas=spans.areas[lines],
        rows=spans.rows[lines],
        starts=starts,
        stops=starts + np.diff(borders),
        weights=parts,
    )
    return found.chosen(parts > NOTHING)


def _cumulated(each: FloatArray, areas: IntArray) -> FloatArray:
    """Cumulative sums that begin again at each area, in order: another area's rounding must not change a weight."""
    sums = np.empty_like(each)
    ends = [*np.flatnonzero(np.diff(areas, prepend=-1)).tolist(), each.size]
    for first, last in pairwise(ends):
        np.cumsum(each[first:last], out=sums[first:last])
    return sums
