"""What to read for the cells of areas: windows made of whole blocks of a source, each of them once."""

from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import BoolArray, IndexArray, Int64Array
from chronotile.pipeline.zones.spans import Spans
from chronotile.readers.reader import BlockShape

GROUP_PX = 128
"""Along each side of blocks that are read at once where many of them are needed."""


Takes = tuple[tuple[int, int, int], ...]
"""For each run of cells its first one, the one after the last, and where the first one goes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaWindow:
    """A window of the native grid, and where the cells of areas in it go."""

    window: Window
    blocks: int
    """Of the source, that the window touches."""
    cells: IndexArray
    """(cell,): counted along the rows of the window, one area after the other."""
    takes: Takes
    """One for each area in the window."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaPlaces:
    """Cells here and there in the native grid, and where they go."""

    rows: Int64Array
    """(cell,)."""
    columns: Int64Array
    """(cell,)."""
    takes: Takes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaPlan:
    """Cells of areas, one area after the other, by the windows they are read in."""

    spans: Spans
    """Cut where windows end; in order of area and window."""
    firsts: Int64Array
    """(span,): where its first cell goes."""
    bounds: Int64Array
    """(area + 1,): cells of area `k` go from `bounds[k]` to before `bounds[k + 1]`."""
    windows: Int64Array
    """(window, 4): rows and columns, half-open."""
    blocks: Int64Array
    """(window,): blocks of the source that it touches."""
    is_sparse: BoolArray
    """(window,): whether it lies apart from others, and most blocks around it are not needed."""
    order: Int64Array
    """(span,): spans by window."""
    ends: Int64Array
    """(window + 1,): spans of window `k` stand from `ends[k]` to `ends[k + 1]` in `order`."""

    def window(self, number: int) -> AreaWindow:
        """Return one of the windows with its cells."""
        span_numbers = self.order[self.ends[number] : self.ends[number + 1]]
        spans = self.spans.select(span_numbers)
        top, bottom, left, right = self.windows[number].tolist()
        lengths = spans.lengths
        offsets = np.cumsum(lengths) - lengths
        starts = (spans.rows - top) * (right - left) + spans.starts - left
        steps = np.ones(int(lengths.sum()), dtype=np.intp)  # one array of them: areas that overlap have many
        steps[offsets] = np.diff(starts, prepend=0) - np.append(0, lengths[:-1] - 1)
        cells = np.cumsum(steps, out=steps)
        firsts = np.flatnonzero(np.diff(spans.areas, prepend=-1))
        ends = np.append(offsets[firsts[1:]], cells.size)
        return AreaWindow(
            window=Window(top, bottom, left, right),
            blocks=int(self.blocks[number]),
            cells=cells,
            takes=tuple(
                zip(offsets[firsts].tolist(), ends.tolist(), self.firsts[span_numbers[firsts]].tolist(), strict=True)
            ),
        )

    def scattered_cells(self, first: int, last: int) -> AreaPlaces:
        """Return where the cells of the windows from one to before another lie."""
        spans = self.spans.select(span_numbers := self.order[self.ends[first] : self.ends[last]])
        lengths = spans.lengths
        offsets = np.cumsum(lengths) - lengths
        total = int(lengths.sum())
        targets = self.firsts[span_numbers]
        starts = np.flatnonzero(np.append(True, targets[1:] != (targets + lengths)[:-1]))
        ends = np.append(offsets[starts[1:]], total)
        return AreaPlaces(
            rows=np.repeat(spans.rows, lengths),
            columns=np.arange(total) + np.repeat(spans.starts - offsets, lengths),
            takes=tuple(zip(offsets[starts].tolist(), ends.tolist(), targets[starts].tolist(), strict=True)),
        )

    def runs(self, cells: int) -> list[tuple[int, int]]:
        """Return runs of sparse windows, one to before another, with at most so many cells, or one window."""
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
    """Return what to read for spans of a number of areas from a source that has blocks of a shape."""
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
    """Spans cut where blocks of a width end."""
    first, last = spans.starts // width, (spans.stops - 1) // width
    counts = last - first + 1
    span = np.repeat(np.arange(counts.size), counts)
    block = first[span] + np.arange(span.size) - np.repeat(np.cumsum(counts) - counts, counts)
    parts = spans.select(span)
    starts, stops = np.maximum(parts.starts, block * width), np.minimum(parts.stops, (block + 1) * width)
    return replace(parts, starts=starts, stops=stops)


def _unique(rows: Int64Array, columns: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Pairs (n, 2) that occur, in order, and which of them each is."""
    across = int(columns.max(initial=0)) + 1
    keys, places = np.unique(rows * across + columns, return_inverse=True)
    return np.column_stack(np.divmod(keys, across)), places


def _groups(blocks: Int64Array, shape: BlockShape) -> tuple[Int64Array, BoolArray]:
    """(block,): which window reads it, and (window,): whether that is sparse.

    Where half of a group of blocks is needed one window does, else one for each run of them.
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
    """(window, 4): the smallest that hold the cells."""
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
