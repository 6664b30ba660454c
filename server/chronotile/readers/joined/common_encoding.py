"""The one encoding in which files that differ in scale, offset, nodata or type are handed out."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import FIRST_FLAG_CODE, MAX_TABLED_NUMBERS, NODATA_CODE, OUTSIDE_CODE, Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, NumberArray
from chronotile.core.size_cache import cache_by_size

# Numbers of one encoding written in another one, so that every value and every reason for none stays the same.
#
# Files of one variable may differ in scale, offset, nodata, type and flags. A reader hands out all of them in one
# common encoding (`common_encoding`); a `Recoding` takes the numbers of one file there. `docs/design/encodings.md`
# explains why.

MOST_EXACT = 1 << 53
"""Whole numbers up to this are exact in float64."""

MOST_DECIMALS = 22
"""Powers of ten up to this are exact in float64."""

MOST_STEPS = 1 << 62
"""Farther apart than so many common steps, two encodings are not compared as whole numbers."""


def far_exponent(dtype: np.dtype[Any]) -> int:
    """Return the power of two beyond which floats of a common encoding stand for reasons, not for values."""
    return int(np.finfo(dtype).maxexp) - 4


class Steps(NamedTuple):
    """How whole numbers of one encoding become those of another: `number * factor + shift`."""

    factor: int
    shift: int


class Span(NamedTuple):
    """The least and the greatest number that is a value; there is none where the first exceeds the second."""

    low: int
    high: int

    def mapped(self, steps: Steps) -> "Span":
        """Return the span of the same values in other numbers."""
        ends = [number * steps.factor + steps.shift for number in self]
        return Span(min(ends), max(ends))


@dataclass(frozen=True, slots=True)
class Recoding:
    """Takes numbers of one encoding into another that holds all its values; see `recoding_of`."""

    source: Encoding
    target: Encoding

    def pixels(self, pixels: Pixels) -> Pixels:
        """Return pixels in the target's numbers; what the source's own mask says of them stays."""
        return replace(pixels, numbers=self.numbers(pixels.numbers))

    def numbers(self, numbers: NumberArray) -> NumberArray:
        """Return numbers, of the source's type, in those of the target, in the same shape."""
        if self.source == self.target or _is_the_same(self.source, self.target):
            return numbers
        table = _table(self, numbers.dtype.str)
        if table is None:
            return self._recoded(numbers)
        recoded: NumberArray = table.take(numbers.view(f"u{numbers.dtype.itemsize}"), mode="wrap")  # of all numbers
        return recoded

    def _recoded(self, numbers: NumberArray) -> NumberArray:
        codes = self.source.codes(numbers)
        with np.errstate(over="ignore", invalid="ignore"):  # of numbers that are no values, which are replaced
            recoded = self._in_target(numbers)
        is_lacking = codes != 0
        if is_lacking.any():
            recoded[is_lacking] = self.lacking()[codes[is_lacking]]
        return _never_a_reason(recoded, ~is_lacking, self.target) if recoded.dtype.kind == "f" else recoded

    def _in_target(self, numbers: NumberArray) -> NumberArray:
        """A new array with all numbers, of values and of none alike."""
        source, target = self.source, self.target
        if np.dtype(target.dtype).kind in "iu":
            steps = steps_between(source, target)
            assert steps is not None  # noqa: S101 -- `recoding_of` says so
            return (numbers.astype(np.int64) * steps.factor + steps.shift).astype(target.dtype)
        if _has_same_scale(source, target):
            return numbers.astype(target.dtype)
        exact = _exact_values(source, numbers)
        return source.values(numbers) if exact is None else exact

    def lacking(self) -> NumberArray:
        """Return the target's numbers by the source's codes: those of reasons that cannot occur are 0."""
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
    """Return what takes numbers of an encoding into another one.

    `None` where a value, or the reason why there is none, would not stay what it is.
    """
    recoding = Recoding(source, target)
    if source == target:
        return recoding
    if source.units != target.units or not _has_reasons_of(source, target):
        return None
    holds = _holds_whole if np.dtype(target.dtype).kind in "iu" else _holds_floats
    return recoding if holds(source, target) else None


def steps_between(source: Encoding, target: Encoding) -> Steps | None:
    """Return how whole numbers of an encoding become those of another; `None` where they do not exactly."""
    if _has_same_scale(source, target):
        return Steps(1, 0)
    parts = [exact(each) for each in (source.scale, source.offset, target.scale, target.offset)]
    scale, offset, target_scale, target_offset = parts
    if scale is None or offset is None or target_offset is None or not target_scale:
        return None
    factor, shift = scale / target_scale, (offset - target_offset) / target_scale
    if factor.denominator != 1 or shift.denominator != 1 or max(abs(factor), abs(shift)) > MOST_STEPS:
        return None
    return Steps(int(factor), int(shift))


def exact(number: float) -> Fraction | None:
    """Return the number that the shortest text of a float names; `None` where it is infinite or none."""
    return Fraction(Decimal(repr(float(number)))) if math.isfinite(number) else None


def values_span(encoding: Encoding) -> Span:
    """Return the least and the greatest number of an encoding of whole numbers that are values."""
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
    """Return the least and the greatest number of a type of whole numbers."""
    if np.dtype(dtype).kind == "b":
        return Span(0, 1)
    limits = np.iinfo(dtype)
    return Span(int(limits.min), int(limits.max))


def stands_for_value(encoding: Encoding, steps: Steps, number: int) -> bool:
    """Return whether a value of an encoding of whole numbers becomes `number`."""
    if steps.factor == 0:
        return number == steps.shift
    own, rest = divmod(number - steps.shift, steps.factor)
    low, high = number_limits(encoding.dtype)
    if rest or not low <= own <= high:
        return False
    least, most = encoding.valid_range or (-math.inf, math.inf)
    return least <= own <= most and own != encoding.nodata and all(own != flag for flag, _name in encoding.flags)


def has_nodata(encoding: Encoding) -> bool:
    """Return whether numbers of an encoding may have no value, and say no more of it."""
    kind = np.dtype(encoding.dtype).kind
    if encoding.nodata is None or kind == "f":
        return kind == "f"
    low, high = number_limits(encoding.dtype)
    return low <= encoding.nodata <= high and float(encoding.nodata).is_integer()


def outside_number(encoding: Encoding) -> float | None:
    """Return a number outside the valid range without another meaning; `None` if there is none."""
    if encoding.valid_range is None:
        return None
    lacking = {float(number) for number, _name in encoding.flags} | {encoding.nodata}
    return next((number for number in _beyond_range(encoding) if number not in lacking), None)


def _beyond_range(encoding: Encoding) -> Iterator[float]:
    """Some numbers just outside the valid range, more of them than can have another meaning."""
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
    """Whether each number of the source means the same in the target, which has a meaning for others too."""
    if source.dtype != target.dtype or not _has_same_scale(source, target):
        return False
    has_same_nodata = not has_nodata(source) or source.nodata in {None, target.nodata}
    has_same_range = source.valid_range in {None, target.valid_range}
    # What only the target gives a reason may lie outside the source's range, which is another reason.
    has_same_reasons = source.valid_range is None or _lacking(target) <= _lacking(source)
    return has_same_nodata and has_same_range and has_same_reasons and set(source.flags) <= set(target.flags)


def _lacking(encoding: Encoding) -> set[float]:
    """The numbers that are nodata or a flag; NaN, which is so in all encodings, is left out."""
    lacking = {float(number) for number, _name in encoding.flags}
    if encoding.nodata is not None and not math.isnan(encoding.nodata):
        lacking.add(encoding.nodata)
    return lacking


def _has_reasons_of(source: Encoding, target: Encoding) -> bool:
    """Whether the target has a number for each reason why one of the source has no value."""
    if has_nodata(source) and not has_nodata(target):
        return False
    if source.valid_range is not None and outside_number(target) is None:
        return False
    return {name for _number, name in _flags_held(source)} <= {name for _number, name in _flags_held(target)}


def _flags_held(encoding: Encoding) -> list[tuple[int, str]]:
    """The flags whose numbers the type holds."""
    if np.dtype(encoding.dtype).kind == "f":
        return list(encoding.flags)
    low, high = number_limits(encoding.dtype)
    return [flag for flag in encoding.flags if low <= flag[0] <= high]


def _holds_whole(source: Encoding, target: Encoding) -> bool:
    """Whether each value of the source has a number in a target of whole numbers, one that is a value there."""
    steps = None if np.dtype(source.dtype).kind == "f" else steps_between(source, target)
    if steps is None:
        return False
    own = values_span(source)
    if own.low > own.high:
        return True
    span, limits = own.mapped(steps), number_limits(target.dtype)
    least, most = target.valid_range or (-math.inf, math.inf)
    if span.low < max(limits.low, least) or span.high > min(limits.high, most):
        return False
    return not any(stands_for_value(source, steps, number) for number in _whole_reasons(target))


def _whole_reasons(encoding: Encoding) -> Iterator[int]:
    """The whole numbers that are no values though they lie in the valid range."""
    yield from (number for number, _name in encoding.flags)
    if encoding.nodata is not None and has_nodata(encoding):
        yield int(encoding.nodata)


def _holds_floats(source: Encoding, target: Encoding) -> bool:
    """Whether each value of the source is one in a target of floats."""
    if target.text_step is not None and (target.scale, target.offset) == (1.0, 0.0):
        return True  # it holds values, and no number near those that are likely means anything else
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
    """Whether a number, if its type holds it, is a value of an encoding."""
    dtype = np.dtype(encoding.dtype)
    if dtype.kind != "f":
        return float(number).is_integer() and stands_for_value(encoding, Steps(1, 0), int(number))
    with np.errstate(over="ignore"):
        held = np.array([number]).astype(dtype)
    return bool(held[0] == number and encoding.valid(held)[0])


def _exact_values(encoding: Encoding, numbers: NumberArray) -> Float64Array | None:
    """The floats nearest to the exact decimal values of whole numbers; `None` where there are too many digits."""
    scale, offset = exact(encoding.scale), exact(encoding.offset)
    if numbers.dtype.kind == "f" or scale is None or offset is None:
        return None
    power = max(_decimals(encoding.scale), _decimals(encoding.offset))
    if power > MOST_DECIMALS:
        return None
    factor, shift = int(scale * 10**power), int(offset * 10**power)
    if max(map(abs, number_limits(encoding.dtype).mapped(Steps(factor, shift)))) >= MOST_EXACT:
        return None
    # Both parts are exact, and a quotient of such is rounded once.
    values: Float64Array = (numbers.astype(np.int64) * factor + shift) / float(10**power)
    return values


def _decimals(number: float) -> int:
    # How many decimals the shortest text of a float has.
    exponent = Decimal(repr(float(number))).normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _never_a_reason(numbers: NumberArray, valid: BoolArray, target: Encoding) -> NumberArray:
    """Values that fall on a number which means another thing go to the float beside it."""
    for number, _name in target.flags:
        hit = valid & (numbers == number)
        if hit.any():
            numbers[hit] = np.nextafter(numbers[hit], numbers.dtype.type(0))
    return numbers


@cache_by_size(lambda table, *_key: 1000 if table is None else table.nbytes)
def _table(recoding: Recoding, dtype: str) -> NumberArray | None:
    """(number,): all numbers of a small type of integers recoded, by their bits."""
    kind = np.dtype(dtype)
    if kind.kind not in "iu" or 256**kind.itemsize > MAX_TABLED_NUMBERS:
        return None
    every: AnyArray = np.arange(256**kind.itemsize, dtype=f"u{kind.itemsize}").view(kind)
    return recoding._recoded(every)  # noqa: SLF001 -- the same module


# The encoding by which files that differ are served as one.

WHOLE_TYPES = ("uint8", "int8", "uint16", "int16", "int32", "uint32")
"""Types of whole numbers that an encoding may get, the shortest first."""


def common_encoding(encodings: Iterable[Encoding]) -> Encoding:
    """Return an encoding in which each value of each of `encodings` is exactly what it was.

    It is one of them if that holds all others; else whole numbers of a common step, if they have one; else values in
    floats. Every reason for which there is no value has its number in it. The order of `encodings` does not matter.

    Args:
        encodings: At least one, all of the same units.

    Raises:
        UnsupportedSource: Their units differ.
    """
    distinct = sorted(set(encodings), key=lambda each: (np.dtype(each.dtype).itemsize, repr(each)))
    if len(distinct) == 1:
        return distinct[0]
    units = sorted({each.units for each in distinct})
    if len(units) > 1:
        raise UnsupportedSource(f"its files differ in units: {', '.join(units)}; set units: for the variable")
    for each in distinct:
        if all(_is_held(other, each) for other in distinct):
            return each
    return replace(_whole(distinct) or _floats(distinct), circle=distinct[0].circle)


def _is_held(encoding: Encoding, other: Encoding) -> bool:
    """Whether another encoding holds all values, and text of floats is as short in it as before."""
    kinds = np.dtype(encoding.dtype), np.dtype(other.dtype)
    is_widened = all(kind.kind == "f" for kind in kinds) and kinds[0] != kinds[1]
    return not is_widened and recoding_of(encoding, other) is not None


def _whole(encodings: Sequence[Encoding]) -> Encoding | None:
    """Whole numbers of a step that all share; `None` where there is none, or no type of 32 bits holds them."""
    if any(np.dtype(each.dtype).kind == "f" for each in encodings):
        return None
    unit = _common_unit(encodings)
    if unit is None:
        return None
    steps = [steps_between(each, unit) for each in encodings]
    known = [each for each in steps if each is not None]
    if len(known) != len(encodings):
        return None
    owns = map(values_span, encodings)
    spans = [own.mapped(each) for own, each in zip(owns, known, strict=True) if own.low <= own.high]
    span = Span(min((each.low for each in spans), default=0), max((each.high for each in spans), default=0))
    for dtype in WHOLE_TYPES:
        limits = number_limits(dtype)
        if span.low < limits.low or span.high > limits.high:
            continue
        found = _with_reasons(unit, dtype, span, encodings=encodings, steps=known)
        if found is not None:
            return found
    return None


def _common_unit(encodings: Sequence[Encoding]) -> Encoding | None:
    """Scale and offset, of 32 bits for now, of which those of all encodings are so many steps."""
    first = encodings[0]
    if len({(each.scale, each.offset) for each in encodings}) == 1:
        return Encoding(dtype="int32", scale=first.scale, offset=first.offset, units=first.units)
    offset = min((each.offset for each in encodings), key=lambda each: (abs(each), -each))
    base = exact(offset)
    scales = [exact(each.scale) for each in encodings]
    offsets = [exact(each.offset) for each in encodings]
    if base is None or None in scales or None in offsets:
        return None
    lengths = [each for each in scales if each is not None] + [each - base for each in offsets if each is not None]
    denominator = math.lcm(*(each.denominator for each in lengths))
    whole = math.gcd(*(int(each * denominator) for each in lengths))
    scale = whole / denominator
    if not whole or exact(scale) != Fraction(whole, denominator):
        return None
    return Encoding(dtype="int32", scale=scale, offset=offset, units=first.units)


def _with_reasons(
    unit: Encoding, dtype: str, span: Span, *, encodings: Sequence[Encoding], steps: Sequence[Steps]
) -> Encoding | None:
    """The encoding in a type, with a number for each reason that no value has; `None` where there is no room."""
    names = list(dict.fromkeys(name for each in encodings for _number, name in each.flags))
    needs_nodata = any(map(has_nodata, encodings))
    is_bounded = any(each.valid_range is not None for each in encodings)
    free = (
        number
        for number in _candidates(dtype, encodings, steps, count=len(names) + 2)
        if not any(stands_for_value(each, own, number) for each, own in zip(encodings, steps, strict=True))
    )
    numbers = list(islice(dict.fromkeys(free), len(names) + needs_nodata))
    if len(numbers) < len(names) + needs_nodata:
        return None
    found = Encoding(
        dtype=dtype,
        scale=unit.scale,
        offset=unit.offset,
        nodata=float(numbers.pop(0)) if needs_nodata else None,
        valid_range=(float(span.low), float(span.high)) if is_bounded else None,
        flags=tuple(zip(numbers, names, strict=True)),
        units=unit.units,
    )
    return None if is_bounded and outside_number(found) is None else found


def _candidates(dtype: str, encodings: Sequence[Encoding], steps: Sequence[Steps], *, count: int) -> Iterator[int]:
    """Numbers that may be free for a reason: at the ends of the type first, where files to come leave them free."""
    low, high = number_limits(dtype)
    lows, highs = range(low, low + count), range(high, high - count, -1)
    own = (
        int(number) * step.factor + step.shift
        for each, step in zip(encodings, steps, strict=True)
        for number in (*(flag for flag, _name in each.flags), *([each.nodata or 0] if has_nodata(each) else []))
    )
    ends = chain(lows, highs) if low < 0 else chain(highs, lows)
    return chain(ends, (number for number in own if low <= number <= high))


def _floats(encodings: Sequence[Encoding]) -> Encoding:
    """Numbers as floats where all have one scale and offset, else values."""
    first = encodings[0]
    is_scaled_alike = len({(each.scale, each.offset) for each in encodings}) == 1
    dtype: np.dtype[Any] = np.dtype("float32")
    if not is_scaled_alike or not all(np.can_cast(each.dtype, dtype, "safe") for each in encodings):
        dtype = np.dtype("float64")
    is_values = dtype.itemsize > 4 or not is_scaled_alike
    return Encoding(
        dtype=dtype.name,
        scale=1.0 if is_values else first.scale,
        offset=0.0 if is_values else first.offset,
        units=first.units,
        text_step=_finest_step(encodings) if is_values else None,
        **_far_reasons(encodings, dtype),
    )


def float32_values(encoding: Encoding) -> Encoding:
    """Return an encoding of the values of another one as float32, which rounds them."""
    dtype = np.dtype("float32")
    return Encoding(dtype=dtype.name, units=encoding.units, circle=encoding.circle, **_far_reasons([encoding], dtype))


def _far_reasons(encodings: Sequence[Encoding], dtype: np.dtype[Any]) -> dict[str, Any]:
    """What says in floats why there is no value.

    Beyond all numbers that mean something: those of flags below, and what lies outside the range of its file above.
    """
    names = dict.fromkeys(name for each in encodings for _number, name in each.flags)
    far = far_exponent(dtype)
    is_bounded = any(each.valid_range is not None for each in encodings)
    return {
        "nodata": math.nan,
        "valid_range": (-math.inf, 2.0**far) if is_bounded else None,
        "flags": tuple((-(2**far) + place * 2 ** (far - 20), name) for place, name in enumerate(names)),
    }


def _finest_step(encodings: Sequence[Encoding]) -> float:
    """The smallest step between two values of whole numbers; 0 where some are floats of which none is known."""
    is_plain = [np.dtype(each.dtype).itemsize <= 4 and (each.scale, each.offset) == (1.0, 0.0) for each in encodings]
    is_float = [np.dtype(each.dtype).kind == "f" for each in encodings]
    if any(floats and not plain for floats, plain in zip(is_float, is_plain, strict=True)):
        return 0.0
    return min((abs(each.scale) for each, floats in zip(encodings, is_float, strict=True) if not floats), default=0.0)
