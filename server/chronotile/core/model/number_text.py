"""Numbers as text (docs/reference/layers-and-series.md, Numbers). One rule for all formats that people read.

Each function gives back the doubles whose shortest text is the intended one, so that any writer of JSON prints it.
"""

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.types import AnyArray, Float64Array

MAX_DIGITS = 10
"""Of an exact result; one with more is rounded."""
STEP_DECIMALS = 3
"""A rounded result is written to a thousandth of one step of the digital number."""
DIGITS = 12
"""Significant ones of numbers that are no values: past these is only the noise of floating point."""
MAX_COUNT = 2.0**50
"""Of units of the last decimal, up to which doubles differ though they were computed with an error."""
MAX_POWER = 22
"""Of ten, that a double holds exactly."""
NEAR = 1e-3
"""Of a unit: nearer than that to the middle of two, or to a result of few digits, the exact result decides."""
MAX_EXACT = 2.0**53
"""Whole numbers below it are doubles, each another one."""
SMALL = 1e-60
"""Scales and offsets lie between that and its inverse; results of others are written as they are."""
ROUNDING = 1e-15
"""By which a double may miss the exact result, as a share of the larger of product and offset."""
EXACT = Context(prec=400)
"""In which products and sums of decimals of doubles that `_line` takes are exact."""


@dataclass(frozen=True, slots=True)
class _Line:
    """`number * scale + offset` in decimals."""

    scale: Decimal
    offset: Decimal

    @property
    def decimals(self) -> int:
        """Of any result: none has more."""
        return max(0, *(-int(each.as_tuple().exponent) for each in (self.scale, self.offset)))

    @property
    def rounded_decimals(self) -> int:
        """Of a result that is rounded; may be negative."""
        return STEP_DECIMALS - self.scale.adjusted()

    def text_value(self, number: int) -> float:
        """Return the result of one number."""
        exact = EXACT.fma(Decimal(number), self.scale, self.offset).normalize(EXACT)
        if len(exact.as_tuple().digits) <= MAX_DIGITS:
            return float(exact)
        return float(exact.quantize(Decimal((0, (1,), -self.rounded_decimals)), context=EXACT))


def cell_values(values: Float64Array, encoding: Encoding) -> Float64Array:
    """Return the values of cells as text has them, NaN where there is none.

    Of integers the exact decimal result of `number * scale + offset` with the shortest decimals of both, or, if that
    has more than ten digits, to a thousandth of a step; of floats the shortest decimal of the type they are stored in.

    Args:
        values: Of any shape, as `Encoding.values` gives them.
        encoding: Of the numbers they are of.
    """
    if encoding.text_step is not None:
        return _round_gathered(values, encoding.text_step)
    dtype = np.dtype(encoding.dtype)
    if dtype.kind == "f":
        return _shortest(values, dtype)
    line = _line(encoding.scale, encoding.offset)
    if line is None:
        return values
    if line.decimals > line.rounded_decimals:
        return _round_long(values, line)
    return _round(values, line.decimals)


def statistics(values: Float64Array, *, reducer: str = "") -> Float64Array:
    """Return values reduced, smoothed or computed from others as text has them: shortest decimals of their float32.

    Sums have those of float64.
    """
    return _shortest(values, np.dtype(np.float64 if reducer == "sum" else np.float32))


def strip_noise(value: float) -> float:
    """Return a number of a document, such as an end of a range, without what only floating point adds to it."""
    return float(f"{value:.{DIGITS}g}")


def json_number(number: float | None) -> float | None:
    """Return a number of metadata as documents have it; `None` of one that JSON does not have: NaN, infinities.

    Whole ones are integers as far as doubles, which many readers make of them, tell neighbours apart.
    """
    if number is None or not math.isfinite(number):
        return None
    return int(number) if abs(number) < MAX_EXACT and float(number).is_integer() else float(number)


def json_nodata(nodata: float | None) -> float | str | None:
    """Return the number that stands for no value as STAC 1.1 has it, which has texts for those that JSON lacks."""
    number = json_number(nodata)
    if nodata is None or number is not None:
        return number
    return "nan" if math.isnan(nodata) else "inf" if nodata > 0 else "-inf"


def text_values(values: AnyArray, encoding: Encoding | None) -> AnyArray:
    """Return values as text has them: of cells with their encoding, else (`None`) statistics; integers as they are."""
    if values.dtype.kind != "f":
        return values
    return statistics(values) if encoding is None else cell_values(values, encoding)


def numbers_json(values: AnyArray) -> orjson.Fragment:
    """Return an array of any shape as JSON: no zeros behind the point, `null` for what is not a number."""
    return orjson.Fragment(_json(values))


def number_texts(values: AnyArray) -> list[str]:
    """Return the text of each of (n,) numbers, as JSON has it; empty for what is not a number."""
    return _json(values)[1:-1].replace(b"null", b"").decode().split(",") if values.size else []


def _json(values: AnyArray) -> bytes:
    if values.dtype.kind != "f":
        return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    written = _shortest(values.astype(np.float64), values.dtype) if values.dtype == np.float16 else values
    listed = orjson.dumps(np.ascontiguousarray(written) + 0.0, option=orjson.OPT_SERIALIZE_NUMPY)  # no -0
    return listed.replace(b".0,", b",").replace(b".0]", b"]")


@lru_cache(maxsize=256)
def _line(scale: float, offset: float) -> _Line | None:
    """`None` of what no measurement has, be it no number."""
    if not (SMALL < abs(scale) < 1 / SMALL and (offset == 0 or SMALL < abs(offset) < 1 / SMALL)):
        return None
    return _Line(Decimal(repr(float(scale))).normalize(), Decimal(repr(float(offset))).normalize())


def _round(values: Float64Array, decimals: int) -> Float64Array:
    """The nearest results of so many decimals, where doubles tell them apart; else the values as they are.

    A whole number below 2**53 divided by an exact power of ten is the double nearest to that decimal.
    """
    if not 0 <= decimals <= MAX_POWER:
        return values if decimals > MAX_POWER else np.round(values, decimals)
    power = 10.0**decimals
    with np.errstate(over="ignore"):
        counts = np.rint(values * power)
    return np.where(np.abs(counts) < MAX_COUNT, counts / power + 0.0, values)


def _round_long(values: Float64Array, line: _Line) -> Float64Array:
    """Results that may have more than ten digits; those that may not, or lie in the middle of two, one by one."""
    found = _round(values, line.rounded_decimals)
    with np.errstate(all="ignore"):
        units = np.abs(values) * 10.0**line.rounded_decimals
        is_middle = np.abs(units % 1 - 0.5) < NEAR
        magnitude = 10.0 ** (MAX_DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        few = np.abs(values) * magnitude
        error = (np.abs(values) + abs(float(line.offset))) * ROUNDING
        is_short = np.abs(few - np.rint(few)) < NEAR + error * magnitude
    places = np.isfinite(values) & (is_middle | is_short | (values == 0))
    numbers = np.rint((values[places] - float(line.offset)) / float(line.scale)).astype(np.int64)
    each, where = np.unique(numbers, return_inverse=True)
    exact = np.array([line.text_value(number) for number in each.tolist()], dtype=np.float64)
    found[places] = exact[where.reshape(-1)] if exact.size else found[places]
    return found


def _round_gathered(values: Float64Array, step: float) -> Float64Array:
    """Of values of several encodings: exact float32 as such, all others to a thousandth of the finest step."""
    with np.errstate(over="ignore"):
        is_single = values.astype(np.float32) == values
    others = values if step <= 0 else _round(values, STEP_DECIMALS - Decimal(repr(float(step))).adjusted())
    return np.where(is_single, _shortest(values, np.dtype(np.float32)), others)


def _shortest(values: Float64Array, dtype: np.dtype[Any]) -> Float64Array:
    """The shortest decimals that read back as the same numbers of a type."""
    if dtype.itemsize >= np.dtype(np.float64).itemsize:
        return values
    with np.errstate(over="ignore"):
        stored = values.astype(dtype)
    if dtype == np.float32:
        texts = orjson.dumps(np.ascontiguousarray(stored.ravel()), option=orjson.OPT_SERIALIZE_NUMPY)
        shortest = np.array(orjson.loads(texts), dtype=np.float64)
    else:
        shortest = np.array([float(str(each)) for each in stored.ravel()], dtype=np.float64)
    return np.where(np.isfinite(stored), shortest.reshape(values.shape), values)
