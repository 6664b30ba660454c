"""Numbers as text (docs/reference/layers-and-series.md, Numbers): one rule for all formats that people read.

Functions return doubles whose shortest decimal is the intended text, so that any JSON writer prints it.
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
"""Exact results with more digits are rounded."""
STEP_DECIMALS = 3
"""Rounded results are written to a thousandth of one step of the digital number."""
DIGITS = 12
"""Significant digits of numbers that are not values; later digits are floating-point noise."""
MAX_COUNT = 2.0**50
"""Limit of numbers that are rounded, in units of the last decimal: above, rounding errors may exceed half a unit."""
MAX_POWER = 22
"""Largest exponent n for which a double stores 10**n exactly."""
NEAR = 1e-3
"""Distance, in units of the last decimal, from a tie or from a short result, below which results are exact."""
MAX_EXACT = 2.0**53
"""Below this number, every whole number is a separate double."""
SMALL = 1e-60
"""Scales and offsets are between `SMALL` and 1 / `SMALL`; results of others are not rounded."""
ROUNDING = 1e-15
"""Maximum error of a double, as a fraction of the larger of product and offset."""
EXACT = Context(prec=400)
"""Precision that makes products and sums of the decimals in `_line` exact."""


@dataclass(frozen=True, slots=True)
class _Line:
    """`number * scale + offset` in decimals."""

    scale: Decimal
    offset: Decimal

    @property
    def decimals(self) -> int:
        """Maximum number of decimals of a result."""
        return max(0, *(-int(term.as_tuple().exponent) for term in (self.scale, self.offset)))

    @property
    def rounded_decimals(self) -> int:
        """Number of decimals of a rounded result; may be negative."""
        return STEP_DECIMALS - self.scale.adjusted()

    def text_value(self, number: int) -> float:
        """Return the value of a digital number, rounded if it is long."""
        exact = EXACT.fma(Decimal(number), self.scale, self.offset).normalize(EXACT)
        if len(exact.as_tuple().digits) <= MAX_DIGITS:
            return float(exact)
        return float(exact.quantize(Decimal((0, (1,), -self.rounded_decimals)), context=EXACT))


def cell_values(values: Float64Array, encoding: Encoding) -> Float64Array:
    """Return the values of cells rounded for text, NaN if missing.

    Integers: the exact decimal result of `number * scale + offset` with the shortest decimals of both, or, if that has
    more than ten digits, rounded to a thousandth of a step. Floats: the shortest decimal of the stored type.

    Args:
        values: Any shape, computed by `Encoding.values`.
        encoding: Encoding of their digital numbers.
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
    """Return reduced, smoothed or computed values rounded for text: shortest decimals of float32, float64 for sums."""
    return _shortest(values, np.dtype(np.float64 if reducer == "sum" else np.float32))


def strip_noise(value: float) -> float:
    """Return a number of a document, such as the end of a range, without floating-point noise."""
    return float(f"{value:.{DIGITS}g}")


def json_number(number: float | None) -> float | None:
    """Return a number of metadata for JSON; `None` for NaN and infinities, which JSON does not have.

    Whole numbers become integers if a double, which many JSON parsers use, stores them exactly.
    """
    if number is None or not math.isfinite(number):
        return None
    return int(number) if abs(number) < MAX_EXACT and float(number).is_integer() else float(number)


def json_nodata(nodata: float | None) -> float | str | None:
    """Return nodata in the form of STAC 1.1, which has texts for NaN and infinities."""
    number = json_number(nodata)
    if nodata is None or number is not None:
        return number
    return "nan" if math.isnan(nodata) else "inf" if nodata > 0 else "-inf"


def text_values(values: AnyArray, encoding: Encoding | None) -> AnyArray:
    """Return values rounded for text: cells with their encoding, statistics with `None`. Integers are unchanged."""
    if values.dtype.kind != "f":
        return values
    return statistics(values) if encoding is None else cell_values(values, encoding)


def numbers_json(values: AnyArray) -> orjson.Fragment:
    """Return an array of any shape as JSON: no trailing zeros, `null` for NaN and infinities."""
    return orjson.Fragment(_json(values))


def number_texts(values: AnyArray) -> list[str]:
    """Return the JSON texts of (n,) numbers; empty for NaN and infinities."""
    return _json(values)[1:-1].replace(b"null", b"").decode().split(",") if values.size else []


def _json(values: AnyArray) -> bytes:
    if values.dtype.kind != "f":
        return orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    written = _shortest(values.astype(np.float64), values.dtype) if values.dtype == np.float16 else values
    listed = orjson.dumps(np.ascontiguousarray(written) + 0.0, option=orjson.OPT_SERIALIZE_NUMPY)  # no -0
    return listed.replace(b".0,", b",").replace(b".0]", b"]")


@lru_cache(maxsize=256)
def _line(scale: float, offset: float) -> _Line | None:
    """Return `None` for scales and offsets that no measurement has, including NaN."""
    if not (SMALL < abs(scale) < 1 / SMALL and (offset == 0 or SMALL < abs(offset) < 1 / SMALL)):
        return None
    return _Line(Decimal(repr(float(scale))).normalize(), Decimal(repr(float(offset))).normalize())


def _round(values: Float64Array, decimals: int) -> Float64Array:
    """Return values rounded to `decimals`, unchanged if doubles cannot distinguish the results.

    A whole number below 2**53 divided by an exact power of ten is the double nearest to that decimal.
    """
    if not 0 <= decimals <= MAX_POWER:
        return values if decimals > MAX_POWER else np.round(values, decimals)
    power = 10.0**decimals
    with np.errstate(over="ignore"):
        counts = np.rint(values * power)
    return np.where(np.abs(counts) < MAX_COUNT, counts / power + 0.0, values)


def _round_long(values: Float64Array, line: _Line) -> Float64Array:
    """Return rounded values that may have more than ten digits. Ties and short results are computed exactly."""
    rounded = _round(values, line.rounded_decimals)
    with np.errstate(all="ignore"):
        units = np.abs(values) * 10.0**line.rounded_decimals
        is_middle = np.abs(units % 1 - 0.5) < NEAR
        magnitude = 10.0 ** (MAX_DIGITS - 1 - np.floor(np.log10(np.abs(values))))
        few = np.abs(values) * magnitude
        error = (np.abs(values) + abs(float(line.offset))) * ROUNDING
        is_short = np.abs(few - np.rint(few)) < NEAR + error * magnitude
    is_exact = np.isfinite(values) & (is_middle | is_short | (values == 0))
    numbers = np.rint((values[is_exact] - float(line.offset)) / float(line.scale)).astype(np.int64)
    distinct, inverse = np.unique(numbers, return_inverse=True)
    exact = np.array([line.text_value(number) for number in distinct.tolist()], dtype=np.float64)
    rounded[is_exact] = exact[inverse.reshape(-1)] if exact.size else rounded[is_exact]
    return rounded


def _round_gathered(values: Float64Array, step: float) -> Float64Array:
    """Return values of several encodings: exact float32 in shortest text, others to a thousandth of the finest step."""
    with np.errstate(over="ignore"):
        is_single = values.astype(np.float32) == values
    rounded = values if step <= 0 else _round(values, STEP_DECIMALS - Decimal(repr(float(step))).adjusted())
    return np.where(is_single, _shortest(values, np.dtype(np.float32)), rounded)


def _shortest(values: Float64Array, dtype: np.dtype[Any]) -> Float64Array:
    """Return the shortest decimals that parse to the same numbers of a dtype."""
    if dtype.itemsize >= np.dtype(np.float64).itemsize:
        return values
    with np.errstate(over="ignore"):
        stored = values.astype(dtype)
    if dtype == np.float32:
        texts = orjson.dumps(np.ascontiguousarray(stored.ravel()), option=orjson.OPT_SERIALIZE_NUMPY)
        shortest = np.array(orjson.loads(texts), dtype=np.float64)
    else:
        shortest = np.array([float(str(number)) for number in stored.ravel()], dtype=np.float64)
    return np.where(np.isfinite(stored), shortest.reshape(values.shape), values)
