"""Cells of the mosaics of a collection, sorted, read and combined as by `chronotile audit`."""

from collections.abc import Iterable

import numpy as np

from chronotile.audit.sources import mosaic_truth_of
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import WORLD
from chronotile.core.model.types import Float64Array, Instant
from chronotile.optimise.inputs import CubeInputs
from chronotile.optimise.mosaics import CollectionMosaic
from chronotile.optimise.plan import PlannedVariable
from chronotile.optimise.source_cells import SourceCells
from chronotile.optimise.stored_cubes import CellCentres, CellValues
from chronotile.optimise.tasks import TaskDate

MAX_ITEMS = 1000
"""Items whose files are checked before the comparison."""


def require_readable_items(mosaic: CollectionMosaic, variables: Iterable[VariableInfo]) -> None:
    """Check that the files of a collection can be read independently.

    Raises:
        UnsupportedSource: They cannot.
    """
    index = mosaic.open_index()
    try:
        for variable in variables:
            mosaic_truth_of(mosaic.spec, variable, index)
        newest = index.covering(mosaic.spec.collection, WORLD, instants=mosaic.times.instants[-1:])
        assets_of_items = index.assets([ref.number for ref in newest[:MAX_ITEMS]])
        if any("://" in asset.href.removeprefix("file://") for assets in assets_of_items.values() for asset in assets):
            raise UnsupportedSource("files of its items are not on this machine")
    except UnsupportedSource as error:
        raise UnsupportedSource(f"the cube cannot be verified: {error.message}") from error
    finally:
        index.close()


class MosaicCells(SourceCells):
    """A variable of the mosaics of a collection, read independently.

    Raises:
        UnsupportedSource: It cannot be read independently.
    """

    def __init__(self, inputs: CubeInputs, planned: PlannedVariable, mosaic: CollectionMosaic) -> None:
        super().__init__(inputs, planned)
        self._index = mosaic.open_index()
        self._float = np.dtype(self._info.encoding.dtype).kind == "f"
        self._truth = mosaic_truth_of(mosaic.spec, self._info, self._index)

    @property
    def drops_flags(self) -> bool:
        """Return True: flags have no value, whatever their names."""
        return True

    def has_readable_time(self, date: TaskDate) -> bool:  # noqa: ARG002 -- as of files
        """Return True: items of another time have other values."""
        return True

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def cells(self, date: TaskDate, instant: Instant, points: CellCentres) -> CellValues:
        """Return the values of the items of a time at points."""
        values = self._truth.values(instant, date.origin.index, points.x, points.y)
        return CellValues(values, np.zeros(values.shape, dtype=np.uint32), "the mosaic of its items")

    def tolerance(self, values: Float64Array) -> Float64Array:
        """Return the allowed differences of stored values: averages and formulas are rounded to their type first."""
        allowed = super().tolerance(values)
        source = self._info.encoding
        if not self._float:
            return allowed
        numbers = (np.abs(np.where(np.isfinite(values), values, 0)) + abs(source.offset)) / abs(source.scale)
        rounding = np.spacing(numbers.astype(source.dtype)).astype(np.float64) * abs(source.scale)
        return np.asarray(allowed + rounding)
