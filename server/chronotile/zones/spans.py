"""Which native cells lie in areas, and how much each weighs: runs of cells along rows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter
from chronotile.model.grid import NativeGrid
from chronotile.zones.outlines import FloatArray, IntArray, Outlines

MAX_CROSSINGS = 1 << 21
"""Of edges with rows: each takes some 50 bytes. A country of 300 km at 10 m has 200,000, its 1,000 municipalities
together 1,400,000."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spans:
    """Runs of cells of areas, in order of area, row and column."""

    areas: IntArray
    """(span,)."""
    rows: IntArray
    """(span,)."""
    starts: IntArray
    """(span,): the first column."""
    stops: IntArray
    """(span,): the column after the last."""
    weights: FloatArray | None = None
    """(span,): what each of its cells counts for; `None` of all the same."""

    @property
    def lengths(self) -> IntArray:
        """(span,): cells."""
        return self.stops - self.starts

    @property
    def cells(self) -> int:
        """The number of cells."""
        return int(self.lengths.sum())

    def from_to(self, first: int, last: int) -> "Spans":
        """Return those of the areas from one to before another, which are counted from 0 again."""
        start, stop = np.searchsorted(self.areas, (first, last)).tolist()
        own = self.chosen(np.arange(start, stop))
        return replace(own, areas=own.areas - first)

    def chosen(self, places: NDArray[np.intp] | NDArray[np.bool_]) -> "Spans":
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
    return unite_spans(
        Spans(areas=outlines.areas[polygon], rows=row, starts=columns[::2], stops=columns[1::2]),
        grid,
    )


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
    spans = _joined(spans.chosen(spans.starts < spans.stops))
    if not grid.is_circular or not spans.areas.size:
        return spans
    return _joined(wrap_spans(spans, grid.width))


def wrap_spans(spans: Spans, width: int) -> Spans:
    """Return spans of a circular grid taken back to its columns."""
    parts = []
    for turn in (-1, 0, 1):
        starts, stops = (np.clip(each - turn * width, 0, width) for each in (spans.starts, spans.stops))
        moved = Spans(areas=spans.areas, rows=spans.rows, starts=starts, stops=stops, weights=spans.weights)
        parts.append(moved.chosen(starts < stops))
    return in_order(parts)


def in_order(parts: Sequence[Spans]) -> Spans:
    """Return the spans of several, in order of area, row and column; all of them or none have weights."""
    weights = [part.weights for part in parts if part.weights is not None]
    both = Spans(
        areas=np.concatenate([part.areas for part in parts]),
        rows=np.concatenate([part.rows for part in parts]),
        starts=np.concatenate([part.starts for part in parts]),
        stops=np.concatenate([part.stops for part in parts]),
        weights=np.concatenate(weights) if weights else None,
    )
    return both.chosen(np.lexsort((both.starts, both.rows, both.areas)))


def _joined(spans: Spans) -> Spans:
    """Spans in order, those that overlap or touch as one."""
    if not spans.areas.size:
        return spans
    spans = spans.chosen(np.lexsort((spans.starts, spans.rows, spans.areas)))
    line = np.cumsum((np.diff(spans.areas, prepend=-1) != 0) | (np.diff(spans.rows, prepend=-1) != 0))
    apart = int(spans.stops.max() - spans.starts.min()) + 1  # lines one behind the other, so that none reaches the next
    reached = np.maximum.accumulate(spans.stops + line * apart)
    is_new = np.append(True, (spans.starts + line * apart)[1:] > reached[:-1])
    firsts = np.flatnonzero(is_new)
    lasts = np.append(firsts[1:], spans.areas.size) - 1
    return Spans(
        areas=spans.areas[firsts],
        rows=spans.rows[firsts],
        starts=spans.starts[firsts],
        stops=reached[lasts] - line[lasts] * apart,
    )
