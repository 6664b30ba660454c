"""The arrays of a serving cube, each opened when it is first read."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tensorstore as ts
from numpy.typing import NDArray

from chronotile.model.raster import Numbers
from chronotile.readers.hrefs import tensorstore_path
from chronotile.readers.reader import Along, BlockShape
from chronotile.readers.reader_caches import ReaderCaches

Positions = NDArray[np.int64]


class StoredArray:
    """One array, opened when it is first read."""

    def __init__(self, folder: Path, caches: ReaderCaches) -> None:
        self._folder = folder
        self._caches = caches

    @cached_property
    def _array(self) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
        spec = {
            "driver": "zarr3",
            "kvstore": {"driver": "file", "path": f"{tensorstore_path(self._folder)}/"},
            "recheck_cached_data": "open",
            "recheck_cached_metadata": "open",
            "fill_missing_data_reads": False,
        }
        return ts.open(spec, open=True, read=True, context=self._caches.chunks).result()

    def window(self, position: int, rows: slice, columns: slice) -> Numbers:
        """Return (y, x) numbers."""
        numbers: Numbers = self._array[position, rows, columns].read().result()
        return numbers

    @property
    def block_shape(self) -> BlockShape:
        """What is decoded at once."""
        return BlockShape(*self._array.chunk_layout.read_chunk.shape)

    def block(self, positions: Positions, rows: slice, columns: slice) -> Numbers:
        """Return (time, y, x) numbers; where most of a run is requested, all of it is read."""
        first, last = int(positions.min()), int(positions.max())
        if last - first + 1 == positions.size and (np.diff(positions) == 1).all():
            numbers: Numbers = self._array[first : last + 1, rows, columns].read().result()
            return numbers
        if last - first < 2 * positions.size:
            run: Numbers = self._array[first : last + 1, rows, columns].read().result()
            return run[positions - first]
        some: Numbers = self._array[positions.tolist(), rows, columns].read().result()
        return some

    def scattered(self, positions: Positions, rows: Positions, columns: Positions) -> Numbers:
        """Return (time, cell) numbers."""
        first, last = int(positions.min()), int(positions.max())
        is_run = last - first < 2 * positions.size
        times = self._array[first : last + 1] if is_run else self._array[positions.tolist()]
        numbers: Numbers = times[:, rows, columns].read().result()
        return numbers if not is_run or (np.diff(positions) == 1).all() else numbers[positions - first]

    def cell(self, positions: Positions, row: int, column: int) -> Numbers:
        """Return (time,) numbers; where most of a run is requested, all of it is read."""
        first, last = int(positions.min()), int(positions.max())
        if last - first < 2 * positions.size:
            run: Numbers = self._array[first : last + 1, row, column].read().result()
            return run[positions - first]
        some: Numbers = self._array[positions.tolist(), row, column].read().result()
        return some


@dataclass(frozen=True, slots=True)
class StoredVariable:
    """The arrays of one variable in a folder: the cube's own, or its overlay."""

    levels: tuple[StoredArray, ...]
    series: StoredArray | None

    @property
    def cells(self) -> StoredArray:
        """The array that cells along time are read from."""
        return self.levels[0] if self.series is None else self.series

    def along(self, along: Along) -> StoredArray:
        """Return the array of native cells in the layout that is there, if not in the requested one."""
        return self.cells if along == "time" else self.level(0)

    def level(self, number: int) -> StoredArray:
        """Return the array of a level; a cube without maps has its series alone."""
        return self.levels[number] if self.levels else self.cells
