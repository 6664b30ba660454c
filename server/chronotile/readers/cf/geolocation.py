"""Latitudes and longitudes of the cells of arrays: swaths of instruments, and curvilinear grids of models."""

import hashlib
import math
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import AnyArray, Attributes, Float64Array, InstantArray
from chronotile.core.yaml_source import list_names
from chronotile.readers.cf.axes import COVERAGE, is_time, role_by_attributes
from chronotile.readers.cf.encoding import decode, without_range
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.nearest_cells import MAX_STORED, CellPositions, strips_of_rows
from chronotile.readers.cf.time_numbers import instants_of

POLE, TURN = 90.0, 360.0
MAX_LISTED = 8
"""Maximum number of fields that a message names."""
MAX_EXAMINED = 1000
"""Maximum number of rows and of columns that are searched for swapped axes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Geolocation:
    """Position of each cell of arrays over two dimensions (CF §5.2)."""

    latitude: Field
    longitude: Field
    rows: str
    """The dimension of rows."""
    columns: str
    has_fill_zeros: bool = False
    """Whether latitude 0 and longitude 0 together mean that the position is missing."""

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.latitude.sizes[self.rows]

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.latitude.sizes[self.columns]

    def read(self, rows: slice, columns: slice) -> tuple[Float64Array, Float64Array]:
        """Return (y, x) longitudes from -180 to 180 and latitudes; both are NaN for cells without a position."""
        longitudes, latitudes = (self._values(field, rows, columns) for field in (self.longitude, self.latitude))
        with np.errstate(invalid="ignore"):
            is_placed = (np.abs(latitudes) <= POLE) & (np.abs(longitudes) <= 2 * TURN)
            is_turned = np.abs(longitudes) > TURN / 2
            longitudes = np.where(is_turned, (longitudes + TURN / 2) % TURN - TURN / 2, longitudes)
        if self.has_fill_zeros:
            is_placed &= (latitudes != 0) | (longitudes != 0)
        return np.where(is_placed, longitudes, np.nan), np.where(is_placed, latitudes, np.nan)

    def in_memory(self, rows: slice) -> "Geolocation":
        """Return some rows with their stored numbers in memory: each read of a part decodes whole chunks."""
        columns = slice(0, self.width)
        latitude, longitude = (
            self._part_of(field, rows, columns).in_memory() for field in (self.latitude, self.longitude)
        )
        return replace(self, latitude=latitude, longitude=longitude)

    def _part_of(self, field: Field, rows: slice, columns: slice) -> Field:
        picks = {self.rows: rows, self.columns: columns}
        return field.part_of(tuple(picks.get(dim, slice(0, 1)) for dim in field.dims))

    def _values(self, field: Field, rows: slice, columns: slice) -> Float64Array:
        # Many files state a valid range of -180 … 180 for longitudes from 0 to 360.
        decoded = decode(without_range(self._part_of(field, rows, columns)))
        values = np.where(decoded.is_missing, np.nan, decoded.values.astype(np.float64))
        order = [field.dims.index(self.rows), field.dims.index(self.columns)]
        rest = [axis for axis in range(values.ndim) if axis not in order]
        return values.transpose(*order, *rest).reshape(rows.stop - rows.start, columns.stop - columns.start)


def find_geolocation(array: Field, fields: FieldSet) -> Geolocation | None:
    """Return the positions of the cells of an array; `None` if no latitude and longitude are for its cells.

    Coordinates that the array names come first (CF §5.2), then the fields of most dimensions with the units or standard
    names of latitude and longitude.

    Raises:
        UnsupportedSource: There are several pairs, or the positions are not over its dimensions or vary with time.
    """
    pair = _pair_of(fields.coordinates_named_by(array))
    if pair is None:
        near = [field for field in fields.fields.values() if set(field.dims) <= set(array.dims)]
        # Most dimensions: positions of the satellite's track have fewer dimensions than positions of cells.
        most = max((len(field.dims) for field in near if _axis_of(field)), default=0)
        pair = _pair_of(field for field in near if len(field.dims) == most)
    if pair is None:
        return None
    steps = {dim for dim in array.dims if dim in fields.fields and is_time(fields.fields[dim])}
    return _geolocation(array, *pair, steps)


def _pair_of(fields: Iterable[Field]) -> tuple[Field, Field] | None:
    """Return the latitude and the longitude among fields over several dimensions; `None` if one is missing.

    Raises:
        UnsupportedSource: There are several pairs.
    """
    by_axis: dict[str, list[Field]] = {"y": [], "x": []}
    for field in fields:
        if axis := _axis_of(field):
            by_axis[axis].append(field)
    if not all(by_axis.values()):
        return None
    if max(map(len, by_axis.values())) > 1:
        names = list_names((field.name for pair in by_axis.values() for field in pair), most=MAX_LISTED)
        raise UnsupportedSource(f"its positions are ambiguous: {names}; its attribute coordinates has to name a pair")
    return by_axis["y"][0], by_axis["x"][0]


def _axis_of(field: Field) -> str | None:
    """Return "y" for latitudes and "x" for longitudes in degrees over several dimensions; `None` for other fields."""
    units = field.text("units")
    is_in_degrees = not units or "deg" in units.lower()
    if len(field.dims) < 2 or not is_in_degrees or field.text("standard_name").startswith("projection_"):
        return None
    role = role_by_attributes(field)
    return role if role in {"x", "y"} else None


def _geolocation(array: Field, latitude: Field, longitude: Field, steps: AbstractSet[str]) -> Geolocation:
    """Return the positions of an array, whose dimensions `steps` are times unless they are rows of a granule."""
    long = [dim for dim, size in latitude.sizes.items() if size > 1]
    if len(long) > 2:
        long = [dim for dim in long if dim not in steps]
    rows, columns = long if len(long) == 2 else latitude.dims[-2:]
    sizes = [(field.sizes.get(rows), field.sizes.get(columns)) for field in (array, latitude, longitude)]
    if sizes[1:] != sizes[:-1] or set(longitude.dims) != set(latitude.dims):
        parts = [f"{field.name} {_shape_text(field)}" for field in (latitude, longitude)]
        raise UnsupportedSource(f"its {' and '.join(parts)} are not the positions of its cells {_shape_text(array)}")
    for field in (latitude, longitude):
        _require_constant(field, rows, columns)
    return Geolocation(latitude=latitude, longitude=longitude, rows=rows, columns=columns)


def _shape_text(field: Field) -> str:
    return f"({', '.join(f'{dim}: {size}' for dim, size in field.sizes.items())})"


def _require_constant(field: Field, rows: str, columns: str) -> None:
    """Check that positions are the same at up to five steps of additional dimensions, with the first and the last."""
    further = {dim: size for dim, size in field.sizes.items() if dim not in {rows, columns} and size > 1}
    if not further:
        return
    picks = [{dim: round((size - 1) * part) for dim, size in further.items()} for part in (0, 0.25, 0.5, 0.75, 1)]
    first, *later = (
        field.part_of(
            tuple(slice(pick[dim], pick[dim] + 1) if dim in pick else slice(None) for dim in field.dims)
        ).load()
        for pick in picks
    )
    if not all(np.array_equal(first, positions, equal_nan=True) for positions in later):
        raise UnsupportedSource(f"its positions {field.name} vary along {', '.join(further)}, which is not read")


@dataclass(frozen=True, slots=True)
class StoredPositions:
    """Positions in memory."""

    longitudes: Float64Array
    latitudes: Float64Array

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(self.latitudes)

    @property
    def width(self) -> int:
        """Number of columns."""
        return len(self.latitudes[0])

    def read(self, rows: slice, columns: slice) -> tuple[Float64Array, Float64Array]:
        """Return (y, x) longitudes and latitudes."""
        return self.longitudes[rows, columns], self.latitudes[rows, columns]

    def in_memory(self, rows: slice) -> "StoredPositions":
        """Return some rows."""
        return StoredPositions(self.longitudes[rows], self.latitudes[rows])


def examine(geolocation: Geolocation) -> tuple[Geolocation, str, CellPositions]:
    """Return positions with the rule for missing ones, a digest of them, and if they are few the positions in memory.

    Raises:
        UnsupportedSource: Latitude and longitude are swapped.
    """
    geolocation = replace(geolocation, has_fill_zeros=False)
    are_few = geolocation.height * geolocation.width <= MAX_STORED
    cells = geolocation.in_memory(slice(0, geolocation.height)) if are_few else geolocation
    zeros, missing, digest = 0, 0, hashlib.blake2b(digest_size=16)
    parts = list[tuple[Float64Array, Float64Array]]()
    for rows in strips_of_rows(cells):
        longitudes, latitudes = cells.read(rows, slice(0, cells.width))
        zeros += int(np.count_nonzero((longitudes == 0) & (latitudes == 0)))
        missing += int(np.count_nonzero(np.isnan(latitudes)))
        digest.update(longitudes.data)
        digest.update(latitudes.data)
        if are_few:
            parts.append((longitudes, latitudes))
    if missing:
        _require_order(cells)
    geolocation, cells = (replace(source, has_fill_zeros=zeros > 1) for source in (geolocation, cells))
    text = f"{geolocation.height} {geolocation.width} {digest.hexdigest()}"
    if zeros > 1 or not are_few:
        return geolocation, text, cells
    return geolocation, text, StoredPositions(*map(np.concatenate, zip(*parts, strict=True)))


def _require_order(geolocation: Geolocation) -> None:
    """Check some cells: swapped latitudes and longitudes have latitudes beyond 90 degrees."""
    latitudes, longitudes = (
        np.abs(decode(without_range(field.sampled(MAX_EXAMINED))).values.astype(np.float64))
        for field in (geolocation.latitude, geolocation.longitude)
    )
    is_beyond = (latitudes > POLE) & (latitudes <= TURN)
    if is_beyond.any() and is_beyond.mean() > 0.01 and (longitudes[is_beyond] <= POLE).all():
        name = geolocation.latitude.name
        raise UnsupportedSource(
            f"its latitudes {name} reach {latitudes[is_beyond].max():.6g}: latitude and longitude may be swapped; "
            "correct their units or standard names in the file"
        )


def index_axes(geolocation: Geolocation, fields: FieldSet) -> FieldSet:
    """Return the fields with row and column numbers as coordinates, and the time of the granule as a single time.

    The time is the middle of the times of cells or scan lines, else of the interval in the global attributes.
    """
    dims = {geolocation.rows: "Y", geolocation.columns: "X"}
    numbers = {
        dim: _field(dim, (dim,), np.arange(geolocation.latitude.sizes[dim]), {"axis": axis})
        for dim, axis in dims.items()
    }
    times = {name: field for name, field in fields.fields.items() if is_time(field) and dims.keys() & set(field.dims)}
    stated = [*times.values(), *(fields.fields[name] for name in COVERAGE[:1] if name in fields.fields)]
    middle = _middle_time(stated)
    rest = {name: field for name, field in fields.fields.items() if name not in times and name not in COVERAGE}
    if middle is None:
        return replace(fields, fields={**fields.fields, **numbers})
    time = rest.get("time")
    if time is None or math.prod(time.shape) == 1:
        has_axis = time is not None and time.shape == (1,)
        instants = middle.reshape(1) if has_axis else middle
        name = "t" if "time" in dims else "time"  # scan lines may be called time
        rest[name] = _field(name, ("time",) if has_axis else (), instants, {"standard_name": "time"})
    return replace(fields, fields={**rest, **numbers})


def _middle_time(times: Iterable[Field]) -> InstantArray | None:
    for time in times:
        with suppress(UnsupportedSource):
            instants = instants_of(time).instants
            valid = instants[~np.isnat(instants)]
            middle = valid.min() + (valid.max() - valid.min()) // 2
            return np.asarray(middle.astype("datetime64[s]").astype("datetime64[ns]"))
    return None


def _field(name: str, dims: tuple[str, ...], values: AnyArray, attrs: Attributes) -> Field:
    return Field(name=name, dims=dims, shape=values.shape, dtype=values.dtype, attrs=attrs, load=lambda: values)
