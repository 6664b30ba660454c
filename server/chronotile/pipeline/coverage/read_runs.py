"""The runs in which a coverage is best read: whole blocks of its source, in bounded memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from chronotile.model.coverage import RUN_BYTES
from chronotile.model.grid import Window
from chronotile.model.raster import Pixels
from chronotile.pipeline.read_costs import CHUNK_S, VALUE_S
from chronotile.readers.reader import Along, BlockShape, Reader

LAYOUTS: tuple[Along, Along] = ("space", "time")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRuns:
    """Runs of rows, each at each run of times."""

    row_runs: tuple[range, ...]
    time_runs: tuple[range, ...]

    @property
    def rows_at_once(self) -> int:
        """Rows of the largest."""
        return max(len(run) for run in self.row_runs)


def cheapest_layout(
    reader: Reader, variable: str, *, indexes: Sequence[int], windows: Sequence[Window]
) -> tuple[Along, BlockShape]:
    """Return the layout that takes the least time to read windows of the native grid at some times; reads no pixels.

    Raises:
        SourceUnavailable: The source is gone.
    """
    shapes = {along: reader.block_shape(variable, along) for along in LAYOUTS}
    along = min(LAYOUTS, key=lambda each: _seconds(shapes[each], indexes, windows))
    return along, shapes[along]


def read_cheaply(reader: Reader, variable: str, *, indexes: Sequence[int], window: Window) -> Pixels:
    """Return (time, y, x) pixels of a window of the native grid, from the layout that takes the least time.

    Raises:
        SourceUnavailable: The source is gone or damaged.
    """
    along, _shape = cheapest_layout(reader, variable, indexes=indexes, windows=(window,))
    if along == "space" and len(indexes) == 1:  # without the copies, and the reasons, that blocks of many times have
        pixels = reader.read_window(variable, index=indexes[0], level=0, window=window)
        return Pixels(pixels.numbers[np.newaxis], None if pixels.valid is None else pixels.valid[np.newaxis])
    return reader.read_block(variable, indexes=indexes, window=window, along=along)


def runs(count: int, most: int) -> Iterator[range]:
    """Give what is counted up to `count` in runs of at most so many."""
    for start in range(0, count, most):
        yield range(start, min(start + most, count))


def runs_of_blocks(
    shape: BlockShape, *, indexes: Sequence[int], first_row: int, height: int, row_bytes: int
) -> ReadRuns:
    """Return runs of some rows from a first one of a grid that lies in blocks, at times that have some indexes."""
    rows = RUN_BYTES // (row_bytes * min(shape.times, len(indexes)))
    rows = rows // shape.height * shape.height or shape.height
    while rows > 1 and rows * row_bytes > RUN_BYTES:
        rows = -(-rows // 2)
    times = max(1, RUN_BYTES // (min(rows, height) * row_bytes))
    ends = range(first_row // shape.height * shape.height, first_row + height, rows)[1:]
    edges = [0, *(end - first_row for end in ends), height]
    return ReadRuns(
        row_runs=tuple(range(start, stop) for start, stop in pairwise(edges)),
        time_runs=tuple(_time_runs(indexes, times, shape.times)),
    )


def _time_runs(indexes: Sequence[int], most: int, length: int) -> Iterator[range]:
    """Runs of at most so many times, cut where blocks of a length end if one fits."""
    blocks = [index // length for index in indexes]
    start = 0
    while start < len(indexes):
        stop = min(start + most, len(indexes))
        if stop < len(indexes):
            stop = next((end for end in range(stop, start, -1) if blocks[end] != blocks[end - 1]), stop)
        yield range(start, stop)
        start = stop


def _seconds(shape: BlockShape, indexes: Sequence[int], windows: Sequence[Window]) -> float:
    """About how long it takes to decode all blocks that windows touch."""
    times = len({index // shape.times for index in indexes})
    blocks = sum(
        len(range(window.row_start // shape.height, -(-window.row_stop // shape.height)))
        * len(range(window.column_start // shape.width, -(-window.column_stop // shape.width)))
        for window in windows
    )
    return times * blocks * (CHUNK_S + VALUE_S * shape.times * shape.height * shape.width)
