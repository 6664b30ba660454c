"""Processes on single numbers and on the cells of arrays: arithmetic, comparison and logic."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chronotile.core.graph.errors import ProcessFault, invalid, shorten
from chronotile.core.graph.values import GraphProcess, as_number, is_number, nullable, require_number, require_whole
from chronotile.core.model.types import AnyArray

Operand = Any
"""A single number, `None`, or an array."""


def compute(function: Callable[..., Any], **operands: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    """Return the result of a function of numpy; no data in an operand gives no data.

    Raises:
        ProcessFault: An operand is not a number.
    """
    if not any(isinstance(operand, np.ndarray) for operand in operands.values()):
        if any(operand is None for operand in operands.values()):
            return None
        numbers = [float(require_number(operand, name)) for name, operand in operands.items()]
        with np.errstate(all="ignore"):
            return _single(function(*numbers), are_whole=all(isinstance(operand, int) for operand in operands.values()))
    arrays = [_array(operand, name) for name, operand in operands.items()]
    with np.errstate(all="ignore"):
        result = np.asarray(function(*arrays))
    if result.dtype.kind != "b":
        return result
    is_missing = np.zeros((), dtype=bool)
    for array in arrays:
        is_missing = is_missing | np.isnan(array)
    return nullable(result, is_missing)


def _array(operand: Operand, name: str) -> Any:  # noqa: ANN401 -- a number keeps the dtype of the other operand
    if isinstance(operand, np.ndarray):
        return as_number(operand)
    return math.nan if operand is None else require_number(operand, name)


def _single(value: Any, *, are_whole: bool) -> float | bool:  # noqa: ANN401 -- a number of numpy or Python
    if isinstance(value, bool | np.bool_):
        return bool(value)
    number = float(value)
    return int(number) if are_whole and number.is_integer() and abs(number) < 2**53 else number


def _elementwise(function: Callable[..., Any], *names: str, **defaults: float) -> Callable[..., Any]:
    def call(**arguments: Operand) -> Any:  # noqa: ANN401 -- a number or an array
        return compute(function, **{name: arguments.get(name, defaults.get(name)) for name in (*names, *defaults)})

    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter(name, kind) for name in names]
    parameters += [inspect.Parameter(name, kind, default=value) for name, value in defaults.items()]
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return call


def _round(x: Operand, p: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    digits = require_whole(float(np.max(p)), "p", least=-300, most=300)
    rounded = np.round(x, digits)
    return np.where(np.isfinite(rounded), rounded, x)  # powers of ten beyond floats change no digit


def _modulo(x: Operand, y: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    if not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray) and y == 0:
        raise ProcessFault("DivisionByZero", "y: 0 is not accepted")
    remainder = np.where(np.isinf(y) & np.isfinite(x), x, np.mod(x, y))
    return np.where(np.equal(y, 0), np.divide(x, abs(y)), remainder)


def _clip(x: Operand, low: Operand, high: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    is_swapped = np.greater(low, high)
    if np.any(is_swapped) and np.any(is_swapped & ~np.isnan(x)):
        raise ProcessFault("MinMaxSwapped", f"min: {shorten(low)} exceeds max {shorten(high)}")
    return np.clip(x, low, high)


def _scale(x: Operand, low: Operand, high: Operand, first: Operand, last: Operand) -> Any:  # noqa: ANN401, PLR0917 -- published
    part = np.clip(np.divide(np.subtract(x, low), high - low), 0, 1)
    return np.where(np.equal(low, high), math.nan, part * (last - first) + first)


def _power(base: Operand, p: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    result = np.power(base, p)
    if not isinstance(result, np.ndarray):
        return result
    # In numpy, NaN to the power of 0 is 1.
    return np.where(np.isnan(base) | np.isnan(p), math.nan, result)


def _log(x: Operand, base: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    exact = {2.0: np.log2, 10.0: np.log10}.get(base) if isinstance(base, int | float) else None
    if exact is not None:
        return exact(x)
    scale = np.log(base)
    return np.divide(np.log(x), scale if isinstance(scale, np.ndarray) else float(scale))


def _normalized_difference(x: Operand, y: Operand) -> Any:  # noqa: ANN401 -- a number or an array
    return np.divide(np.subtract(x, y), np.add(x, y))


def _compare(function: np.ufunc) -> Callable[..., Any]:
    def call(x: Operand, y: Operand) -> Any:  # noqa: ANN401 -- true, false or an array
        if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
            return compute(function, x=x, y=y)
        if x is None or y is None:
            return None
        return bool(is_number(x) and is_number(y) and function(x, y))

    return call


def is_equal(
    x: Operand,
    y: Operand,
    delta: float | None = None,
    case_sensitive: bool = True,
) -> Any:  # noqa: ANN401 -- true, false or an array
    """Return whether two values are equal (`eq`); `None` with no data."""
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        return _are_equal(x, y, delta)
    if x is None or y is None:
        return None
    if is_number(x) and is_number(y):
        return bool(x == y if delta is None else abs(x - y) <= delta)
    if isinstance(x, str) and isinstance(y, str) and not case_sensitive:
        return x.casefold() == y.casefold()
    return isinstance(x, str | bool) and type(x) is type(y) and x == y


def _are_equal(x: Operand, y: Operand, delta: float | None) -> Any:  # noqa: ANN401 -- an array
    if not all(isinstance(value, np.ndarray | bool | int | float | None) for value in (x, y)):
        cells = x if isinstance(x, np.ndarray) else y
        return compute(np.not_equal, x=cells, y=cells)  # texts and lists equal no cell
    numbers = {name: float(value) if isinstance(value, bool) else value for name, value in (("x", x), ("y", y))}
    if delta is None:
        return compute(np.equal, **numbers)
    return compute(lambda one, other: np.abs(one - other) <= delta, **numbers)


def _differs(x: Operand, y: Operand, delta: float | None = None, case_sensitive: bool = True) -> Any:  # noqa: ANN401 -- published
    return negate(is_equal(x, y, delta, case_sensitive))


def _is_between(x: Operand, min: Operand, max: Operand, exclude_max: bool = False) -> Any:  # noqa: ANN401 -- published
    low = _compare(np.greater_equal)(x, min)
    high = _compare(np.less if exclude_max else np.less_equal)(x, max)
    return both(low, high)


def both(x: Operand, y: Operand) -> Any:  # noqa: ANN401 -- true, false, `None` or an array
    """Return x and y; false with any value is false (`and`)."""
    return _combine(x, y, decisive=False)


def either(x: Operand, y: Operand) -> Any:  # noqa: ANN401 -- true, false, `None` or an array
    """Return x or y; true with any value is true (`or`)."""
    return _combine(x, y, decisive=True)


def _combine(x: Operand, y: Operand, *, decisive: bool) -> Any:  # noqa: ANN401 -- true, false, `None` or an array
    if not isinstance(x, np.ndarray) and not isinstance(y, np.ndarray):
        for name, value in (("x", x), ("y", y)):
            if value is not None and not isinstance(value, bool):
                raise invalid(name, f"{shorten(value)} is not true or false")
        if decisive in (x, y):
            return decisive
        return None if x is None or y is None else not decisive
    one, other = _truth(x, "x"), _truth(y, "y")
    is_decided = (one == decisive) | (other == decisive)
    is_missing = (np.isnan(one) | np.isnan(other)) & ~is_decided
    return nullable(is_decided if decisive else ~is_decided, is_missing)


def _truth(value: Operand, name: str) -> AnyArray:
    """Return 0, 1, or NaN for no data; numbers other than 0 are true."""
    if not isinstance(value, np.ndarray | bool | None):
        raise invalid(name, f"{shorten(value)} is not true or false")
    numbers = as_number(np.asarray(np.nan if value is None else value))
    return np.where(np.isnan(numbers), numbers, numbers != 0)


def _exclusive(x: Operand, y: Operand) -> Any:  # noqa: ANN401 -- true, false, `None` or an array
    if isinstance(x, np.ndarray) or isinstance(y, np.ndarray):
        one, other = _truth(x, "x"), _truth(y, "y")
        return nullable(one != other, np.isnan(one) | np.isnan(other))
    return None if x is None or y is None else bool(both(either(x, y), negate(both(x, y))))


def negate(x: Operand) -> Any:  # noqa: ANN401 -- true, false, `None` or an array
    """Return the opposite of a truth value (`not`)."""
    if isinstance(x, np.ndarray):
        truth = _truth(x, "x")
        return nullable(truth == 0, np.isnan(truth))
    if x is not None and not isinstance(x, bool):
        raise invalid("x", f"{shorten(x)} is not true or false")
    return None if x is None else not x


def choose(value: Operand, accept: Any, reject: Any = None) -> Any:  # noqa: ANN401 -- any value
    """Return `accept` if a value is true, else `reject`, also for no data (`if`)."""
    if not isinstance(value, np.ndarray):
        if value is not None and not isinstance(value, bool):
            raise invalid("value", f"{shorten(value)} is not true or false")
        return accept if value else reject
    branches = [np.nan if branch is None else branch for branch in (accept, reject)]
    if not all(isinstance(branch, np.ndarray | bool | int | float) for branch in branches):
        raise invalid("accept, reject", "only numbers, true, false and null are accepted for the cells of a cube")
    first, last = (as_number(branch) if isinstance(branch, np.ndarray) else branch for branch in branches)
    if isinstance(accept, bool) and isinstance(reject, bool):
        return np.where(_truth(value, "value") == 1, accept, reject)
    dtype = np.result_type(*(b.dtype if isinstance(b, np.ndarray) else as_number(value).dtype for b in (first, last)))
    return np.where(_truth(value, "value") == 1, np.asarray(first, dtype=dtype), np.asarray(last, dtype=dtype))


def _is_nan(x: Operand) -> Any:  # noqa: ANN401 -- true, false or an array
    if isinstance(x, np.ndarray):
        return np.asarray(np.isnan(as_number(x)))
    return isinstance(x, float) and math.isnan(x)


def _is_no_data(x: Operand) -> Any:  # noqa: ANN401 -- true, false or an array
    return np.asarray(np.isnan(as_number(x))) if isinstance(x, np.ndarray) else x is None


def is_valid(x: Operand) -> Any:  # noqa: ANN401 -- true, false or an array
    """Return whether a value is not missing, NaN or infinite."""
    if isinstance(x, np.ndarray):
        return np.asarray(np.isfinite(as_number(x)))
    return x is not None and not (isinstance(x, float) and not math.isfinite(x))


def _is_infinite(x: Operand) -> Any:  # noqa: ANN401 -- true, false or an array
    if isinstance(x, np.ndarray):
        return np.asarray(np.isinf(as_number(x)))
    return isinstance(x, float) and math.isinf(x)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "absolute": _elementwise(np.abs, "x"),
    "add": _elementwise(np.add, "x", "y"),
    "arccos": _elementwise(np.arccos, "x"),
    "arcosh": _elementwise(np.arccosh, "x"),
    "arcsin": _elementwise(np.arcsin, "x"),
    "arctan": _elementwise(np.arctan, "x"),
    "arctan2": _elementwise(np.arctan2, "y", "x"),
    "arsinh": _elementwise(np.arcsinh, "x"),
    "artanh": _elementwise(np.arctanh, "x"),
    "ceil": _elementwise(np.ceil, "x"),
    "clip": _elementwise(_clip, "x", "min", "max"),
    "cos": _elementwise(np.cos, "x"),
    "cosh": _elementwise(np.cosh, "x"),
    "divide": _elementwise(np.divide, "x", "y"),
    "exp": _elementwise(np.exp, "p"),
    "floor": _elementwise(np.floor, "x"),
    "int": _elementwise(np.trunc, "x"),
    "linear_scale_range": _elementwise(_scale, "x", "inputMin", "inputMax", outputMin=0, outputMax=1),
    "ln": _elementwise(np.log, "x"),
    "log": _elementwise(_log, "x", "base"),
    "mod": _elementwise(_modulo, "x", "y"),
    "multiply": _elementwise(np.multiply, "x", "y"),
    "normalized_difference": _elementwise(_normalized_difference, "x", "y"),
    "power": _elementwise(_power, "base", "p"),
    "round": _elementwise(_round, "x", p=0),
    "sgn": _elementwise(np.sign, "x"),
    "sin": _elementwise(np.sin, "x"),
    "sinh": _elementwise(np.sinh, "x"),
    "sqrt": _elementwise(np.sqrt, "x"),
    "subtract": _elementwise(np.subtract, "x", "y"),
    "tan": _elementwise(np.tan, "x"),
    "tanh": _elementwise(np.tanh, "x"),
    "and": both,
    "between": _is_between,
    "constant": lambda x: x,
    "e": lambda: math.e,
    "eq": is_equal,
    "gt": _compare(np.greater),
    "gte": _compare(np.greater_equal),
    "if": choose,
    "is_infinite": _is_infinite,
    "is_nan": _is_nan,
    "is_nodata": _is_no_data,
    "is_valid": is_valid,
    "lt": _compare(np.less),
    "lte": _compare(np.less_equal),
    "nan": lambda: math.nan,
    "neq": _differs,
    "not": negate,
    "or": either,
    "pi": lambda: math.pi,
    "xor": _exclusive,
}

NUMBERS: Mapping[str, GraphProcess] = {name: GraphProcess(name, function) for name, function in _FUNCTIONS.items()}
"""Processes by name."""
