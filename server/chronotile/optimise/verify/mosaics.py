"""A cube of a collection of items, compared with their files: sorted, read and combined as `chronotile audit` does."""

from collections.abc import Iterable

import numpy as np

from chronotile.archive.audit.sources import mosaic_truth_of
from chronotile.errors import UnsupportedSource
from chronotile.model.grid import BBox, Window
from chronotile.model.source import VariableInfo
from chronotile.optimise.inputs import Inputs
from chronotile.optimise.mosaics import Mosaic
from chronotile.optimise.tasks import Job, TaskDate
from chronotile.optimise.verify.sources import Cells, SourceCells, Values

REMEDY = "leave --verify out"
WHOLE = BBox(-180.0, -90.0, 180.0, 90.0)
MOST_ITEMS = 1000
"""Whose files are looked at before anything is written."""


def require_items_apart(mosaic: Mosaic, variables: Iterable[VariableInfo]) -> None:
    """Check, before anything is written, that the files of a collection can be read apart.

    Raises:
        UnsupportedSource: They cannot.
    """
    index = mosaic.open_index()
    try:
        for each in variables:
            mosaic_truth_of(mosaic.spec, each, index)
        newest = index.covering(mosaic.spec.collection, WHOLE, instants=mosaic.times.instants[-1:])
        found = index.assets([ref.number for ref in newest[:MOST_ITEMS]])
        if any("://" in asset.href.removeprefix("file://") for assets in found.values() for asset in assets):
            raise UnsupportedSource("files of its items are not on this machine")
    except UnsupportedSource as error:
        raise UnsupportedSource(f"--verify: {error.message}; {REMEDY}") from error
    finally:
        index.close()


class MosaicCells(SourceCells):
    """A variable of the mosaics of a collection, read apart, and its arrays in the cube.

    Raises:
        UnsupportedSource: It cannot be read apart.
    """

    def __init__(self, job: Job, inputs: Inputs, name: str, mosaic: Mosaic) -> None:
        super().__init__(job, inputs, name)
        self._mosaic = mosaic
        self._index = mosaic.open_index()
        self._grid = mosaic.grid
        self._float = np.dtype(self._info.encoding.dtype).kind == "f"
        self._truth = mosaic_truth_of(mosaic.spec, self._info, self._index)

    @property
    def drops_flags(self) -> bool:
        """Return True: a flag is no value, whatever its name."""
        return True

    def close(self) -> None:
        """Let go of open files and of the index."""
        super().close()
        self._index.close()

    def cells(self, date: TaskDate, window: Window) -> Cells:
        """Return what the items of a date have at the centres of cells."""
        columns, rows = np.meshgrid(
            np.arange(window.column_start, window.column_stop) + 0.5, np.arange(window.row_start, window.row_stop) + 0.5
        )
        x, y = (np.asarray(each, dtype=np.float64) for each in self._grid.points_at(columns, rows))
        index = date.origin.index
        try:
            values = self._truth.values(self._mosaic.times.instants[index], index, x, y)
        except UnsupportedSource as error:
            raise UnsupportedSource(f"--verify: {error.message}; {REMEDY}") from error
        return Cells(values, np.zeros(values.shape, dtype=np.uint32))

    def tolerance(self, values: Values) -> Values:
        """Return how far stored values may lie from these: averages and formulas are rounded to their type first."""
        allowed = super().tolerance(values)
        source = self._info.encoding
        if not self._float:
            return allowed
        numbers = (np.abs(np.where(np.isfinite(values), values, 0)) + abs(source.offset)) / abs(source.scale)
        rounding = np.spacing(numbers.astype(source.dtype)).astype(np.float64) * abs(source.scale)
        return np.asarray(allowed + rounding)

    def place(self, date: TaskDate) -> str:  # noqa: ARG002 -- as of files
        """Return where the values of a date are."""
        return "its items have"
