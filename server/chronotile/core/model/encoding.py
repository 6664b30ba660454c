"""Encoding of values as digital numbers, and codes for missing values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import attrgetter

import numpy as np

from chronotile.core.model.types import BoolArray, Float64Array, NumberArray, UInt8Array

REASON_NODATA = "nodata"
REASON_OUTSIDE = "outside_range"
REASON_MASKED = "masked"
REASON_UNREADABLE = "unreadable"
PLAIN_REASONS = (REASON_NODATA, REASON_OUTSIDE, REASON_MASKED, REASON_UNREADABLE)
NODATA_CODE, OUTSIDE_CODE, MASKED_CODE, UNREADABLE_CODE, FIRST_FLAG_CODE = 1, 2, 3, 4, 5
"""Codes of reasons. 0 stands for a value; codes of flags follow."""
MAX_TABLED_NUMBERS = 1 << 16
"""Maximum number of different numbers in a dtype for which all codes are computed in advance."""

DEFAULT_FILLS: Mapping[str, float] = {
    "i2": -(2**15) + 1, "i4": -(2**31) + 1, "i8": -(2**63) + 2, "u2": 2**16 - 1, "u4": 2**32 - 1, "u8": 2**64 - 2,
    "f4": 9.969209968386869e36, "f8": 9.969209968386869e36,
}  # fmt: skip
"""Numbers of cells that no program wrote to a NetCDF file, by type (netcdf.h, `NC_FILL_…`); bytes have none."""


_key_of = attrgetter("dtype", "scale", "offset", "nodata", "valid_range", "flags", "units", "text_step", "circle")
"""Fields in which equal encodings agree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """Conversion of digital numbers to values, `number * scale + offset` in float64, and numbers without a value."""

    dtype: str
    """numpy name of the stored type."""
    scale: float = 1.0
    offset: float = 0.0
    nodata: float | None = None
    valid_range: tuple[float, float] | None = None
    """Digital numbers, both ends included."""
    flags: tuple[tuple[int, str], ...] = ()
    """Numbers without a value, and their names."""
    units: str = "1"
    text_step: float | None = None
    """Set if values of several encodings were joined as floats: the finest step of these encodings, 0 if unknown.

    The text of a value is the shortest decimal of its float32 if that is exact, otherwise it is rounded to a
    thousandth of this step. `None`: all files have this encoding, which decides about the text.
    """
    circle: float | None = None
    """Full turn in units of the values, such as 360, for directions and phases; else `None`."""

    def __post_init__(self) -> None:
        """Replace every NaN by `np.nan`: other NaN objects are not equal to it, and caches would never find them."""
        if self.nodata is not None and np.isnan(self.nodata):
            object.__setattr__(self, "nodata", np.nan)

    def __eq__(self, other: object) -> bool:
        """Compare as tuples, which take the same object to be equal, even if it is NaN."""
        return isinstance(other, Encoding) and _key_of(self) == _key_of(other)

    def __hash__(self) -> int:
        """Hash the compared fields."""
        return hash(_key_of(self))

    def valid(self, numbers: NumberArray) -> BoolArray:
        """Return an array that is true for values: not nodata, no flag, inside the valid range, finite."""
        valid = np.isfinite(numbers) if numbers.dtype.kind == "f" else np.ones(numbers.shape, dtype=bool)
        if self.nodata is not None and not np.isnan(self.nodata):
            valid &= numbers != _plain(self.nodata)
        for number, _name in self.flags:
            valid &= numbers != number
        if self.valid_range is not None:
            low, high = self.valid_range
            valid &= (numbers >= _plain(low)) & (numbers <= _plain(high))
        return valid

    def values(self, numbers: NumberArray) -> Float64Array:
        """Return physical values, also for invalid numbers."""
        return numbers.astype(np.float64) * self.scale + self.offset

    def codes(self, numbers: NumberArray) -> UInt8Array:
        """Return codes in the shape of `numbers`: 0 for a value, else the position in `code_names` plus 1."""
        if not self.flags and self.valid_range is None:  # a comparison is fifty times as fast as a look-up
            invalid: UInt8Array = (~self.valid(numbers)).view(np.uint8)
            return invalid  # True is `NODATA_CODE`
        table = _code_table(self, numbers.dtype.str)
        if table is None:
            return self._codes(numbers)
        codes: UInt8Array = table[numbers.view(f"u{numbers.dtype.itemsize}")]
        return codes

    @property
    def code_names(self) -> tuple[str, ...]:
        """Reasons by position, code minus 1; two flags may have one name."""
        return (*PLAIN_REASONS, *(name for _number, name in self.flags))

    def _codes(self, numbers: NumberArray) -> UInt8Array:
        codes = np.where(self.valid(numbers), 0, NODATA_CODE).astype(np.uint8)
        if self.valid_range is not None:
            low, high = self.valid_range
            is_outside = (codes != 0) & ((numbers < _plain(low)) | (numbers > _plain(high)))
            if self.nodata is not None:
                is_outside &= numbers != _plain(self.nodata)
            is_outside &= np.isfinite(numbers)
            codes[is_outside] = OUTSIDE_CODE
        for code, (number, _name) in enumerate(self.flags, start=FIRST_FLAG_CODE):
            codes[numbers == number] = code
        return codes

    def reasons(self, numbers: NumberArray, valid: BoolArray) -> list[str | None]:
        """Return (n,) reasons: `None` for a value, else `nodata`, a flag's name or `outside_range`."""
        names = dict(self.flags)
        reasons: list[str | None] = [None] * len(numbers)
        lacking = np.flatnonzero(~valid)
        reason_of = dict[float, str]()  # few different numbers
        for index, number in zip(lacking.tolist(), numbers[lacking].tolist(), strict=True):
            reasons[index] = reason_of.get(number) or reason_of.setdefault(number, self._reason(number, names))
        return reasons

    def _reason(self, number: float, names: dict[int, str]) -> str:
        if number in names:
            return names[int(number)]
        is_nodata = not math.isfinite(number) or (self.nodata is not None and number == self.nodata)
        if not is_nodata and self.valid_range is not None:
            low, high = self.valid_range
            if not low <= number <= high:
                return REASON_OUTSIDE
        return REASON_NODATA


@lru_cache(maxsize=256)
def _code_table(encoding: Encoding, dtype: str) -> UInt8Array | None:
    """(number,): codes of all numbers of a small integer type, indexed by their bits; `None` for other types."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu" or 256**kind.itemsize > MAX_TABLED_NUMBERS:
        return None
    return encoding._codes(np.arange(256**kind.itemsize, dtype=f"u{kind.itemsize}").view(kind))  # noqa: SLF001 -- of this module


def _plain(number: float) -> float:
    # Whole numbers as integers: numpy would convert an integer array to floats to compare it with a float.
    return int(number) if float(number).is_integer() else number
