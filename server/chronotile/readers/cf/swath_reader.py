"""Reader of arrays with a latitude and longitude per cell, as rasters on a regular grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import Int64Array
from chronotile.core.read_cost import BLOCK_S, ReadCost
from chronotile.readers.cf.cell_areas import average_areas, is_averaging
from chronotile.readers.cf.geolocation import examine
from chronotile.readers.cf.swath import CellPart, Swath, SwathPlan
from chronotile.readers.library_errors import Damaged, reading
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.reader import PLAIN_BLOCK, Along, BlockShape, Reader
from chronotile.readers.wrapping_reader import DerivingReader, dispatch_derived

LOOKUP_S, GATHER_S = 2e-6, 20e-9
"""Processor seconds to find the nearest cell of a pixel, and to take its value."""


@dataclass(frozen=True, slots=True)
class SwathVariable:
    """An array on a regular grid."""

    name: str
    encoding: Encoding
    swath: Swath
    counting: Counting | None
    """How its numbers are averaged; `None` for bit flags."""


class SwathReader(DerivingReader[SwathVariable]):
    """Reader of variables whose pixels have the values of the nearest cells of swaths, or means of areas.

    Pixels are means of areas inside `averaging_areas`, if their level is native and every row and column is read.

    Args:
        collection: Id, for messages.
        reader: Reads blocks of the arrays; its information already has the regular grids.
        swaths: The cells of some variables, by id.
    """

    def __init__(self, collection: str, reader: Reader, swaths: Mapping[str, Swath]) -> None:
        variables = {name: _swath_variable(reader.info.variables[name], swath) for name, swath in swaths.items()}
        super().__init__(reader, variables, reader.info)
        self._collection = collection
        self._states = {swath.digest: reader.revision(name, 0) for name, swath in swaths.items()}
        """Revision of a source when its positions were last compared, by their digest."""

    @property
    def swaths(self) -> Mapping[str, Swath]:
        """The cells of its variables, by id."""
        return {name: variable.swath for name, variable in self._derived.items()}

    @dispatch_derived
    def read_window(self, variable: SwathVariable, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of every `step`-th row and column of a window of a level."""
        if is_averaging() and (level, step) == (0, 1):
            pixels = self.read_block(variable.name, indexes=[index], window=window, along="space")
        else:
            pixels = self._read(variable, [index], "space", level=level, window=window, step=step)
        return Pixels(pixels.numbers[0], None if pixels.valid is None else pixels.valid[0])

    @dispatch_derived
    def fetch_ahead(self, variable: SwathVariable, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Do nothing: the cells of a window are unknown until positions are read."""

    @dispatch_derived
    def read_cell(self, variable: SwathVariable, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        pixels = self._read(variable, indexes, "time", level=0, window=Window.from_cell(row, column), step=1)
        return Pixels(pixels.numbers[:, 0, 0], None if pixels.valid is None else pixels.valid[:, 0, 0])

    @dispatch_derived
    def read_block(self, variable: SwathVariable, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid; bit flags are never averaged."""
        nearest = self._read(variable, indexes, along, level=0, window=window, step=1)
        if variable.counting is None or not is_averaging() or not variable.swath.has_areas:
            return nearest
        with reading(self._collection, variable.name):
            parts = variable.swath.areas(window)
        return average_areas(
            parts,
            nearest,
            lambda part, times: self._reader.read_block(
                variable.name, indexes=indexes[times], window=part, along=along
            ),
            variable.counting,
        )

    def _read(
        self, variable: SwathVariable, indexes: Sequence[int], along: Along, *, level: int, window: Window, step: int
    ) -> Pixels:
        with reading(self._collection, variable.name):
            self._require_same_positions(variable)
            plan = variable.swath.plan(level, window, step)
        return plan.read(
            lambda part: self._reader.read_block(variable.name, indexes=indexes, window=part, along=along),
            len(indexes),
            variable.encoding,
        )

    def _require_same_positions(self, variable: SwathVariable) -> None:
        """Check that a source that was written since has the positions that it had."""
        swath = variable.swath
        state = self._reader.revision(variable.name, 0)
        if state != self._states[swath.digest]:
            if examine(swath.geolocation)[1] != swath.digest:
                raise Damaged("latitudes and longitudes of its cells have changed")
            self._states[swath.digest] = state

    @dispatch_derived
    def read_cells(
        self, variable: SwathVariable, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array
    ) -> Pixels:
        """Return (time, cell) pixels of scattered native cells."""
        with reading(self._collection, variable.name):
            self._require_same_positions(variable)
            cells = variable.swath.find_cells(rows, columns)
        targets = np.flatnonzero(cells >= 0)
        y, x = np.divmod(cells[targets], variable.swath.geolocation.width)
        sources = np.arange(targets.size, dtype=np.int32)
        parts = (CellPart(Window(0, 1, 0, targets.size), sources, targets.astype(np.int32)),) if targets.size else ()
        pixels = SwathPlan((1, rows.size), parts).read(
            lambda _window: self._reader.read_cells(variable.name, indexes=indexes, rows=y, columns=x),
            len(indexes),
            variable.encoding,
        )
        return Pixels(pixels.numbers[:, 0], None if pixels.valid is None else pixels.valid[:, 0])

    @dispatch_derived
    def block_shape(self, variable: SwathVariable, along: Along) -> BlockShape:
        """Return the length of a chunk along time, and a usual size in space."""
        return PLAIN_BLOCK._replace(times=self._reader.block_shape(variable.name, along).times)

    @dispatch_derived
    def read_cost(
        self,
        variable: SwathVariable,
        *,
        indexes: Sequence[int],
        window: Window,
        along: Along,
    ) -> ReadCost:
        """Return the cost of the array, and of the search for the nearest cells, once for all times."""
        cost = self._reader.read_cost(variable.name, indexes=indexes, window=window, along=along)
        search_s = LOOKUP_S / max(1, len(indexes))
        return replace(cost, block_s=cost.block_s + BLOCK_S, value_s=cost.value_s + GATHER_S + search_s)


def _swath_variable(info: VariableInfo, swath: Swath) -> SwathVariable:
    counting = Counting(encoding=info.encoding, is_categorical=info.is_categorical)
    return SwathVariable(info.name, info.encoding, swath, None if info.bit_flags else counting)


def serve_swaths(collection: str, reader: Reader, swaths: Mapping[str, Swath]) -> Reader:
    """Return a reader of variables on regular grids; `reader` itself if it has no swaths."""
    return SwathReader(collection, reader, swaths) if swaths else reader
