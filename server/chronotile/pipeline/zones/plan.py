"""Plans for reading the cells of areas: windows of whole blocks of a source, each block in one window."""

from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import BoolArray, IndexArray, Int64Array
from chronotile.pipeline.zones.spans import Spans
from chronotile.readers.reader import BlockShape

GROUP_PX = 128
"""Side of groups of blocks that are read together if many of them are needed."""


Takes = tuple[tuple[int, int, int], ...]
"""Runs of cells: first, one past the last, and position of the first in the result."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaWindow:
    """A window of the native grid, and the positions of its cells in the result."""

    window: Window
    cells: IndexArray
    """(cell,) index in the window, row by row; areas are consecutive."""
    takes: Takes
    """One run per area in the window."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScatteredCells:
    """Scattered cells of the native grid, and their positions in the result."""

    rows: Int64Array
    """(cell,)."""
    columns: Int64Array
    """(cell,)."""
    takes: Takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaPlan:
    """The windows in which the cells of areas are read. In the result, areas are consecutive."""

    spans: Spans
    """Spans cut at the edges of windows, in order of area and window."""
    firsts: Int64Array
    """(span,) position of its first cell in the result."""
    bounds: Int64Array
    """(area + 1,) area `k` has the positions from `bounds[k]` to before `bounds[k + 1]`."""
    windows: Int64Array
    """(window, 4) rows and columns, stops exclusive."""
    blocks: Int64Array
    """(window,) number of blocks of the source."""
    is_sparse: BoolArray
    """(window,) mask of windows in groups of which most blocks are not needed."""
    order: Int64Array
    """(span,) numbers of spans, ordered by window."""
    ends: Int64Array
    """(window + 1,) the spans of window `k` are `order[ends[k]:ends[k + 1]]`."""

    def window(self, number: int) -> AreaWindow:
        """Return a window with its cells."""
        span_numbers = self.order[self.ends[number] : self.ends[number + 1]]
        spans = self.spans.select(span_numbers)
        top, bottom, west, east = self.windows[number].tolist()
        lengths = spans.lengths
        offsets = np.cumsum(lengths) - lengths
        starts = (spans.rows - top) * (east - west) + spans.starts - west
        steps = np.ones(int(lengths.sum()), dtype=np.intp)  # a single array, as overlapping areas have many cells
        steps[offsets] = np.diff(starts, prepend=0) - np.append(0, lengths[:-1] - 1)
        cells = np.cumsum(steps, out=steps)
        firsts = np.flatnonzero(np.diff(spans.areas, prepend=-1))
        ends = np.append(offsets[firsts[1:]], cells.size)
        return AreaWindow(
            window=Window(top, bottom, west, east),
            cells=cells,
            takes=tuple(
                zip(offsets[firsts].tolist(), ends.tolist(), self.firsts[span_numbers[firsts]].tolist(), strict=True)
            ),
        )

    def scattered_cells(self, first: int, last: int) -> ScatteredCells:
        """Return the cells of the windows from `first` to before `last`."""
        spans = self.spans.select(span_numbers := self.order[self.ends[first] : self.ends[last]])
        lengths = spans.lengths
        offsets = np.cumsum(lengths) - lengths
        total = int(lengths.sum())
        targets = self.firsts[span_numbers]
        starts = np.flatnonzero(np.append(True, targets[1:] != (targets + lengths)[:-1]))
        ends = np.append(offsets[starts[1:]], total)
        return ScatteredCells(
            rows=np.repeat(spans.rows, lengths),
            columns=np.arange(total) + np.repeat(spans.starts - offsets, lengths),
            takes=tuple(zip(offsets[starts].tolist(), ends.tolist(), targets[starts].tolist(), strict=True)),
        )

    def runs(self, cells: int) -> list[tuple[int, int]]:
        """Return runs (first, stop) of neighbouring sparse windows: areas need few of their cells.

        A run has at most `cells` cells in areas; a single window may have more.
        """
        counts = np.append(0, np.cumsum(np.add.reduceat(self.spans.lengths[self.order], self.ends[:-1])))
        runs, sparse = [], np.flatnonzero(self.is_sparse)
        for run in np.split(sparse, np.flatnonzero(np.diff(sparse) != 1) + 1):
            first = int(run[0])
            while first <= run[-1]:
                last = int(np.searchsorted(counts, counts[first] + cells, side="right")) - 1
                last = min(max(last, first + 1), int(run[-1]) + 1)
                runs.append((first, last))
                first = last
        return runs


def plan_of(spans: Spans, areas: int, shape: BlockShape) -> AreaPlan:
    """Return the plan for the spans of a number of areas, from a source with blocks of a shape."""
    cut = _cut(spans, shape.width)
    blocks, block_of_span = _unique(cut.rows // shape.height, cut.starts // shape.width)
    group, is_sparse = _groups(blocks, shape)
    window_of_span = group[block_of_span]
    cut_order = np.lexsort((cut.starts, cut.rows, window_of_span, cut.areas))
    cut, window_of_span = cut.select(cut_order), window_of_span[cut_order]
    lengths = cut.lengths
    bounds = np.concatenate([[0], np.cumsum(np.bincount(cut.areas, weights=lengths, minlength=areas))])
    order = np.argsort(window_of_span, kind="stable")
    ends = np.searchsorted(window_of_span[order], np.arange(int(group.max(initial=-1)) + 2))
    return AreaPlan(
        spans=cut,
        firsts=np.cumsum(lengths) - lengths,
        bounds=bounds.astype(np.int64),
        windows=_boxes(cut, order, ends),
        blocks=np.bincount(group),
        is_sparse=is_sparse,
        order=order,
        ends=ends,
    )


def _cut(spans: Spans, width: int) -> Spans:
    """Cut spans at the edges of blocks of a width."""
    first, last = spans.starts // width, (spans.stops - 1) // width
    counts = last - first + 1
    span = np.repeat(np.arange(counts.size), counts)
    block = first[span] + np.arange(span.size) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = spans.select(span)
    starts, stops = np.maximum(parts.starts, block * width), np.minimum(parts.stops, (block + 1) * width)
    return replace(parts, starts=starts, stops=stops)


def _unique(rows: Int64Array, columns: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the distinct pairs (n, 2) in order, and the number of the pair of each element."""
    across = int(columns.max(initial=0)) + 1
    keys, numbers = np.unique(rows * across + columns, return_inverse=True)
    return np.column_stack(np.divmod(keys, across)), numbers


def _groups(blocks: Int64Array, shape: BlockShape) -> tuple[Int64Array, BoolArray]:
    """Return (block,) window of each block, and (window,) mask of sparse windows.

    A group of blocks becomes one window if at least half of its blocks are needed, else one window per run of blocks.
    """
    if not len(blocks):
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    down, across = -(-GROUP_PX // shape.height), -(-GROUP_PX // shape.width)
    _ids, group_of_block = _unique(blocks[:, 0] // down, blocks[:, 1] // across)
    counts = np.bincount(group_of_block)
    order = np.argsort(group_of_block, kind="stable")
    ends = np.append(0, np.cumsum(counts))[:-1]
    sizes = [
        np.maximum.reduceat(blocks[order, axis], ends) - np.minimum.reduceat(blocks[order, axis], ends) + 1
        for axis in (0, 1)
    ]
    is_dense = counts * 2 >= sizes[0] * sizes[1]
    sorted_blocks, sorted_groups = blocks[order], group_of_block[order]
    follows = (
        (np.diff(sorted_groups, prepend=-1) == 0)
        & (np.diff(sorted_blocks[:, 0], prepend=-1) == 0)
        & (np.diff(sorted_blocks[:, 1], prepend=-9) == 1)
    )
    is_first = np.where(is_dense[sorted_groups], np.diff(sorted_groups, prepend=-1) != 0, ~follows)
    windows = np.empty(len(blocks), dtype=np.int64)
    windows[order] = np.cumsum(is_first) - 1
    return windows, ~is_dense[sorted_groups][is_first]


def _boxes(spans: Spans, order: Int64Array, ends: Int64Array) -> Int64Array:
    """Return (window, 4) the smallest windows that contain the cells."""
    if ends.size < 2:
        return np.zeros((0, 4), dtype=np.int64)
    starts = ends[:-1]
    return np.column_stack(
        [
            np.minimum.reduceat(spans.rows[order], starts),
            np.maximum.reduceat(spans.rows[order], starts) + 1,
            np.minimum.reduceat(spans.starts[order], starts),
            np.maximum.reduceat(spans.stops[order], starts),
        ]
    )
