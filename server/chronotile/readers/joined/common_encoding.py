"""The one encoding in which files that differ in scale, offset, nodata or type are handed out."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain, islice
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.collection import Finding
from chronotile.core.model.raster import Encoding
from chronotile.readers.encoding import encoding_text, is_scaled
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
    return _whole(distinct) or _floats(distinct)


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
    return Encoding(dtype=dtype.name, units=encoding.units, **_far_reasons([encoding], dtype))


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


class FileEncoding(NamedTuple):
    """How the numbers of a file are encoded."""

    stated: Encoding
    """As the file itself states it."""
    used: Encoding
    """As the configuration corrects it."""


def replaced_keys(encoding: FileEncoding) -> tuple[str, ...]:
    """Return which of `scale`, `offset` and `nodata` the file states and the configuration replaces by another."""
    stated, used = encoding
    keys = [key for key in ("scale", "offset") if is_scaled(stated) and getattr(stated, key) != getattr(used, key)]
    if stated.dtype == used.dtype and stated.nodata is not None and not _is_same(stated.nodata, used.nodata):
        keys.append("nodata")
    return tuple(keys)


def replaced_findings(encodings: Mapping[str, FileEncoding]) -> Iterator[Finding]:
    """Yield that the configuration replaces what files state: a warning if not all files state the same.

    Then some files may be right and others lack a scale, and one key cannot be right for both.

    Args:
        encodings: Of files that were opened, by what messages call them.
    """
    replaced = {name: keys for name, each in encodings.items() if (keys := replaced_keys(each))}
    if not replaced:
        return
    name, keys = next(iter(replaced.items()))
    stated, used = encodings[name]
    said = " and ".join(f"{key}:" for key in keys)
    message = (
        f"it states {encoding_text(stated)}, but is read as {encoding_text(used)}: {said} of the configuration "
        f"{'replaces' if len(keys) == 1 else 'replace'} what files state ({len(replaced)} of {len(encodings)})"
    )
    if len({(each.stated.scale, each.stated.offset, str(each.stated.nodata)) for each in encodings.values()}) == 1:
        yield Finding("note", name, message)
    else:
        remedy = "if a file is right, remove these keys and write them into the files that lack them"
        yield Finding("warning", name, f"{message}; {remedy}")


def _is_same(first: float, second: float | None) -> bool:
    return second is not None and (first == second or (math.isnan(first) and math.isnan(second)))
