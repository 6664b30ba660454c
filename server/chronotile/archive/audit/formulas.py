"""Formulas, computed apart of audited values: Python's grammar and numpy alone, nothing of `model.expression`."""

import ast
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from chronotile.archive.audit.sources import FloatArray, Truth
from chronotile.errors import UnsupportedSource

OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: lambda first, second: first + second,
    ast.Sub: lambda first, second: first - second,
    ast.Mult: lambda first, second: first * second,
    ast.Div: np.divide,
    ast.Pow: np.power,
    ast.USub: lambda value: -value,
    ast.UAdd: lambda value: value,
}
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "abs": np.abs,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
    "log10": np.log10,
    "min": lambda *values: reduce(np.minimum, values),
    "max": lambda *values: reduce(np.maximum, values),
}


class ComputedTruth(NamedTuple):
    """A formula over variables of one grid."""

    text: str
    operands: Mapping[str, Truth]

    @property
    def tells_dates(self) -> bool:
        """Whether all operands do."""
        return all(truth.tells_dates for truth in self.operands.values())

    def values(self, instant: np.datetime64 | None, index: int, x: FloatArray, y: FloatArray) -> FloatArray:
        """Return values, NaN where an operand has none or the result is not finite."""
        return computed(self.text, {name: truth.values(instant, index, x, y) for name, truth in self.operands.items()})

    def has(self, instant: np.datetime64) -> bool:
        """Return whether all operands have a date of that name."""
        return all(truth.has(instant) for truth in self.operands.values())


def computed(text: str, values: Mapping[str, FloatArray]) -> FloatArray:
    """Return a formula of values, NaN where it has no finite result.

    Raises:
        UnsupportedSource: It has more than arithmetic.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(_computed(ast.parse(text, mode="eval").body, values), dtype=np.float64)
    return np.where(np.isfinite(result), result, np.nan)


def _computed(node: ast.expr, values: Mapping[str, FloatArray]) -> Any:  # noqa: ANN401 -- an array or a number
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_computed(left, values), _computed(right, values))
        case ast.UnaryOp(op=operator, operand=operand) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_computed(operand, values))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_computed(each, values) for each in arguments))
    raise UnsupportedSource(f"its formula has {ast.unparse(node)[:40]}, which is not computed apart")
