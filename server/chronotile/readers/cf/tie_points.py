"""Latitudes and longitudes of cells between tie points, bilinear in earth-centred coordinates.

Tie points are every n-th row and m-th column of the cells in products of OLCI. In other files, arrays list the rows and
columns of tie points (CF 1.9 §8.3, `bi_linear`).
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Float64Array, Int64Array
from chronotile.readers.cf.axes import role_by_attributes
from chronotile.readers.cf.encoding import decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.geolocation import Geolocation
from chronotile.readers.cf.nearest_cells import STRIP_CELLS, degrees_of, unit_vectors

INTERPOLATION = "coordinate_interpolation"
"""Attribute with the name of the interpolation of the positions of an array (CF §8.3.2)."""
OLCI_AXES = (("rows", "tie_rows", "al_subsampling_factor"), ("columns", "tie_columns", "ac_subsampling_factor"))
"""Dimension of cells, dimension of tie points, and global attribute with the number of cells per tie point."""
UNITS = {"y": ("latitude", "degrees_north"), "x": ("longitude", "degrees_east")}


@dataclass(frozen=True, slots=True)
class TieAxis:
    """Cells along a dimension, and the tie points among them."""

    dim: str
    size: int
    """Number of cells."""
    tie_dim: str
    cells: Int64Array
    """(tie point,): its cell."""

    def interpolate(self, vectors: Float64Array, cells: Int64Array, first: int) -> Float64Array:
        """Return (cell, …) vectors between the (tie point, …) vectors from the tie point `first`."""
        before, after = self.neighbours(cells)
        gaps = np.maximum(self.cells[after] - self.cells[before], 1)
        weights = ((cells - self.cells[before]) / gaps)[:, np.newaxis, np.newaxis]
        interpolated: Float64Array = vectors[before - first] * (1 - weights) + vectors[after - first] * weights
        return interpolated

    def neighbours(self, cells: Int64Array) -> tuple[Int64Array, Int64Array]:
        """Return the tie points before and after cells; both are the tie point of a cell that has one.

        Raises:
            UnsupportedSource: The first or the last cell is not a tie point.
        """
        ends = self.cells[[0, -1]].tolist() if self.cells.size else []
        if ends != [0, self.size - 1] or (np.diff(self.cells) <= 0).any():
            reason = (
                f"its {self.cells.size} {self.tie_dim} are not from the first to the last of {self.size} {self.dim}"
            )
            raise UnsupportedSource(f"{reason}, so positions between tie points are unknown")
        return np.searchsorted(self.cells, cells, side="right") - 1, np.searchsorted(self.cells, cells)


def add_cell_positions(fields: FieldSet) -> FieldSet:
    """Return fields with a latitude and longitude per cell of arrays whose tie points alone have positions."""
    added = dict[str, Field]()
    for array in {(array.dims, array.text(INTERPOLATION)): array for array in fields.fields.values()}.values():
        with suppress(KeyError, ValueError, TypeError, IndexError, OverflowError):  # attributes are missing or wrong
            rows, columns = _listed_axes(array, fields) if array.text(INTERPOLATION) else _olci_axes(array, fields)
            ties = _positions_over(fields, (rows.tie_dim, columns.tie_dim))
            if len(ties) == 2 and len(_positions_over(fields, (rows.dim, columns.dim))) < 2:
                added |= {
                    f"/interpolated/{tie.name}": _cells_of(ties, role, rows, columns) for role, tie in ties.items()
                }
    return replace(fields, fields={**fields.fields, **added}) if added else fields


def _positions_over(fields: FieldSet, dims: Sequence[str]) -> dict[str, Field]:
    # Existing latitudes ("y") and longitudes ("x") over two dimensions.
    over = (field for field in fields.fields.values() if set(field.dims) == set(dims))
    return {role: field for field in over if (role := role_by_attributes(field)) in UNITS and role is not None}


def _olci_axes(array: Field, fields: FieldSet) -> list[TieAxis]:
    factors = [int(np.ravel(fields.attrs[name])[0]) for _dim, _tie_dim, name in OLCI_AXES]
    counts = {dim: size for field in fields.fields.values() for dim, size in field.sizes.items()}
    return [
        TieAxis(dim, array.sizes[dim], tie_dim, np.arange(counts[tie_dim]) * factor)
        for (dim, tie_dim, _name), factor in zip(OLCI_AXES, factors, strict=True)
    ]


def _listed_axes(array: Field, fields: FieldSet) -> list[TieAxis]:
    rule = fields.fields[next(word for word in [*array.text(INTERPOLATION).split(), ""] if not word.endswith(":"))]
    words = rule.text("tie_point_mapping").split() if rule.text("interpolation_name") == "bi_linear" else []
    parts = [(words[at].removesuffix(":"), words[at + 1], words[at + 2]) for at in range(0, len(words), 3)]
    return [
        TieAxis(dim, array.sizes[dim], tie_dim, decode(fields.fields[cells]).values.astype(np.int64))
        for dim, cells, tie_dim in parts
    ]


def _cells_of(ties: dict[str, Field], role: str, rows: TieAxis, columns: TieAxis) -> Field:
    """Return the latitudes (role "y") or longitudes ("x") of all cells."""
    points = Geolocation(latitude=ties["y"], longitude=ties["x"], rows=rows.tie_dim, columns=columns.tie_dim)
    read = partial(_read, points, (rows, columns), role)
    return Field(
        name=f"/interpolated/{ties[role].name}",
        dims=(rows.dim, columns.dim),
        shape=(rows.size, columns.size),
        dtype=np.dtype(np.float64),
        attrs=dict(zip(("standard_name", "units"), UNITS[role], strict=True)),
        load=partial(read, (slice(None), slice(None))),
        part=read,
    )


def _read(points: Geolocation, axes: tuple[TieAxis, TieAxis], role: str, picks: tuple[slice, ...]) -> Float64Array:
    rows, columns = axes
    y, x = (np.arange(axis.size)[pick] for axis, pick in zip(axes, picks, strict=True))
    positions = np.empty((y.size, x.size))
    step = max(1, STRIP_CELLS // max(1, x.size))
    for strip in (slice(start, start + step) for start in range(0, y.size, step)):
        (top, bottom), (west, east) = rows.neighbours(y[strip]), columns.neighbours(x)
        window = slice(int(top.min()), int(bottom.max()) + 1), slice(int(west.min()), int(east.max()) + 1)
        vectors = rows.interpolate(unit_vectors(*points.read(*window)), y[strip], window[0].start)
        vectors = columns.interpolate(vectors.swapaxes(0, 1), x, window[1].start).swapaxes(0, 1)
        positions[strip] = degrees_of(vectors)[1 if role == "y" else 0]
    return positions
