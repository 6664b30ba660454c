"""Recodings of numbers: every value, and every reason for a missing value, stays the same.

Files of one variable may differ in scale, offset, nodata, type and flags. A reader returns the numbers of all files in
one common encoding (`common_encoding`). A `Recoding` converts the numbers of one file into it.
`docs/design/encodings.md` gives the reasons.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.model.encoding import FIRST_FLAG_CODE, MAX_TABLED_NUMBERS, NODATA_CODE, OUTSIDE_CODE, Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, NumberArray
from chronotile.core.size_cache import cache_by_size

MAX_EXACT = 1 << 53
"""Integers up to this are exact in float64."""

MAX_DECIMALS = 22
"""Powers of ten up to this are exact in float64."""

MAX_STEPS = 1 << 62
"""Maximum distance of two encodings in common steps. Encodings farther apart are not compared as integers."""


def far_exponent(dtype: np.dtype[Any]) -> int:
    """Return the power of two beyond which floats of a common encoding are reasons instead of values."""
    return int(np.finfo(dtype).maxexp) - 4


class Steps(NamedTuple):
    """Conversion of integers of one encoding into another: `number * factor + shift`."""

    factor: int
    shift: int


class Span(NamedTuple):
    """Smallest and largest number that is a value. If `low > high`, no number is a value."""

    low: int
    high: int

    def convert(self, steps: Steps) -> "Span":
        """Return the span of the same values in another encoding."""
        ends = [number * steps.factor + steps.shift for number in self]
        return Span(min(ends), max(ends))


@dataclass(frozen=True, slots=True)
class Recoding:
    """Conversion of numbers into an encoding that has all values of `source`; see `recoding_of`."""

    source: Encoding
    target: Encoding

    def pixels(self, pixels: Pixels) -> Pixels:
        """Return pixels with numbers of the target. Codes from a mask stay."""
        return replace(pixels, numbers=self.numbers(pixels.numbers))

    def numbers(self, numbers: NumberArray) -> NumberArray:
        """Return numbers of the target in the same shape; `numbers` have the type of the source."""
        if self.source == self.target or _is_the_same(self.source, self.target):
            return numbers
        table = _table(self, numbers.dtype.str)
        if table is None:
            return self._recode(numbers)
        recoded: NumberArray = table.take(numbers.view(f"u{numbers.dtype.itemsize}"), mode="wrap")  # by bit pattern
        return recoded

    def _recode(self, numbers: NumberArray) -> NumberArray:
        codes = self.source.codes(numbers)
        with np.errstate(over="ignore", invalid="ignore"):  # missing values may overflow, but are replaced below
            recoded = self._in_target(numbers)
        is_lacking = codes != 0
        if is_lacking.any():
            recoded[is_lacking] = self.lacking()[codes[is_lacking]]
        return _never_a_reason(recoded, ~is_lacking, self.target) if recoded.dtype.kind == "f" else recoded

    def _in_target(self, numbers: NumberArray) -> NumberArray:
        """Return a new array of all numbers; numbers without a value are converted as if they were values."""
        source, target = self.source, self.target
        if np.dtype(target.dtype).kind in "iu":
            steps = steps_between(source, target)
            assert steps is not None  # noqa: S101 -- `recoding_of` checked it
            return (numbers.astype(np.int64) * steps.factor + steps.shift).astype(target.dtype)
        if _has_same_scale(source, target):
            return numbers.astype(target.dtype)
        exact = _exact_values(source, numbers)
        return source.values(numbers) if exact is None else exact

    def lacking(self) -> NumberArray:
        """Return the number of the target for each code of the source; 0 for codes that cannot occur."""
        target = self.target
        by_code = np.zeros(FIRST_FLAG_CODE + len(self.source.flags), dtype=target.dtype)
        if has_nodata(target):
            by_code[NODATA_CODE] = math.nan if target.nodata is None else target.nodata
        outside = outside_number(target)
        if outside is not None:
            by_code[OUTSIDE_CODE] = outside
        flags = {name: number for number, name in reversed(_flags_held(target))}
        for code, (_number, name) in enumerate(self.source.flags, start=FIRST_FLAG_CODE):
            by_code[code] = flags.get(name, 0)
        return by_code


@lru_cache(maxsize=4096)
def recoding_of(source: Encoding, target: Encoding) -> Recoding | None:
    """Return the conversion of numbers of an encoding into another.

    `None` if it would change a value or a reason for a missing value.
    """
    recoding = Recoding(source, target)
    if source == target:
        return recoding
    if source.units != target.units or not _has_reasons_of(source, target):
        return None
    holds = _holds_whole if np.dtype(target.dtype).kind in "iu" else _holds_floats
    return recoding if holds(source, target) else None


def steps_between(source: Encoding, target: Encoding) -> Steps | None:
    """Return the exact conversion of integers of an encoding into another; `None` if an exact one does not exist."""
    if _has_same_scale(source, target):
        return Steps(1, 0)
    parts = [exact(x) for x in (source.scale, source.offset, target.scale, target.offset)]
    scale, offset, target_scale, target_offset = parts
    if scale is None or offset is None or target_offset is None or not target_scale:
        return None
    factor, shift = scale / target_scale, (offset - target_offset) / target_scale
    if factor.denominator != 1 or shift.denominator != 1 or max(abs(factor), abs(shift)) > MAX_STEPS:
        return None
    return Steps(int(factor), int(shift))


def exact(number: float) -> Fraction | None:
    """Return the decimal number that the shortest text of a float names; `None` for infinite numbers and NaN."""
    return Fraction(Decimal(repr(float(number)))) if math.isfinite(number) else None


def values_span(encoding: Encoding) -> Span:
    """Return the smallest and largest value of an encoding of integers, as numbers of the file."""
    low, high = number_limits(encoding.dtype)
    if encoding.valid_range is not None:
        least, most = encoding.valid_range
        low = low if least == -math.inf else max(low, math.ceil(least))
        high = high if most == math.inf else min(high, math.floor(most))
    lacking = {number for number, _name in encoding.flags} | {encoding.nodata}
    while low <= high and low in lacking:
        low += 1
    while low <= high and high in lacking:
        high -= 1
    return Span(low, high)


def number_limits(dtype: str) -> Span:
    """Return the smallest and largest number of an integer type."""
    if np.dtype(dtype).kind == "b":
        return Span(0, 1)
    limits = np.iinfo(dtype)
    return Span(int(limits.min), int(limits.max))


def stands_for_value(encoding: Encoding, steps: Steps, number: int) -> bool:
    """Return whether the steps convert a value of an encoding of integers into `number`."""
    if steps.factor == 0:
        return number == steps.shift
    source_number, rest = divmod(number - steps.shift, steps.factor)
    low, high = number_limits(encoding.dtype)
    if rest or not low <= source_number <= high:
        return False
    least, most = encoding.valid_range or (-math.inf, math.inf)
    return (
        least <= source_number <= most
        and source_number != encoding.nodata
        and all(source_number != flag for flag, _name in encoding.flags)
    )


def has_nodata(encoding: Encoding) -> bool:
    """Return whether an encoding has a number for a missing value without a reason."""
    kind = np.dtype(encoding.dtype).kind
    if encoding.nodata is None or kind == "f":
        return kind == "f"
    low, high = number_limits(encoding.dtype)
    return low <= encoding.nodata <= high and float(encoding.nodata).is_integer()


def outside_number(encoding: Encoding) -> float | None:
    """Return a number outside the valid range without another meaning; `None` if missing, or without a valid range."""
    if encoding.valid_range is None:
        return None
    lacking = {float(number) for number, _name in encoding.flags} | {encoding.nodata}
    return next((number for number in _numbers_beyond_range(encoding) if number not in lacking), None)


def _numbers_beyond_range(encoding: Encoding) -> Iterator[float]:
    """Yield numbers just outside the valid range, more than there are numbers with another meaning."""
    dtype = np.dtype(encoding.dtype)
    least, most = encoding.valid_range or (-math.inf, math.inf)
    count = len(encoding.flags) + 2
    if dtype.kind == "f":
        for end, towards in ((most, math.inf), (least, -math.inf)):
            number = dtype.type(end)
            for _ in range(count):
                number = np.nextafter(number, dtype.type(towards))
                if np.isfinite(number):
                    yield float(number)
        return
    low, high = number_limits(encoding.dtype)
    if math.isfinite(most):
        yield from range(max(low, math.floor(most) + 1), min(high, math.floor(most) + count) + 1)
    if math.isfinite(least):
        yield from range(min(high, math.ceil(least) - 1), max(low, math.ceil(least) - count) - 1, -1)


def _has_same_scale(one: Encoding, other: Encoding) -> bool:
    return (one.scale, one.offset) == (other.scale, other.offset)


@lru_cache(maxsize=256)
def _is_the_same(source: Encoding, target: Encoding) -> bool:
    """Return whether each number of the source has the same meaning in the target, which may have further reasons."""
    if source.dtype != target.dtype or not _has_same_scale(source, target):
        return False
    has_same_nodata = not has_nodata(source) or source.nodata in {None, target.nodata}
    has_same_range = source.valid_range in {None, target.valid_range}
    # A number that is a reason only in the target may lie outside the source's range, which is another reason.
    has_same_reasons = source.valid_range is None or _lacking(target) <= _lacking(source)
    return has_same_nodata and has_same_range and has_same_reasons and set(source.flags) <= set(target.flags)


def _lacking(encoding: Encoding) -> set[float]:
    """Return the numbers for nodata and flags, without NaN, which is nodata in all encodings."""
    lacking = {float(number) for number, _name in encoding.flags}
    if encoding.nodata is not None and not math.isnan(encoding.nodata):
        lacking.add(encoding.nodata)
    return lacking


def _has_reasons_of(source: Encoding, target: Encoding) -> bool:
    """Return whether the target has a number for each reason for a missing value of the source."""
    if has_nodata(source) and not has_nodata(target):
        return False
    if source.valid_range is not None and outside_number(target) is None:
        return False
    return {name for _number, name in _flags_held(source)} <= {name for _number, name in _flags_held(target)}


def _flags_held(encoding: Encoding) -> list[tuple[int, str]]:
    """Return flags whose numbers fit into the type."""
    if np.dtype(encoding.dtype).kind == "f":
        return list(encoding.flags)
    low, high = number_limits(encoding.dtype)
    return [flag for flag in encoding.flags if low <= flag[0] <= high]


def _holds_whole(source: Encoding, target: Encoding) -> bool:
    """Return whether a target of integers has a valid number for each value of the source."""
    steps = None if np.dtype(source.dtype).kind == "f" else steps_between(source, target)
    if steps is None:
        return False
    source_span = values_span(source)
    if source_span.low > source_span.high:
        return True
    span, limits = source_span.convert(steps), number_limits(target.dtype)
    least, most = target.valid_range or (-math.inf, math.inf)
    if span.low < max(limits.low, least) or span.high > min(limits.high, most):
        return False
    return not any(stands_for_value(source, steps, number) for number in _whole_reasons(target))


def _whole_reasons(encoding: Encoding) -> Iterator[int]:
    """Yield integers that are no values although they may lie in the valid range."""
    yield from (number for number, _name in encoding.flags)
    if encoding.nodata is not None and has_nodata(encoding):
        yield int(encoding.nodata)


def _holds_floats(source: Encoding, target: Encoding) -> bool:
    """Return whether a target of floats has each value of the source as a value."""
    if target.text_step is not None and (target.scale, target.offset) == (1.0, 0.0):
        return True  # its numbers are values, and its reasons are far from all likely values
    if not (_has_same_scale(source, target) and np.can_cast(source.dtype, target.dtype, "safe")):
        return False
    far = 2.0 ** far_exponent(np.dtype(target.dtype))
    least, most = target.valid_range or (-math.inf, math.inf)
    own_least, own_most = source.valid_range or (-math.inf, math.inf)
    if np.dtype(source.dtype).kind != "f":
        own_least, own_most = values_span(source)
    if own_least < least or (own_most > most and most < far):
        return False
    reasons = [float(number) for number, _name in target.flags]
    reasons += [] if target.nodata is None else [target.nodata]
    return not any(abs(number) < far / 2 and _is_value(source, number) for number in reasons)


def _is_value(encoding: Encoding, number: float) -> bool:
    """Return whether a number is a value of an encoding. A number that does not fit into the type is not a value."""
    dtype = np.dtype(encoding.dtype)
    if dtype.kind != "f":
        return float(number).is_integer() and stands_for_value(encoding, Steps(1, 0), int(number))
    with np.errstate(over="ignore"):
        typed = np.array([number]).astype(dtype)
    return bool(typed[0] == number and encoding.valid(typed)[0])


def _exact_values(encoding: Encoding, numbers: NumberArray) -> Float64Array | None:
    """Return the floats nearest to the exact decimal values of integers; `None` if they have too many digits."""
    scale, offset = exact(encoding.scale), exact(encoding.offset)
    if numbers.dtype.kind == "f" or scale is None or offset is None:
        return None
    power = max(_decimals(encoding.scale), _decimals(encoding.offset))
    if power > MAX_DECIMALS:
        return None
    factor, shift = int(scale * 10**power), int(offset * 10**power)
    if max(map(abs, number_limits(encoding.dtype).convert(Steps(factor, shift)))) >= MAX_EXACT:
        return None
    # Dividend and divisor are exact, so that the quotient is rounded only once.
    values: Float64Array = (numbers.astype(np.int64) * factor + shift) / float(10**power)
    return values


def _decimals(number: float) -> int:
    # Number of decimals of the shortest text of a float.
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _never_a_reason(numbers: NumberArray, valid: BoolArray, target: Encoding) -> NumberArray:
    """Replace values that equal the number of a flag by the next float towards 0, in place."""
    for number, _name in target.flags:
        hit = valid & (numbers == number)
        if hit.any():
            numbers[hit] = np.nextafter(numbers[hit], numbers.dtype.type(0))
    return numbers


@cache_by_size(lambda table, *_key: 1000 if table is None else table.nbytes)
def _table(recoding: Recoding, dtype: str) -> NumberArray | None:
    """Return (number,): the recoded numbers of a small integer type, by their bits; `None` for other types."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu" or 256**kind.itemsize > MAX_TABLED_NUMBERS:
        return None
    every: AnyArray = np.arange(256**kind.itemsize, dtype=f"u{kind.itemsize}").view(kind)
    return recoding._recode(every)  # noqa: SLF001 -- the same module
