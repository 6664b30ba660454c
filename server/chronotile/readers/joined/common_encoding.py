"""One encoding for files of a variable that differ in scale, offset, nodata or type."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import chain, islice
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.readers.joined.recoding import (
    Span,
    Steps,
    exact,
    far_exponent,
    has_nodata,
    number_limits,
    outside_number,
    recoding_of,
    stands_for_value,
    steps_between,
    values_span,
)

WHOLE_TYPES = ("uint8", "int8", "uint16", "int16", "int32", "uint32")
"""Integer types for a common encoding, the smallest first."""


def common_encoding(encodings: Iterable[Encoding]) -> Encoding:
    """Return an encoding that keeps each value of all encodings exactly.

    It is one of them if that encoding has all values. Otherwise it has integers of a common step, or, if a common
    step does not exist, values as floats. It has a number for every reason for a missing value. The order of
    `encodings` does not matter.

    Args:
        encodings: At least one; all have the same units.

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
    """Return whether `other` has all values, and texts of its floats are as short as those of `encoding`."""
    kinds = np.dtype(encoding.dtype), np.dtype(other.dtype)
    is_widened = all(kind.kind == "f" for kind in kinds) and kinds[0] != kinds[1]
    return not is_widened and recoding_of(encoding, other) is not None


def _whole(encodings: Sequence[Encoding]) -> Encoding | None:
    """Return an encoding of integers of a common step; `None` without a step, or if 32 bits are too few."""
    if any(np.dtype(x.dtype).kind == "f" for x in encodings):
        return None
    unit = _common_unit(encodings)
    if unit is None:
        return None
    steps = [steps_between(x, unit) for x in encodings]
    exact_steps = [x for x in steps if x is not None]
    if len(exact_steps) != len(encodings):
        return None
    source_spans = map(values_span, encodings)
    spans = [y.convert(x) for y, x in zip(source_spans, exact_steps, strict=True) if y.low <= y.high]
    span = Span(min((x.low for x in spans), default=0), max((x.high for x in spans), default=0))
    for dtype in WHOLE_TYPES:
        limits = number_limits(dtype)
        if span.low < limits.low or span.high > limits.high:
            continue
        encoding = _add_reasons(unit, dtype, span, encodings=encodings, steps=exact_steps)
        if encoding is not None:
            return encoding
    return None


def _common_unit(encodings: Sequence[Encoding]) -> Encoding | None:
    """Return the largest common step and an offset, as an encoding of int32; `None` if a common step does not exist."""
    first = encodings[0]
    if len({(x.scale, x.offset) for x in encodings}) == 1:
        return Encoding(dtype="int32", scale=first.scale, offset=first.offset, units=first.units)
    offset = min((x.offset for x in encodings), key=lambda x: (abs(x), -x))
    base = exact(offset)
    scales = [exact(x.scale) for x in encodings]
    offsets = [exact(x.offset) for x in encodings]
    if base is None or None in scales or None in offsets:
        return None
    lengths = [x for x in scales if x is not None] + [x - base for x in offsets if x is not None]
    denominator = math.lcm(*(x.denominator for x in lengths))
    whole = math.gcd(*(int(x * denominator) for x in lengths))
    scale = whole / denominator
    if not whole or exact(scale) != Fraction(whole, denominator):
        return None
    return Encoding(dtype="int32", scale=scale, offset=offset, units=first.units)


def _add_reasons(
    unit: Encoding, dtype: str, span: Span, *, encodings: Sequence[Encoding], steps: Sequence[Steps]
) -> Encoding | None:
    """Return the encoding in a type, with a number for each reason; `None` if too few numbers are free."""
    names = list(dict.fromkeys(name for x in encodings for _number, name in x.flags))
    needs_nodata = any(map(has_nodata, encodings))
    is_bounded = any(x.valid_range is not None for x in encodings)
    free = (
        number
        for number in _candidates(dtype, encodings, steps, count=len(names) + 2)
        if not any(stands_for_value(x, s, number) for x, s in zip(encodings, steps, strict=True))
    )
    numbers = list(islice(dict.fromkeys(free), len(names) + needs_nodata))
    if len(numbers) < len(names) + needs_nodata:
        return None
    encoding = replace(
        unit,
        dtype=dtype,
        nodata=float(numbers.pop(0)) if needs_nodata else None,
        valid_range=(float(span.low), float(span.high)) if is_bounded else None,
        flags=tuple(zip(numbers, names, strict=True)),
    )
    return None if is_bounded and outside_number(encoding) is None else encoding


def _candidates(dtype: str, encodings: Sequence[Encoding], steps: Sequence[Steps], *, count: int) -> Iterator[int]:
    """Yield numbers that may be free for a reason, the ends of the type first: later files rarely use them."""
    low, high = number_limits(dtype)
    lows, highs = range(low, low + count), range(high, high - count, -1)
    numbers = (
        int(number) * step.factor + step.shift
        for encoding, step in zip(encodings, steps, strict=True)
        for number in (
            *(flag for flag, _name in encoding.flags),
            *([encoding.nodata or 0] if has_nodata(encoding) else []),
        )
    )
    ends = chain(lows, highs) if low < 0 else chain(highs, lows)
    return chain(ends, (number for number in numbers if low <= number <= high))


def _floats(encodings: Sequence[Encoding]) -> Encoding:
    """Return an encoding of numbers as floats if scale and offset are equal in all, otherwise of values."""
    first = encodings[0]
    is_scaled_alike = len({(x.scale, x.offset) for x in encodings}) == 1
    dtype: np.dtype[Any] = np.dtype("float32")
    if not is_scaled_alike or not all(np.can_cast(x.dtype, dtype, "safe") for x in encodings):
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
    """Return nodata, valid range and flags for floats.

    Their numbers lie beyond all values: flags at the negative end, values outside a file's range at the positive end.
    """
    names = dict.fromkeys(name for x in encodings for _number, name in x.flags)
    far = far_exponent(dtype)
    is_bounded = any(x.valid_range is not None for x in encodings)
    return {
        "nodata": math.nan,
        "valid_range": (-math.inf, 2.0**far) if is_bounded else None,
        "flags": tuple((-(2**far) + position * 2 ** (far - 20), name) for position, name in enumerate(names)),
    }


def _finest_step(encodings: Sequence[Encoding]) -> float:
    """Return the smallest step between two values of integers; 0 if floats with an unknown step are among them."""
    is_plain = [np.dtype(x.dtype).itemsize <= 4 and (x.scale, x.offset) == (1.0, 0.0) for x in encodings]
    is_float = [np.dtype(x.dtype).kind == "f" for x in encodings]
    if any(floats and not plain for floats, plain in zip(is_float, is_plain, strict=True)):
        return 0.0
    return min((abs(x.scale) for x, floats in zip(encodings, is_float, strict=True) if not floats), default=0.0)
