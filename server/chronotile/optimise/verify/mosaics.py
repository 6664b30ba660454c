"""A cube of a collection of items, compared with their files: sorted, read and combined as `chronotile audit` does."""

from collections.abc import Iterable

import numpy as np

from chronotile.archive.audit.sources import mosaic_truth_of
from chronotile.errors import UnsupportedSource
from chronotile.model.grid import BBox
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import Instant
from chronotile.optimise.inputs import Inputs
from chronotile.optimise.mosaics import Mosaic
from chronotile.optimise.plan import PlannedVariable
from chronotile.optimise.tasks import TaskDate
from chronotile.optimise.verify.cube import Cells, Points, Values
from chronotile.optimise.verify.sources import REMEDY, SourceCells

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
    """A variable of the mosaics of a collection, read apart.

    Raises:
        UnsupportedSource: It cannot be read apart.
    """

    def __init__(self, inputs: Inputs, planned: PlannedVariable, mosaic: Mosaic) -> None:
        super().__init__(inputs, planned)
        self._index = mosaic.open_index()
        self._float = np.dtype(self._info.encoding.dtype).kind == "f"
        self._truth = mosaic_truth_of(mosaic.spec, self._info, self._index)

    @property
    def drops_flags(self) -> bool:
        """Return True: a flag is no value, whatever its name."""
        return True

    def tells_time(self, date: TaskDate) -> bool:  # noqa: ARG002 -- as of files
        """Return True: items of another time have other values."""
        return True

    def close(self) -> None:
        """Let go of the index."""
        self._index.close()

    def cells(self, date: TaskDate, instant: Instant, points: Points) -> Cells:
        """Return what the items of a time of the cube have at points."""
        values = self._truth.values(instant, date.origin.index, points.x, points.y)
        return Cells(values, np.zeros(values.shape, dtype=np.uint32), "the mosaic of its items")

    def tolerance(self, values: Values) -> Values:
        """Return how far stored values may lie from these: averages and formulas are rounded to their type first."""
        allowed = super().tolerance(values)
        source = self._info.encoding
        if not self._float:
            return allowed
        numbers = (np.abs(np.where(np.isfinite(values), values, 0)) + abs(source.offset)) / abs(source.scale)
        rounding = np.spacing(numbers.astype(source.dtype)).astype(np.float64) * abs(source.scale)
        return np.asarray(allowed + rounding)
