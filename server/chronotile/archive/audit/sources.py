"""What a source says of cells, read with rasterio or xarray alone: nothing here is shared with the readers."""

import glob
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from chronotile.catalog.items.index import ItemIndex
from chronotile.errors import UnsupportedSource
from chronotile.model.source import SourceSpec, VariableInfo, VariableSpec
from chronotile.readers.kinds import kind_of_spec

FloatArray = NDArray[np.float64]
Numbers = NDArray[Any]
MISSING = "missing"
"""Name of the flag of a further missing value, which has no name in CF."""

NEAR_PX = 0.06
"""How far from its coordinate the centre of a cell may be served: axes are served as evenly spaced."""
TURNS = (0.0, 360.0, -360.0)


class OtherPlace(Exception):
    """A source has its cells elsewhere than they are served."""


class Axis(NamedTuple):
    """Coordinates as an independent library decodes them, in the unit of the system."""

    name: str
    centres: FloatArray
    """In the order of the source."""
    rounding: float
    """What their type rounds off, as a share."""
    is_longitude: bool = False

    def places(self, points: FloatArray) -> NDArray[np.intp]:
        """Return the index of the coordinate at each point.

        Raises:
            OtherPlace: There is none at one of them.
        """
        order = np.argsort(self.centres, kind="stable")
        ascending, last = self.centres[order], self.centres.size - 1
        found = np.zeros(points.shape, dtype=np.intp)
        apart = np.full(points.shape, np.inf)
        for turn in TURNS if self.is_longitude else TURNS[:1]:
            after = np.clip(np.searchsorted(ascending, points + turn), 0, last)
            for places in (after, np.maximum(after - 1, 0)):
                distance = np.abs(ascending[places] - points - turn)
                is_nearer = distance < apart
                found, apart = np.where(is_nearer, places, found), np.where(is_nearer, distance, apart)
        step = float(np.median(np.abs(np.diff(ascending)))) if last else 0.0
        if (apart > NEAR_PX * step + self.rounding * float(np.abs(ascending).max())).any():
            raise OtherPlace(
                f"its cells are served at {self.name} {points.min():.8g} to {points.max():.8g}, its source has them at "
                f"{ascending[0]:.8g} to {ascending[-1]:.8g}"
            )
        return np.asarray(order[found])


class Truth(Protocol):
    """Values of one variable of a source."""

    @property
    def tells_dates(self) -> bool:
        """Whether all of its dates are understood here: one that it lacks is wrong, also where it lacks all."""

    def values(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the values (y, x) of the cells that hold these points, NaN where there is none.

        Args:
            instant: By which the source's date is found; `None` without time.
            index: Of the instant, for a source whose dates the configuration lists.
            x: In the source's CRS.
            y: The same.

        Raises:
            OtherPlace: It has no cells there.
            UnsupportedSource: The source does not tell in a way that is understood here.
        """

    def has(self, instant: np.datetime64) -> bool:
        """Return whether a date of the source itself goes by that instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """The encoding of numbers: that of their own file, or of the configuration where it sets one."""

    scale: float
    offset: float
    nodata: Sequence[float] = ()
    flags: Sequence[tuple[float, str]] = ()
    """Numbers with names, which are no values."""
    valid_range: tuple[float, float] = (-np.inf, np.inf)

    def values(self, numbers: Numbers) -> FloatArray:
        """Return values, NaN where there is none."""
        valid = np.isfinite(numbers) & ~self.is_flag(numbers)
        for each in self.nodata:
            valid &= numbers != (numbers.dtype.type(each) if numbers.dtype.kind == "f" else each)
        valid &= (numbers >= self.valid_range[0]) & (numbers <= self.valid_range[1])
        return np.where(valid, numbers.astype(np.float64) * self.scale + self.offset, np.nan)

    def is_flag(self, numbers: Numbers) -> NDArray[np.bool_]:
        """Return which numbers are flags."""
        return np.asarray(np.isin(numbers, [number for number, _name in self.flags]))

    def flag_codes(self, numbers: Numbers) -> NDArray[np.uint32]:
        """Return a number for the name of the flag that each is; 0 of others, and of missing ones."""
        codes = np.zeros(numbers.shape, dtype=np.uint32)
        for number, name in self.flags:
            codes[numbers == number] = 0 if name == MISSING else crc32(name.encode())
        return codes


class Cells(NamedTuple):
    """What a source has at some points."""

    numbers: Numbers
    """(y, x)."""
    meaning: Meaning
    is_there: Any = True
    """Where the numbers are not outside or masked."""
    origin: str = ""
    """The file, and the band of several."""

    @property
    def values(self) -> FloatArray:
        """NaN where there is none."""
        return np.where(self.is_there, self.meaning.values(self.numbers), np.nan)


class StoredTruth(ABC):
    """Values of one variable that files hold."""

    tells_dates = True

    @abstractmethod
    def cells(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> Cells:
        """Return numbers (y, x) with what they mean; arguments and errors are those of `Truth.values`."""

    @abstractmethod
    def has(self, instant: np.datetime64) -> bool:
        """As `Truth`."""

    def values(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return values (y, x)."""
        return self.cells(instant, index, x, y).values


def meant(own: Meaning, spec: VariableSpec) -> Meaning:
    """Return what numbers mean with what the configuration says, which overrides every file."""
    return Meaning(
        scale=own.scale if spec.scale is None else spec.scale,
        offset=own.offset if spec.offset is None else spec.offset,
        nodata=own.nodata if spec.nodata is None else (spec.nodata,),
        flags=spec.flags or own.flags,
        valid_range=own.valid_range if spec.valid_range is None else spec.valid_range,
    )


class Masked(NamedTuple):
    """A variable whose values stand only where another has one of some numbers."""

    variable: StoredTruth
    quality: StoredTruth
    keep: tuple[int, ...]

    @property
    def tells_dates(self) -> bool:
        """As the variable does."""
        return self.variable.tells_dates

    def values(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return values, NaN where there is none or it is masked."""
        is_valid = np.isin(self.quality.cells(instant, index, x, y).numbers, self.keep)
        return np.where(is_valid, self.variable.values(instant, index, x, y), np.nan)

    def has(self, instant: np.datetime64) -> bool:
        """Return whether the variable has a date of that name."""
        return self.variable.has(instant)


def found_paths(href: str) -> list[str]:
    """Return the paths on this machine that an href names, in order."""
    pattern = href.removeprefix("file://")
    is_pattern = glob.has_magic(pattern) and not Path(pattern).is_file()
    return sorted(glob.glob(pattern, recursive=True)) if is_pattern else [pattern]  # noqa: PTH207 -- may be absolute


def truth_of(spec: SourceSpec, variable: str) -> Truth:
    """Return the source of a variable's values.

    Raises:
        UnsupportedSource: It cannot be read apart.
    """
    from chronotile.archive.audit.formulas import ComputedTruth  # noqa: PLC0415 -- it takes from here

    own = spec.variables.get(variable, VariableSpec(id=variable))
    if own.formula is not None and own.mask is not None:
        raise UnsupportedSource("a mask over a formula is audited of collections of items alone")
    if own.formula is not None:
        return ComputedTruth(own.formula.text, {name: truth_of(spec, name) for name in own.formula.names})
    truth = stored_truth([spec], own)
    if own.mask is None:
        return truth
    quality = spec.variables.get(own.mask.variable, VariableSpec(id=own.mask.variable))
    return Masked(truth, stored_truth([spec], quality), own.mask.keep)


def mosaic_truth_of(spec: SourceSpec, served: VariableInfo, index: object) -> Truth:
    """Return the source of a mosaic's values, at points in the CRS of its grid.

    Args:
        spec: Of the collection.
        served: The variable.
        index: Of the items.

    Raises:
        UnsupportedSource: It cannot be read apart.
    """
    from chronotile.archive.audit.mosaics import MosaicTruth, ServedMosaic  # noqa: PLC0415 -- it takes from here

    if spec.items is None or not isinstance(index, ItemIndex):
        raise UnsupportedSource("its items are not in an index")
    rule = spec.items.mosaic.rule
    mosaic = ServedMosaic(
        collection=spec.collection,
        settings=spec.items.settings,
        rule="first" if served.is_categorical and rule in {"mean", "median"} else rule,
        index=index,
        crs=served.grid.crs.definition.to_wkt(),
    )
    return MosaicTruth(mosaic, served.name, spec.variables)


def stored_truth(specs: Sequence[SourceSpec], variable: VariableSpec) -> StoredTruth:
    """Return what files hold of a variable; several specs are of arrays that are one along time.

    Raises:
        UnsupportedSource: They cannot be read apart.
    """
    from chronotile.archive.audit.arrays import ArrayTruth  # noqa: PLC0415 -- each takes from here
    from chronotile.archive.audit.rasters import truth_of_files  # noqa: PLC0415 -- as above

    spec = specs[0]
    if variable.dtype is not None:
        raise UnsupportedSource("the configuration overrides the type of its numbers")
    if "://" in spec.href and not spec.href.startswith("file://"):
        raise UnsupportedSource("its source is not on this machine")
    return truth_of_files(spec, variable) if kind_of_spec(spec).options.has_bands else ArrayTruth(specs, variable)
