"""Cells of a coverage as series at points, for formats that list values by point."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.model.coverage import Coverage
from chronotile.core.model.request import Point
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.types import FloatArray
from chronotile.pipeline.encoders.coverage.strips import coverage_values
from chronotile.pipeline.encoders.series.table import SeriesTable, table_of_layers


class Points(Sequence[Point]):
    """A sequence of points; each is made when it is accessed."""

    def __init__(self, x: FloatArray, y: FloatArray, crs: Crs) -> None:
        self._x, self._y, self._crs = x, y, crs

    def __len__(self) -> int:
        """The number of points."""
        return len(self._x)

    @overload
    def __getitem__(self, index: int) -> Point: ...

    @overload
    def __getitem__(self, index: slice) -> "Points": ...

    def __getitem__(self, index: int | slice) -> "Point | Points":
        """Return one point, or some of them."""
        if isinstance(index, slice):
            return Points(self._x[index], self._y[index], self._crs)
        return Point(x=float(self._x[index]), y=float(self._y[index]), crs=self._crs)

    def __iter__(self) -> Iterator[Point]:
        """Iterate over all points."""
        for x, y in zip(self._x.tolist(), self._y.tolist(), strict=True):
            yield Point(x=x, y=y, crs=self._crs)


def table_of_cells(coverage: Coverage, *, is_active: IsActive = always_active) -> SeriesTable:
    """Return the cells in which a field has a value at any time, from north to south and west to east.

    Each is a point at its centre, in the CRS of the coverage, with values at all times. All values are in memory.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        ClientGone: The client closed the connection.
    """
    grid, times = coverage.grid, coverage.times.instants
    values = [coverage_values(coverage, number, is_active=is_active) for number in range(len(coverage.fields))]
    has_value = [np.isfinite(field_values).any(axis=0) for field_values in values]
    rows, columns = np.nonzero(np.logical_or.reduce(has_value))
    instants = times if len(times) else np.array(["NaT"], dtype="datetime64[ns]")
    return table_of_layers(
        Points(grid.x_of(columns + 0.5), grid.y_of(rows + 0.5), grid.crs),
        [
            (field.layer, instants, np.ascontiguousarray(field_values[:, rows, columns].T))
            for field, field_values in zip(coverage.fields, values, strict=True)
        ],
    )
