"""Values of sources, read with rasterio or xarray. The audit shares no code with the readers."""

import glob
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zlib import crc32

import numpy as np

from chronotile.core.model.source import VariableSpec
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
    def tells_dates(self) -> bool:
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

    def values(self, numbers: NumberArray) -> Float64Array:
        """Return values, NaN for missing ones."""
        valid = np.isfinite(numbers) & ~self.is_flag(numbers)
        for each in self.nodata:
            valid &= numbers != (numbers.dtype.type(each) if numbers.dtype.kind == "f" else each)
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

    tells_dates = True

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
    )


class MaskedTruth(NamedTuple):
    """A variable that is masked by the numbers of another variable."""

    variable: StoredTruth
    quality: StoredTruth
    keep: tuple[int, ...]

    @property
    def tells_dates(self) -> bool:
        """Whether all dates of the variable are understood."""
        return self.variable.tells_dates

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return values, NaN for missing and masked ones."""
        is_valid = np.isin(self.quality.cells(instant, index, x, y).numbers, self.keep)
        return np.where(is_valid, self.variable.values(instant, index, x, y), np.nan)

    def has(self, instant: np.datetime64) -> bool:
        """Return whether the variable has the date."""
        return self.variable.has(instant)


def found_paths(href: str) -> list[str]:
    """Return the local paths that an href matches, in order."""
    pattern = href.removeprefix("file://")
    is_pattern = glob.has_magic(pattern) and not Path(pattern).is_file()
    return sorted(glob.glob(pattern, recursive=True)) if is_pattern else [pattern]  # noqa: PTH207 -- may be absolute


# Dates in names of files and descriptions of bands, parsed independently of the readers.

_Y = r"(?<!\d)(?P<Y>\d{4})"
_DAY = rf"{_Y}(?P<s>[-_./]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)"
_DAY_OF_YEAR = rf"{_Y}[-_/]?(?P<j>\d{{3}})"
_HMS = r"(?P<H>\d\d)(?P<M>\d\d)(?P<S>\d\d)"
_CLOCK = (
    r"(?:[Tt ]|[-_]?[Sst]?(?=\d{6})|(?=\d{4}))(?P<H>\d\d)[:-]?(?P<M>\d\d)"
    r"(?:[:-]?(?P<S>\d\d)\d?)?Z?"
)
_EXPRESSIONS = tuple(
    map(
        re.compile,
        (
            rf"\A{_DAY}[-_.](?P<H>\d\d)[-_]?(?P<M>\d\d)Z?\Z",
            rf"\A{_DAY_OF_YEAR}[-_.](?P<H>\d\d)[-_]?(?P<M>\d\d)Z?\Z",
            rf"(?<![0-9A-Za-z])s(?P<Y>\d{{4}})(?P<j>\d{{3}}){_HMS}\d(?!\d)",
            r"(?<![0-9A-Za-z])[A-Z](?P<Y>\d{4})(?P<j>\d{3})\d{7}(?!\d)",
            rf"\A{_DAY}[-_.]?(?P<H>\d\d)[hHzZ]?\Z",
            rf"{_DAY}(?:{_CLOCK})?(?!\d)",
            rf"{_DAY_OF_YEAR}(?!\d)",
            rf"{_Y}[-_.]?(?P<m>\d\d)[-_]?[dD](?:[eE]?[kK])?(?P<k>[1-3])(?!\d)",
            rf"{_Y}[-_]?[dD](?:[eE]?[kK])?(?P<D>\d\d?)(?!\d)",
            rf"{_Y}-?W(?P<w>\d\d)(?!\d)",
            rf"{_Y}[-_./]?(?P<m>\d\d)(?!\d)",
            rf"{_Y}[-_]?[Qq](?P<q>[1-4])(?!\d)",
            r"\A(?P<Y>\d{4})\Z",
        ),
    )
)
"""From most to least precise. Four digits are a time of day only if the date and the time are the whole text."""


def time_in(path: str, pattern: str | None) -> np.datetime64 | None:
    """Return the time in a path by `time_pattern`, else in its name, else in its folders."""
    if pattern is not None:
        match = re.search(pattern, path)
        groups = match.groupdict() if match else {}
        return _time_of_groups(groups) if groups.get("year") else time_of(groups.get("time") or "")
    instant = time_of(Path(path).name)
    return instant if instant is not None else time_of("/".join(Path(path).parts[-4:-1]))


def _time_of_groups(groups: Mapping[str, str | None]) -> np.datetime64 | None:
    """Return the start of a date from the named groups of an expression."""
    letters = {
        "day_of_year": "j",
        "dekad": "k" if groups.get("month") else "D",
        "hour": "H",
        "minute": "M",
        "second": "S",
    }
    parts = {letters.get(name, name[0]): part for name, part in groups.items() if part and name != "time"}
    numbers = {letter: int(part) for letter, part in parts.items() if part.isdigit()}
    year, lead = parts["y"], numbers.get("l", 0)
    numbers["Y"] = int(year) if len(year) > 2 else int(year) + (1900 if int(year) >= 70 else 2000)
    if groups.get("half"):
        numbers["d"] = 1 if str(groups["half"]).lower() == "a" else 16
    if groups.get("pentad"):
        numbers["d"] = 5 * int(groups["pentad"] or 1) - 4
    start = _start(numbers)
    return None if start is None else np.datetime64(start + timedelta(hours=lead), "ns")


def time_of(text: str) -> np.datetime64 | None:
    """Return the start of the first time in a text, with the most precise expression that matches."""
    for expression in _EXPRESSIONS:
        for match in expression.finditer(text):
            numbers = {key: int(part) for key, part in match.groupdict().items() if part and part.isdigit()}
            start = _start(numbers) if 1850 <= numbers["Y"] <= 2100 else None
            if start is not None:
                return np.datetime64(start, "ns")
    return None


def _start(numbers: Mapping[str, int]) -> datetime | None:
    year, dekad = numbers["Y"], numbers.get("D", 1) - 1
    month = numbers.get("m", 3 * numbers["q"] - 2 if "q" in numbers else dekad // 3 + 1)
    try:
        if "w" in numbers:
            day = date.fromisocalendar(year, numbers["w"], 1)
        elif "j" in numbers:
            day = date(year, 1, 1) + timedelta(numbers["j"] - 1)
        else:
            day = date(year, month, numbers.get("d", 10 * numbers.get("k", dekad % 3 + 1) - 9))
        clock = time(numbers.get("H", 0), numbers.get("M", 0), numbers.get("S", 0))
    except ValueError:
        return None
    return datetime.combine(day, clock) if "w" in numbers or day.year == year else None
