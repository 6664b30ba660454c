"""A source in memory, for tests above the readers."""

import numpy as np
from affine import Affine

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import NO_TIME
from chronotile.core.warp.plan import plan_warp
from chronotile.readers.reader import Reader


def make_levels(crs, transform, width, height, *, count=1):
    """Return native grids, each half the one before."""
    return tuple(
        NativeGrid(
            crs=crs_of(crs),
            transform=transform @ Affine.scale(width / -(-width // 2**n), height / -(-height // 2**n)),
            width=-(-width // 2**n),
            height=-(-height // 2**n),
        )
        for n in range(count)
    )


class ArrayReader(Reader):
    """Reads arrays (time, y, x), one a level."""

    def __init__(self, levels, arrays, *, encoding, times=NO_TIME, valid=None):
        self.arrays = arrays
        self.valid = valid
        self.windows = []
        self.variable = VariableInfo(name="v", encoding=encoding, levels=levels, times=times)

    @property
    def info(self):
        return SourceInfo(variables={"v": self.variable})

    def revision(self, variable, index):
        return str(index)

    def read_window(self, variable, *, index, level, window, step=1):
        array = self.arrays[level]
        assert 0 <= window.row_start < window.row_stop <= array.shape[1]
        assert 0 <= window.column_start < window.column_stop <= array.shape[2]
        self.windows.append(window)
        at = np.s_[window.row_start : window.row_stop : step, window.column_start : window.column_stop : step]
        return Pixels(array[index][at], None if self.valid is None else self.valid[at])

    def read_cell(self, variable, *, indexes, row, column):
        return Pixels(self.arrays[0][list(indexes), row, column])

    def close(self):
        """Nothing is open."""


def make_reader(crs, transform, width, height, *, levels=1, dtype="uint16", nodata=None, numbers=None):
    """Return a reader of one time whose cells are all different, so that a wrong cell shows."""
    grids = make_levels(crs, transform, width, height, count=levels)
    if numbers is None:
        arrays = [
            np.random.default_rng(n).integers(1, 60_000, (1, g.height, g.width)).astype(dtype)
            for n, g in enumerate(grids)
        ]
    else:
        arrays = [numbers]
    return ArrayReader(grids, arrays, encoding=Encoding(dtype=dtype, nodata=nodata))


def read_map(reader, grid, *, resampling="nearest"):
    """Return the reader's variable at its first time on `grid`, or `None` if they share no pixel."""
    plan = plan_warp(reader.variable.levels, grid, resampling=resampling)
    return None if plan is None else plan.warp(plan.read(reader, reader.variable, 0), reader.variable.encoding)
