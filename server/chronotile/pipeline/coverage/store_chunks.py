"""Chunks of a layer as a store: which shape they have, and the numbers of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from chronotile.encoders.coverage.cf import CfField
from chronotile.encoders.coverage.store_shape import StoreShape
from chronotile.encoders.coverage.strips import ChunkShape
from chronotile.model.coverage import Numbers
from chronotile.model.grid import Grid, Window
from chronotile.model.raster import Pixels
from chronotile.pipeline.coverage.native import NativeCells
from chronotile.pipeline.services import reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.around_damage import dates_around_damage
from chronotile.readers.reader import BlockShape

LEAST_BYTES = 256 << 10
"""Of a chunk, unless its grid is smaller: smaller blocks of a source, such as single rows, are taken together."""
MOST_BYTES = 8 << 20
"""Of a chunk: larger blocks of a source are divided."""
LEAST_SIDE = 64


def chunk_shape_of(block: BlockShape, grid: Grid, *, itemsize: int, has_time: bool) -> ChunkShape:
    """Return the shape of chunks over a source's blocks: theirs, or a multiple or a part that is a sensible download.

    It does not depend on the number of times, so that chunks stay what they are when dates are appended. Chunks of many
    times hold whole pictures, or come from a source that has such blocks.
    """
    times = block.times if has_time else 1
    y, x = min(block.height, grid.height), min(block.width, grid.width)
    while times * y * x * itemsize < LEAST_BYTES and (y, x) != (grid.height, grid.width):
        if y < grid.height and (y <= x or x == grid.width):
            y = min(2 * y, grid.height)
        else:
            x = min(2 * x, grid.width)
    while has_time and (y, x) == (grid.height, grid.width) and 2 * times * y * x * itemsize <= LEAST_BYTES:
        times *= 2
    while times * y * x * itemsize > MOST_BYTES:
        if max(y, x) > LEAST_SIDE:
            y, x = (-(-y // 2), x) if y >= x else (y, -(-x // 2))
        else:
            times = -(-times // 2)
    return ChunkShape(times, y, x)


@dataclass(frozen=True, kw_only=True, eq=False)
class StoreChunk:
    """A chunk of a store's field that there is."""

    shape: StoreShape
    field: CfField
    place: ChunkShape
    """Its numbers."""

    @property
    def times(self) -> range:
        """The indexes of its times; the one of a layer without time."""
        length, count = self.shape.chunks.time, len(self.shape.times) or 1
        return range(self.place.time * length, min((self.place.time + 1) * length, count))

    @property
    def nbytes(self) -> int:
        """Of its numbers."""
        return int(np.prod(self.shape.chunks)) * self.field.dtype.itemsize

    @cached_property
    def cells(self) -> NativeCells:
        """Its cells in the source, whose rows and columns may run the other way."""
        grid, chunks, place = self.shape.layer.main_variable.grid, self.shape.chunks, self.place
        rows = _span(place.y, chunks.y, grid.height, is_turned=grid.transform.e > 0)
        columns = _span(place.x, chunks.x, grid.width, is_turned=grid.transform.a < 0)
        return NativeCells(grid=grid, window=Window(rows.start, rows.stop, columns.start, columns.stop))


def _span(number: int, size: int, length: int, *, is_turned: bool) -> range:
    start, stop = number * size, min((number + 1) * size, length)
    return range(length - stop, length - start) if is_turned else range(start, stop)


def read_chunk(chunk: StoreChunk, lacking: UnreadableDates) -> Numbers:
    """Return the (time, y, x) numbers of a chunk, without what lies beyond the grid and the last time.

    Args:
        chunk: Which.
        lacking: Takes items of a mosaic that cannot be read.

    Raises:
        DateUnreadable: One of its dates cannot be read.
        SourceUnavailable: The source is gone.
    """
    layer, field = chunk.shape.layer, chunk.shape.fields[0]
    cells = chunk.cells
    rows = range(cells.window.height)

    def read(some: Sequence[int]) -> Pixels:
        return Pixels(cells.read(lacking.reader, field, indexes=some, rows=rows))

    with reading(layer):
        parts = list(dates_around_damage(read, list(chunk.times), lacking.teller(layer.main_variable)))
        lacking.require_all()
    # Several parts without a damaged date: all were read again, after a fault that had passed by then.
    return np.concatenate([pixels.numbers for _place, pixels in parts])
