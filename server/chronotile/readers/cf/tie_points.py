"""Latitudes and longitudes of cells between tie points, bilinear in earth-centred coordinates.

Tie points are every n-th row and m-th column of the cells (products of OLCI), or at row and column numbers that the
file lists (CF 1.9 §8.3, `bi_linear`).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Float64Array, FloatArray, Int64Array
from chronotile.readers.cf.axes import role_by_attributes
from chronotile.readers.cf.encoding import decode
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.geolocation import Geolocation
from chronotile.readers.cf.nearest_cells import STRIP_CELLS, degrees_of, unit_vectors

OLCI_AXES = (("rows", "tie_rows", "al_subsampling_factor"), ("columns", "tie_columns", "ac_subsampling_factor"))
"""Dimension of cells, dimension of tie points, and the attribute with the cells per tie point."""
NAMES = {"y": ("latitude", "degrees_north"), "x": ("longitude", "degrees_east")}


@dataclass(frozen=True, slots=True)
class TieAxis:
    """Cells along a dimension, and the tie points among them."""

    dim: str
    size: int
    """Number of cells."""
    tie_dim: str
    cells: Int64Array
    """(tie point,): its cell."""

    def neighbours(self, cells: Int64Array) -> tuple[Int64Array, Int64Array, Float64Array]:
        """Return the tie points before and after cells, and the fraction of the way between them.

        Raises:
            UnsupportedSource: The first or the last cell is not a tie point.
        """
        ends = self.cells[[0, -1]].tolist() if self.cells.size else []
        if ends != [0, self.size - 1] or (np.diff(self.cells) <= 0).any():
            reason = (
                f"its {self.cells.size} {self.tie_dim} are not from the first to the last of {self.size} {self.dim}"
            )
            raise UnsupportedSource(f"{reason}, so positions between tie points are unknown")
        before = np.searchsorted(self.cells, cells, side="right") - 1
        after = np.searchsorted(self.cells, cells)
        gaps = np.maximum(self.cells[after] - self.cells[before], 1)
        return before, after, (cells - self.cells[before]) / gaps


def add_cell_positions(fields: FieldSet) -> FieldSet:
    """Return fields with the latitude and longitude of each cell, if only tie points have these."""
    added = dict[str, Field]()
    for axes, pair in (*_pairs_by_mapping(fields), *_pairs_of_olci(fields)):
        ties = Geolocation(latitude=pair["y"], longitude=pair["x"], rows=axes[0].tie_dim, columns=axes[1].tie_dim)
        for role, (standard_name, units) in NAMES.items():
            name = f"/interpolated/{pair[role].name}"
            read = partial(_read, ties, axes, role)
            added[name] = Field(
                name=name,
                dims=(axes[0].dim, axes[1].dim),
                shape=(axes[0].size, axes[1].size),
                dtype=np.dtype(np.float64),
                attrs={"standard_name": standard_name, "units": units},
                load=partial(read, (slice(None), slice(None))),
                part=read,
            )
    return replace(fields, fields={**fields.fields, **added}) if added else fields


def _read(ties: Geolocation, axes: Sequence[TieAxis], role: str, picks: tuple[slice, ...]) -> Float64Array:
    """Return (y, x) latitudes (role y) or longitudes of some cells."""
    rows, columns = (np.arange(axis.size)[pick] for axis, pick in zip(axes, picks, strict=True))
    positions = np.empty((rows.size, columns.size))
    step = max(1, STRIP_CELLS // max(1, columns.size))
    for start in range(0, rows.size, step):
        part = slice(start, start + step)
        (top, bottom, down), (west, east, across) = axes[0].neighbours(rows[part]), axes[1].neighbours(columns)
        window = slice(int(top.min()), int(bottom.max()) + 1), slice(int(west.min()), int(east.max()) + 1)
        vectors = unit_vectors(*ties.read(*window))
        vectors = _between(vectors, top - window[0].start, bottom - window[0].start, down)
        vectors = _between(vectors.swapaxes(0, 1), west - window[1].start, east - window[1].start, across)
        longitudes, latitudes = degrees_of(vectors.swapaxes(0, 1))
        positions[part] = latitudes if role == "y" else longitudes
    return positions


def _between(vectors: Float64Array, before: Int64Array, after: Int64Array, fractions: FloatArray) -> Float64Array:
    weights = fractions[:, np.newaxis, np.newaxis]
    return vectors[before] * (1 - weights) + vectors[after] * weights


def _pair_over(fields: FieldSet, dims: Sequence[str]) -> dict[str, Field]:
    """Return latitudes ("y") and longitudes ("x") over two dimensions, as far as they exist."""
    near = (field for field in fields.fields.values() if set(field.dims) == set(dims))
    return {role: field for field in near if (role := role_by_attributes(field)) in {"x", "y"} and role is not None}


def _pairs_of_olci(fields: FieldSet) -> Iterator[tuple[tuple[TieAxis, TieAxis], Mapping[str, Field]]]:
    """Yield the axes and the tie points of a product of OLCI without positions of all cells."""
    dims, tie_dims, names = zip(*OLCI_AXES, strict=True)
    pair = _pair_over(fields, tie_dims)
    cells = next((field.sizes for field in fields.fields.values() if set(dims) <= set(field.dims)), None)
    if len(pair) < 2 or cells is None or len(_pair_over(fields, dims)) == 2:
        return
    with suppress(KeyError, ValueError, TypeError, IndexError, OverflowError):
        factors = [int(np.ravel(fields.attrs[name])[0]) for name in names]
        counts = [pair["y"].sizes[dim] for dim in tie_dims]
        rows, columns = (
            TieAxis(dim, cells[dim], tie_dim, np.arange(count) * factor)
            for dim, tie_dim, count, factor in zip(dims, tie_dims, counts, factors, strict=True)
        )
        yield (rows, columns), pair


def _pairs_by_mapping(fields: FieldSet) -> Iterator[tuple[tuple[TieAxis, TieAxis], Mapping[str, Field]]]:
    """Yield the axes and the tie points that attributes of arrays name (CF 1.9 §8.3)."""
    texts = {field.text("coordinate_interpolation"): field for field in fields.fields.values()}
    for text, array in texts.items():
        words = text.split()
        with suppress(KeyError, ValueError):
            rule = fields.fields[next((word for word in words if not word.endswith(":")), "")]
            if rule.text("interpolation_name") != "bi_linear":
                continue
            first, first_cells, first_ties, *rest = rule.text("tie_point_mapping").split()
            second, second_cells, second_ties = rest
            rows, columns = (
                TieAxis(dim[:-1], array.sizes[dim[:-1]], tie_dim, decode(fields.fields[cells]).values.astype(np.int64))
                for dim, cells, tie_dim in ((first, first_cells, first_ties), (second, second_cells, second_ties))
            )
            named = [fields.fields[word[:-1]] for word in words if word.endswith(":") and word[:-1] in fields.fields]
            pair = {str(role_by_attributes(field)): field for field in named}
            if pair.keys() == {"x", "y"}:
                yield (rows, columns), pair
