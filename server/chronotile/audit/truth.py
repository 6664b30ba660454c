"""Values that sources hold, read with rasterio or xarray alone: nothing here is shared with the readers."""

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
"""Name of the flag of a further missing value, which has no name in CF."""

NEAR_PX = 0.06
"""How far from its coordinate the centre of a cell may be served: axes are served as evenly spaced."""
TURNS = (0.0, 360.0, -360.0)


class OtherPlace(Exception):
    """A source has its cells elsewhere than they are served."""


class Axis(NamedTuple):
    """Coordinates as an independent library decodes them, in the unit of the system."""

    name: str
    centres: Float64Array
    """In the order of the source."""
    rounding: float
    """What their type rounds off, as a share."""
    is_longitude: bool = False

    def places(self, points: Float64Array) -> IndexArray:
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

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
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

    def values(self, numbers: NumberArray) -> Float64Array:
        """Return values, NaN where there is none."""
        valid = np.isfinite(numbers) & ~self.is_flag(numbers)
        for each in self.nodata:
            valid &= numbers != (numbers.dtype.type(each) if numbers.dtype.kind == "f" else each)
        valid &= (numbers >= self.valid_range[0]) & (numbers <= self.valid_range[1])
        return np.where(valid, numbers.astype(np.float64) * self.scale + self.offset, np.nan)

    def is_flag(self, numbers: NumberArray) -> BoolArray:
        """Return which numbers are flags."""
        return np.asarray(np.isin(numbers, [number for number, _name in self.flags]))

    def flag_codes(self, numbers: NumberArray) -> UInt32Array:
        """Return a number for the name of the flag that each is; 0 of others, and of missing ones."""
        codes = np.zeros(numbers.shape, dtype=np.uint32)
        for number, name in self.flags:
            codes[numbers == number] = 0 if name == MISSING else crc32(name.encode())
        return codes


class Cells(NamedTuple):
    """What a source has at some points."""

    numbers: NumberArray
    """(y, x)."""
    meaning: Meaning
    is_there: Any = True
    """Where the numbers are not outside or masked."""
    origin: str = ""
    """The file, and the band of several."""

    @property
    def values(self) -> Float64Array:
        """NaN where there is none."""
        return np.where(self.is_there, self.meaning.values(self.numbers), np.nan)


class StoredTruth(ABC):
    """Values of one variable that files hold."""

    tells_dates = True

    @abstractmethod
    def cells(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Cells:
        """Return numbers (y, x) with what they mean; arguments and errors are those of `Truth.values`."""

    @abstractmethod
    def has(self, instant: np.datetime64) -> bool:
        """As `Truth`."""

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
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

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
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


# Dates in names of files and descriptions of bands, found apart from the readers.

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
"""From the most to the least precise; four digits alone tell a time of day in a whole text only."""


def time_in(path: str, pattern: str | None) -> np.datetime64 | None:
    """Return the time in a path: what `time_pattern` finds, else its name, else its folders."""
    if pattern is not None:
        match = re.search(pattern, path)
        groups = match.groupdict() if match else {}
        return _time_of_groups(groups) if groups.get("year") else time_of(groups.get("time") or "")
    found = time_of(Path(path).name)
    return found if found is not None else time_of("/".join(Path(path).parts[-4:-1]))


def _time_of_groups(groups: Mapping[str, str | None]) -> np.datetime64 | None:
    """The start of the date of which an expression names each part."""
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
    """Return the start of the most precise time in a text, of several the first."""
    for expression in _EXPRESSIONS:
        for match in expression.finditer(text):
            numbers = {key: int(part) for key, part in match.groupdict().items() if part and part.isdigit()}
            found = _start(numbers) if 1850 <= numbers["Y"] <= 2100 else None
            if found is not None:
                return np.datetime64(found, "ns")
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
