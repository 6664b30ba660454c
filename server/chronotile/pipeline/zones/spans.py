"""Which native cells lie in areas, and how much each weighs: runs of cells along rows."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import BoolArray, Float64Array, IndexArray, Int64Array
from chronotile.pipeline.zones.outlines import Outlines

MAX_CROSSINGS = 1 << 21
"""Of edges with rows: each takes some 50 bytes. A country of 300 km at 10 m has 200,000, its 1,000 municipalities
together 1,400,000."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Runs of cells of areas, in order of area, row and column."""

    areas: Int64Array
    """(span,)."""
    rows: Int64Array
    """(span,)."""
    starts: Int64Array
    """(span,): the first column."""
    stops: Int64Array
    """(span,): the column after the last."""
    weights: Float64Array | None = None
    """(span,): what each of its cells counts for; `None` of all the same."""

    @property
    def lengths(self) -> Int64Array:
        """(span,): cells."""
        return self.stops - self.starts

    @property
    def cells(self) -> int:
        """The number of cells."""
        return int(self.lengths.sum())

    def select_areas(self, first: int, last: int) -> "Spans":
        """Return those of the areas from one to before another, which are counted from 0 again."""
        start, stop = np.searchsorted(self.areas, (first, last)).tolist()
        own = self.select(np.arange(start, stop))
        return replace(own, areas=own.areas - first)

    def select(self, places: IndexArray | BoolArray) -> "Spans":
        """Return some of the spans."""
        return Spans(
            areas=self.areas[places],
            rows=self.rows[places],
            starts=self.starts[places],
            stops=self.stops[places],
            weights=None if self.weights is None else self.weights[places],
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """Columns that outlines are followed through, half-open; of a circular grid a turn more on both sides."""

    first: int
    last: int


def reach_in(grid: NativeGrid) -> Reach:
    """Return the columns that an area may lie in."""
    return Reach(-grid.width, 2 * grid.width) if grid.is_circular else Reach(0, grid.width)


def centre_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells whose centres lie in each area, each once; rings that cross one another count even-odd.

    Raises:
        InvalidParameter: The outlines are too long in cells.
    """
    reach = reach_in(grid)
    first, last = (
        np.clip(np.ceil(each - 0.5), 0, grid.height).astype(np.int64)
        for each in (outlines.rows.min(axis=1), outlines.rows.max(axis=1))
    )
    require_few(int((last - first).sum()), MAX_CROSSINGS)
    edge = np.repeat(np.arange(first.size), last - first)
    row = np.arange(edge.size) - np.repeat(np.cumsum(last - first) - last, last - first)
    (x, until_x), (y, until_y) = outlines.columns[edge].T, outlines.rows[edge].T
    crossing = x + (row + 0.5 - y) * ((until_x - x) / (until_y - y))
    columns = np.clip(np.floor(crossing + 0.5), reach.first, reach.last).astype(np.int64)
    polygon = outlines.polygons[outlines.rings[edge]]
    order = np.lexsort((crossing, row, polygon))
    polygon, row, columns = polygon[order][::2], row[order][::2], columns[order]
    return unite_spans(Spans(areas=outlines.areas[polygon], rows=row, starts=columns[::2], stops=columns[1::2]), grid)


def require_few(crossings: int, most: int) -> None:
    """Check that outlines are not too long in cells, so that their memory is bounded.

    Raises:
        InvalidParameter: They are too long.
    """
    if crossings > most:
        raise InvalidParameter(
            f"the outlines cross rows and columns of cells {crossings} times; at most {most} are accepted; "
            "simplify them, or request fewer areas at once (places: limit and offset)",
            locator="geometry",
        )


def unite_spans(spans: Spans, grid: NativeGrid) -> Spans:
    """Return spans of which no two of an area share a cell, within the grid's columns."""
    spans = _join(spans.select(spans.starts < spans.stops))
    if not grid.is_circular or not spans.areas.size:
        return spans
    return _join(wrap_spans(spans, grid.width))


def wrap_spans(spans: Spans, width: int) -> Spans:
    """Return spans of a circular grid taken back to its columns."""
    parts = []
    for turn in (-1, 0, 1):
        starts, stops = (np.clip(each - turn * width, 0, width) for each in (spans.starts, spans.stops))
        parts.append(replace(spans, starts=starts, stops=stops).select(starts < stops))
    return sort_spans(parts)


def sort_spans(parts: Sequence[Spans]) -> Spans:
    """Return the spans of several, in order of area, row and column; all of them or none have weights."""
    weights = [part.weights for part in parts if part.weights is not None]
    both = Spans(
        areas=np.concatenate([part.areas for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        starts=np.concatenate([part.starts for part in parts]),
        stops=np.concatenate([part.stops for part in parts]),
        weights=np.concatenate(weights) if weights else None,
    )
    return both.select(np.lexsort((both.starts, both.rows, both.areas)))


def _join(spans: Spans) -> Spans:
    """Spans in order, those that overlap or touch as one."""
    if not spans.areas.size:
        return spans
    spans = spans.select(np.lexsort((spans.starts, spans.rows, spans.areas)))
    line = np.cumsum((np.diff(spans.areas, prepend=-1) != 0) | (np.diff(spans.rows, prepend=-1) != 0))
    apart = int(spans.stops.max() - spans.starts.min()) + 1  # lines one behind the other, so that none reaches the next
    reached = np.maximum.accumulate(spans.stops + line * apart)
    firsts = np.flatnonzero(np.append(True, (spans.starts + line * apart)[1:] > reached[:-1]))
    lasts = np.append(firsts[1:], spans.areas.size) - 1
    return Spans(
        areas=spans.areas[firsts],
        rows=spans.rows[firsts],
        starts=spans.starts[firsts],
        stops=reached[lasts] - line[lasts] * apart,
    )


SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
"""Of WGS 84, from which other ellipsoids in use differ by a few millionths of a cell's area relative to another."""

MAX_WEIGHED_CROSSINGS = 1 << 20
"""Of edges with rows, or with columns: each takes some 240 bytes."""

NOTHING = 1e-9
"""Parts smaller than this are rounding."""


def covered_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells that each area touches, with the part inside times the cell's true area in square metres.

    No cell counts for more than the whole, wherever polygons of an area and the turns of a circular grid overlap.

    Raises:
        InvalidParameter: The outlines are too long in cells, or the grid is geographic and turned.
    """
    spans = _weigh_cells(outlines, grid, reach_in(grid))
    if grid.is_circular:
        spans = _merge_shared(wrap_spans(spans, grid.width), grid.width)
    assert spans.weights is not None  # noqa: S101 -- for the type checker
    return replace(spans, weights=spans.weights * row_areas(grid)[spans.rows])


MIN_CENTRES = 25
"""Cells of an area from which on `weights=auto` counts centres: its outline moves a mean by less than their spread."""


def auto_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells of each area by their centres, or `covered_spans` if these are fewer than `MIN_CENTRES`.

    Raises:
        InvalidParameter: As `covered_spans`.
    """
    spans = centre_spans(outlines, grid)
    counts = np.bincount(spans.areas, weights=spans.lengths, minlength=outlines.is_outside.size)
    of_edges = counts[outlines.areas[outlines.polygons[outlines.rings]]] < MIN_CENTRES
    few = replace(
        outlines, columns=outlines.columns[of_edges], rows=outlines.rows[of_edges], rings=outlines.rings[of_edges]
    )
    many = spans.select(counts[spans.areas] >= MIN_CENTRES)
    return sort_spans([replace(many, weights=np.ones(many.rows.size)), covered_spans(few, grid)])


def row_areas(grid: NativeGrid) -> Float64Array:
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
    return np.abs(np.diff(zone)) * SEMI_MAJOR_M**2 / 2 * math.radians(abs(grid.transform.a))


def _weigh_cells(outlines: Outlines, grid: NativeGrid, reach: Reach) -> Spans:
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
    return _sum_bits(
        Spans(areas=area[seen], rows=row[seen], starts=np.maximum(column, reach.first)[seen], stops=column[seen]),
        (right * heights)[seen],
        heights[seen],
        reach,
    )


def _cut(
    along: Float64Array, across: Float64Array, low: int, high: int
) -> tuple[Int64Array, Float64Array, Float64Array, Int64Array]:
    """Edges cut where one coordinate is a whole number from `low` to `high`, each bit in the direction of its edge.

    Returns:
        For each bit its edge; both its coordinates (bit, 2); and the whole number below it, `low - 1` of what lies
        below all, `high` of what lies above.
    """
    least, greatest = along.min(axis=1), along.max(axis=1)
    first = np.clip(np.floor(least), low - 1, high).astype(np.int64)
    last = np.maximum(first, np.clip(np.ceil(greatest) - 1, low - 1, high).astype(np.int64))
    counts = last - first + 1
    require_few(int(counts.sum()), MAX_WEIGHED_CROSSINGS)
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


def _signs(outlines: Outlines) -> Float64Array:
    """(ring,): by which heights of edges count, so that outer rings add and holes take away however they turn."""
    x, y = outlines.columns, outlines.rows
    twice = np.bincount(outlines.rings, weights=x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0], minlength=outlines.polygons.size)
    return np.where(outlines.is_hole, 1.0, -1.0) * np.sign(twice)


def _sum_bits(bits: Spans, own: Float64Array, heights: Float64Array, reach: Reach) -> Spans:
    """Spans of bits in cells: each cell with edges by itself, and the run of whole cells up to the next such."""
    if not own.size:
        return replace(bits, weights=own)
    order = np.lexsort((bits.starts, bits.rows, bits.areas))
    areas, rows, columns = bits.areas[order], bits.rows[order], bits.starts[order]
    is_line = (np.diff(areas, prepend=-1) != 0) | (np.diff(rows, prepend=-1) != 0)
    firsts = np.flatnonzero(is_line | (np.diff(columns, prepend=reach.first - 1) != 0))
    areas, rows, columns, is_line = areas[firsts], rows[firsts], columns[firsts], is_line[firsts]
    own, heights = (np.add.reduceat(each[order], firsts) for each in (own, heights))
    until = _cumulate_by_area(heights, areas)
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
    return spans.select((parts > NOTHING) & (spans.starts < spans.stops))


def _merge_shared(spans: Spans, width: int) -> Spans:
    """Spans in order of which no two of an area share a cell: where some do, with the sum of their parts."""
    is_shared = ~_line_starts(spans)[1:] & (spans.starts[1:] < spans.stops[:-1])
    if not is_shared.any():
        return spans
    is_own = np.isin(spans.areas, spans.areas[1:][is_shared])  # the other areas are as they are without these
    return sort_spans([spans.select(~is_own), _sum_shared(spans.select(is_own), width)])


def _line_starts(spans: Spans) -> BoolArray:
    # (span,): whether it is the first of its row and area.
    found: BoolArray = (np.diff(spans.areas, prepend=-1) != 0) | (np.diff(spans.rows, prepend=-1) != 0)
    return found


def _sum_shared(spans: Spans, width: int) -> Spans:
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
    parts = _cumulate_by_area(steps[:-1], spans.areas[lines])
    parts[parts > 1 - NOTHING] = 1.0
    found = Spans(
        areas=spans.areas[lines], rows=spans.rows[lines], starts=starts, stops=starts + np.diff(borders), weights=parts
    )
    return found.select(parts > NOTHING)


def _cumulate_by_area(each: Float64Array, areas: Int64Array) -> Float64Array:
    """Cumulative sums that begin again at each area, in order: another area's rounding must not change a weight."""
    sums = np.empty_like(each)
    ends = [*np.flatnonzero(np.diff(areas, prepend=-1)).tolist(), each.size]
    for first, last in pairwise(ends):
        np.cumsum(each[first:last], out=sums[first:last])
    return sums
