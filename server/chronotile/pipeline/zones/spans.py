"""Native cells inside areas and their weights, as runs of cells along rows."""

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
"""Maximum number of crossings of edges with rows, about 50 bytes each. A country of 300 km has 200,000 at 10 m, its
1,000 municipalities together 1,400,000."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Runs of cells of areas, in order of area, row and column."""

    areas: Int64Array
    """(span,) area of each span."""
    rows: Int64Array
    """(span,) row of each span."""
    starts: Int64Array
    """(span,) first column."""
    stops: Int64Array
    """(span,) column after the last."""
    weights: Float64Array | None = None
    """(span,) weight of each cell in the span; `None` means equal weights."""

    @property
    def lengths(self) -> Int64Array:
        """(span,) number of cells."""
        return self.stops - self.starts

    @property
    def cells(self) -> int:
        """Total number of cells."""
        return int(self.lengths.sum())

    def select_areas(self, first: int, last: int) -> "Spans":
        """Return the spans of areas from `first` to before `last`, which are numbered from 0 again."""
        start, stop = np.searchsorted(self.areas, (first, last)).tolist()
        spans = self.select(np.arange(start, stop))
        return replace(spans, areas=spans.areas - first)

    def select(self, spans: IndexArray | BoolArray) -> "Spans":
        """Return some of the spans, by index or mask."""
        return Spans(
            areas=self.areas[spans],
            rows=self.rows[spans],
            starts=self.starts[spans],
            stops=self.stops[spans],
            weights=None if self.weights is None else self.weights[spans],
        )


@dataclass(frozen=True, slots=True)
class Reach:
    """Columns of outlines, stop exclusive; for a circular grid 360° more on both sides."""

    first: int
    last: int


def reach_in(grid: NativeGrid) -> Reach:
    """Return the possible columns of an area."""
    return Reach(-grid.width, 2 * grid.width) if grid.is_circular else Reach(0, grid.width)


def centre_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells whose centres are in each area, each once; rings that cross each other count even-odd.

    Raises:
        InvalidParameter: The outlines cross too many cells.
    """
    reach = reach_in(grid)
    first, last = (
        np.clip(np.ceil(ends - 0.5), 0, grid.height).astype(np.int64)
        for ends in (outlines.rows.min(axis=1), outlines.rows.max(axis=1))
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


def require_few(crossings: int, max_crossings: int) -> None:
    """Check that outlines do not cross too many cells, which limits their memory.

    Raises:
        InvalidParameter: They have more than `max_crossings`.
    """
    if crossings > max_crossings:
        raise InvalidParameter(
            f"the outlines cross rows and columns of cells {crossings} times; at most {max_crossings} are accepted; "
            "simplify them, or request fewer areas at once (places: limit and offset)",
            locator="geometry",
        )


def unite_spans(spans: Spans, grid: NativeGrid) -> Spans:
    """Return spans within the columns of the grid, so that no two spans of an area share a cell."""
    spans = _join(spans.select(spans.starts < spans.stops))
    if not grid.is_circular or not spans.areas.size:
        return spans
    return _join(wrap_spans(spans, grid.width))


def wrap_spans(spans: Spans, width: int) -> Spans:
    """Return spans of a circular grid moved into its columns."""
    parts = []
    for turn in (-1, 0, 1):
        starts, stops = (np.clip(columns - turn * width, 0, width) for columns in (spans.starts, spans.stops))
        parts.append(replace(spans, starts=starts, stops=stops).select(starts < stops))
    return sort_spans(parts)


def sort_spans(parts: Sequence[Spans]) -> Spans:
    """Return the spans of all parts in order of area, row and column; either all parts have weights or none."""
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
    """Sort spans, and join those that overlap or touch."""
    if not spans.areas.size:
        return spans
    spans = spans.select(np.lexsort((spans.starts, spans.rows, spans.areas)))
    line = np.cumsum((np.diff(spans.areas, prepend=-1) != 0) | (np.diff(spans.rows, prepend=-1) != 0))
    apart = int(spans.stops.max() - spans.starts.min()) + 1  # distance that keeps the spans of different lines apart
    reached = np.maximum.accumulate(spans.stops + line * apart)
    firsts = np.flatnonzero(np.append(True, (spans.starts + line * apart)[1:] > reached[:-1]))
    lasts = np.append(firsts[1:], spans.areas.size) - 1
    return Spans(
        areas=spans.areas[firsts],
        rows=spans.rows[firsts],
        starts=spans.starts[firsts],
        stops=reached[lasts] - line[lasts] * apart,
    )


# Weights: the part of each cell inside an area.

SEMI_MAJOR_M = 6_378_137.0
FLATTENING = 1 / 298.257223563
"""Of WGS 84; relative areas of cells differ by a few millionths on other ellipsoids."""

MAX_WEIGHED_CROSSINGS = 1 << 20
"""Maximum number of crossings of edges with rows or columns, about 240 bytes each."""

NOTHING = 1e-9
"""Smaller parts are rounding errors."""


def covered_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells that each area touches; their weight is the part inside times the true area in square metres.

    The part is at most 1, even if polygons of an area or the turns of a circular grid overlap.

    Raises:
        InvalidParameter: The outlines cross too many cells, or the grid is geographic and rotated.
    """
    spans = _weigh_cells(outlines, grid, reach_in(grid))
    if grid.is_circular:
        spans = _merge_shared(wrap_spans(spans, grid.width), grid.width)
    assert spans.weights is not None  # noqa: S101 -- for the type checker
    return replace(spans, weights=spans.weights * row_areas(grid)[spans.rows])


MIN_CENTRES = 25
"""Minimum number of cells for `weights=auto` to count centres; the outline then has little influence on a mean."""


def auto_spans(outlines: Outlines, grid: NativeGrid) -> Spans:
    """Return the cells of each area by their centres, or `covered_spans` if these are fewer than `MIN_CENTRES`.

    Raises:
        InvalidParameter: An error of `covered_spans`.
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
    """Return (row,) the area of a cell in each row, in square metres.

    For a geographic grid, it is the area on the ellipsoid between two parallels, by the closed formula of the authalic
    latitude (Snyder 1987, Map Projections: A Working Manual, equation 3-12); for others, that in the projection.

    Raises:
        InvalidParameter: The grid is geographic and its rows are not parallels.
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
    """Return spans with the parts of their cells inside: the areas to the right of all bits of edges, summed by row."""
    falls = np.flatnonzero(outlines.rows[:, 0] != outlines.rows[:, 1])
    edges, rows, columns, row = _cut(outlines.rows[falls], outlines.columns[falls], 0, grid.height)
    is_inside = (row >= 0) & (row < grid.height)
    edges, row = falls[edges[is_inside]], row[is_inside]
    bits, columns, rows, column = _cut(columns[is_inside], rows[is_inside], reach.first, reach.last)
    edges, row = edges[bits], row[bits]
    heights = (rows[:, 1] - rows[:, 0]) * _signs(outlines)[outlines.rings[edges]]
    right = np.where(column < reach.first, 1.0, 1 - (columns.mean(axis=1) - column))
    area = outlines.areas[outlines.polygons[outlines.rings[edges]]]
    is_seen = np.flatnonzero(column < reach.last)
    starts = np.maximum(column, reach.first)[is_seen]
    return _sum_bits(
        Spans(areas=area[is_seen], rows=row[is_seen], starts=starts, stops=column[is_seen]),
        (right * heights)[is_seen],
        heights[is_seen],
        reach,
    )


def _cut(
    along: Float64Array, across: Float64Array, low: int, high: int
) -> tuple[Int64Array, Float64Array, Float64Array, Int64Array]:
    """Cut edges where one coordinate is an integer from `low` to `high`; bits have the direction of their edge.

    Returns:
        For each bit: its edge; `along` and `across` at its ends, (bit, 2) each; and the integer below it along the cut
        axis: `low - 1` if it is below all, `high` if it is above.
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
        fractions = (cuts - start[:, None]) / length[:, None]
    fractions[length == 0] = (0.0, 1.0)
    return edge, cuts, from_[:, None] + fractions * (until - from_)[:, None], cell


def _signs(outlines: Outlines) -> Float64Array:
    """Return (ring,) signs of the heights of edges: outer rings add and holes subtract, in either direction."""
    x, y = outlines.columns, outlines.rows
    twice = np.bincount(outlines.rings, weights=x[:, 0] * y[:, 1] - x[:, 1] * y[:, 0], minlength=outlines.polygons.size)
    return np.where(outlines.is_hole, 1.0, -1.0) * np.sign(twice)


def _sum_bits(bits: Spans, parts: Float64Array, heights: Float64Array, reach: Reach) -> Spans:
    """Join the pieces of edges to spans: one per cell that edges cross, and one for the run of whole cells after it.

    Args:
        bits: The piece of an edge in each cell that it crosses.
        parts: Part of the cell between the piece and the right side of the cell, positive or negative.
        heights: Height of each piece, as a part of the cell's height, positive or negative.
        reach: Columns that a run may fill.
    """
    if not parts.size:
        return replace(bits, weights=parts)
    order = np.lexsort((bits.starts, bits.rows, bits.areas))
    areas, rows, columns = bits.areas[order], bits.rows[order], bits.starts[order]
    is_line = (np.diff(areas, prepend=-1) != 0) | (np.diff(rows, prepend=-1) != 0)
    firsts = np.flatnonzero(is_line | (np.diff(columns, prepend=reach.first - 1) != 0))
    areas, rows, columns, is_line = areas[firsts], rows[firsts], columns[firsts], is_line[firsts]
    parts, heights = (np.add.reduceat(values[order], firsts) for values in (parts, heights))
    until = _cumulate_by_area(heights, areas)
    lines = np.flatnonzero(is_line)
    until -= np.repeat(until[lines] - heights[lines], np.diff(np.append(lines, columns.size)))
    following = np.append(columns[1:], reach.last)
    following[np.append(lines[1:], columns.size) - 1] = reach.last
    weights = np.column_stack([parts + until - heights, until]).ravel()
    weights = np.clip(np.abs(weights), 0, 1)
    weights[weights > 1 - NOTHING] = 1.0
    spans = Spans(
        areas=np.repeat(areas, 2),
        rows=np.repeat(rows, 2),
        starts=np.column_stack([columns, columns + 1]).ravel(),
        stops=np.column_stack([columns + 1, following]).ravel(),
        weights=weights,
    )
    return spans.select((weights > NOTHING) & (spans.starts < spans.stops))


def _merge_shared(spans: Spans, width: int) -> Spans:
    """Return spans so that no two of an area share a cell: shared cells have the sum of the parts."""
    is_shared = ~_line_starts(spans)[1:] & (spans.starts[1:] < spans.stops[:-1])
    if not is_shared.any():
        return spans
    is_affected = np.isin(spans.areas, spans.areas[1:][is_shared])  # other areas stay bit for bit the same
    return sort_spans([spans.select(~is_affected), _sum_shared(spans.select(is_affected), width)])


def _line_starts(spans: Spans) -> BoolArray:
    # (span,) mask of the first span of each row and area.
    starts_line: BoolArray = (np.diff(spans.areas, prepend=-1) != 0) | (np.diff(spans.rows, prepend=-1) != 0)
    return starts_line


def _sum_shared(spans: Spans, width: int) -> Spans:
    assert spans.weights is not None  # noqa: S101 -- for the type checker
    is_line = _line_starts(spans)
    line_of_span = np.cumsum(is_line) - 1
    apart = width + 1  # distance that keeps the spans of different lines apart
    borders, numbers = np.unique(
        np.append(spans.starts, spans.stops) + np.tile(line_of_span * apart, 2), return_inverse=True
    )
    steps = np.zeros(borders.size)
    np.add.at(steps, numbers, np.append(spans.weights, -spans.weights))
    line, starts = np.divmod(borders[:-1], apart)
    lines = np.flatnonzero(is_line)[line]
    parts = _cumulate_by_area(steps[:-1], spans.areas[lines])
    parts[parts > 1 - NOTHING] = 1.0
    shared = Spans(
        areas=spans.areas[lines], rows=spans.rows[lines], starts=starts, stops=starts + np.diff(borders), weights=parts
    )
    return shared.select(parts > NOTHING)


def _cumulate_by_area(values: Float64Array, areas: Int64Array) -> Float64Array:
    """Return cumulative sums that restart at each area, so that rounding errors of other areas have no influence."""
    sums = np.empty_like(values)
    ends = [*np.flatnonzero(np.diff(areas, prepend=-1)).tolist(), values.size]
    for first, last in pairwise(ends):
        np.cumsum(values[first:last], out=sums[first:last])
    return sums
