"""Values of sources, read with rasterio or xarray. The audit shares no code with the readers."""

import glob
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.quality import BIT_LAYOUTS, NamedFlag, ValueBounds
from chronotile.core.model.source import Mask, VariableSpec
from chronotile.core.model.types import BoolArray, Float64Array, IndexArray, NumberArray, UInt32Array

MISSING = "missing"
"""Name of the flag of an additional missing value, which has no name in CF."""

NEAR_PX = 0.06
"""Tolerance in cells between served and stored centres: served axes are evenly spaced."""
TURNS = (0.0, 360.0, -360.0)


class OtherPlace(Exception):
    """The cells of a source have other positions than served."""


class Axis(NamedTuple):
    """Coordinates decoded by an independent library, in units of the CRS."""

    name: str
    centres: Float64Array
    """Centres of cells in the order of the source."""
    rounding: float
    """Relative rounding error of the type."""
    is_longitude: bool = False

    def places(self, points: Float64Array) -> IndexArray:
        """Return the index of the coordinate at each point.

        Raises:
            OtherPlace: A point has no coordinate.
        """
        order = np.argsort(self.centres, kind="stable")
        ascending, last = self.centres[order], self.centres.size - 1
        indices = np.zeros(points.shape, dtype=np.intp)
        distances = np.full(points.shape, np.inf)
        for turn in TURNS if self.is_longitude else TURNS[:1]:
            after = np.clip(np.searchsorted(ascending, points + turn), 0, last)
            for places in (after, np.maximum(after - 1, 0)):
                distance = np.abs(ascending[places] - points - turn)
                is_nearer = distance < distances
                indices, distances = np.where(is_nearer, places, indices), np.where(is_nearer, distance, distances)
        step = float(np.median(np.abs(np.diff(ascending)))) if last else 0.0
        if (distances > NEAR_PX * step + self.rounding * float(np.abs(ascending).max())).any():
            raise OtherPlace(
                f"its cells are served at {self.name} {points.min():.8g} to {points.max():.8g}, its source has them at "
                f"{ascending[0]:.8g} to {ascending[-1]:.8g}"
            )
        return np.asarray(order[indices])


class Truth(Protocol):
    """Values of one variable of a source."""

    @property
    def has_known_dates(self) -> bool:
        """Whether all dates of the source are understood. Then each date that it lacks is a mismatch."""

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return the values (y, x) of the cells that contain the points, NaN for missing values.

        Args:
            instant: The date; `None` for a variable without times.
            index: Index of the date, for a source whose dates the configuration lists.
            x: In the source's CRS.
            y: In the source's CRS.

        Raises:
            OtherPlace: It has no cells there.
            UnsupportedSource: The audit does not understand the source.
        """

    def has(self, instant: np.datetime64) -> bool:
        """Return whether the source has the date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberMeaning:
    """Encoding of numbers: that of their file, overridden by the configuration."""

    scale: float
    offset: float
    nodata: Sequence[float] = ()
    flags: Sequence[tuple[float, str]] = ()
    """Numbers with names instead of values."""
    valid_range: tuple[float, float] = (-np.inf, np.inf)
    quality_flags: Sequence[NamedFlag] = ()
    """All flags that the file states."""

    def values(self, numbers: NumberArray) -> Float64Array:
        """Return values, NaN for missing ones."""
        valid = np.isfinite(numbers) & ~self.is_flag(numbers)
        for nodata in self.nodata:
            valid &= numbers != (numbers.dtype.type(nodata) if numbers.dtype.kind == "f" else nodata)
        valid &= (numbers >= self.valid_range[0]) & (numbers <= self.valid_range[1])
        return np.where(valid, numbers.astype(np.float64) * self.scale + self.offset, np.nan)

    def is_flag(self, numbers: NumberArray) -> BoolArray:
        """Return a mask of the numbers that are flags."""
        return np.asarray(np.isin(numbers, [number for number, _name in self.flags]))

    def flag_codes(self, numbers: NumberArray) -> UInt32Array:
        """Return a code for the flag of each number; 0 for other numbers, and for `MISSING`."""
        codes = np.zeros(numbers.shape, dtype=np.uint32)
        for number, name in self.flags:
            codes[numbers == number] = 0 if name == MISSING else crc32(name.encode())
        return codes


class Cells(NamedTuple):
    """Numbers of a source at some points."""

    numbers: NumberArray
    """(y, x)."""
    meaning: NumberMeaning
    is_there: Any = True
    """True for points inside the source that are not masked."""
    origin: str = ""
    """The file, with the band if it has several."""

    @property
    def values(self) -> Float64Array:
        """Values, NaN for missing ones."""
        return np.where(self.is_there, self.meaning.values(self.numbers), np.nan)


class StoredTruth(ABC):
    """Values of one variable in files."""

    has_known_dates = True

    @abstractmethod
    def cells(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Cells:
        """Return numbers (y, x) with their encoding; arguments and errors are those of `Truth.values`."""

    @abstractmethod
    def has(self, instant: np.datetime64) -> bool:
        """Return whether the source has the date."""

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return values (y, x)."""
        return self.cells(instant, index, x, y).values


def override_meaning(stored: NumberMeaning, spec: VariableSpec) -> NumberMeaning:
    """Return the encoding of a file, overridden by the configuration."""
    return NumberMeaning(
        scale=stored.scale if spec.scale is None else spec.scale,
        offset=stored.offset if spec.offset is None else spec.offset,
        nodata=stored.nodata if spec.nodata is None else (spec.nodata,),
        flags=spec.flags or stored.flags,
        valid_range=stored.valid_range if spec.valid_range is None else spec.valid_range,
        quality_flags=stored.quality_flags,
    )


def keeps_values(mask: Mask, numbers: NumberArray, meaning: NumberMeaning) -> BoolArray:
    """Return an array that is true for numbers of a quality variable that keep values.

    Raises:
        UnsupportedSource: The audit cannot read a flag of the mask.
    """
    if isinstance(mask.keep, tuple):
        return np.isin(numbers, mask.keep)
    values = meaning.values(numbers)
    if isinstance(mask.keep, ValueBounds):
        low, high = mask.keep.at_least, mask.keep.at_most
        return ((values >= low) & (values <= high)) | np.isclose(values, low, 1e-7) | np.isclose(values, high, 1e-7)
    flags = BIT_LAYOUTS[mask.keep.layout] if mask.keep.layout else meaning.quality_flags
    if not {flag.name for flag in flags} >= set(mask.keep.names):
        raise UnsupportedSource(f"the audit cannot read all flags of the mask {mask.variable}")
    whole = np.nan_to_num(values).astype(np.int64)
    is_kept: BoolArray = ~np.isnan(values)
    for flag in flags:
        if flag.name in mask.keep.names:
            is_kept &= ~flag.is_set(whole)
    return is_kept


class MaskedTruth(NamedTuple):
    """A variable that another variable masks."""

    variable: StoredTruth
    quality: StoredTruth
    mask: Mask

    @property
    def has_known_dates(self) -> bool:
        """Whether all dates of the variable are understood."""
        return self.variable.has_known_dates

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return values, NaN for missing and masked ones."""
        quality = self.quality.cells(instant, index, x, y)
        is_valid = quality.is_there & keeps_values(self.mask, quality.numbers, quality.meaning)
        return np.where(is_valid, self.variable.values(instant, index, x, y), np.nan)

    def has(self, instant: np.datetime64) -> bool:
        """Return whether the variable has the date."""
        return self.variable.has(instant)


def found_paths(href: str) -> list[str]:
    """Return the local paths that an href matches, in order."""
    pattern = href.removeprefix("file://")
    is_pattern = glob.has_magic(pattern) and not Path(pattern).is_file()
    return sorted(glob.glob(pattern, recursive=True)) if is_pattern else [pattern]  # noqa: PTH207 -- may be absolute
