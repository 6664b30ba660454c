"""Formulas, computed with Python's grammar and numpy only, independently of `model.expression`."""

import ast
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any, NamedTuple

import numpy as np

from chronotile.audit.truth import Truth
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Float64Array
from chronotile.core.python_syntax import parse_python

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
    """A formula over variables on one grid."""

    text: str
    operands: Mapping[str, Truth]

    @property
    def has_known_dates(self) -> bool:
        """Whether all dates of all operands are understood."""
        return all(truth.has_known_dates for truth in self.operands.values())

    def values(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Float64Array:
        """Return values, NaN if an operand has no value or the result is not finite."""
        return compute_formula(
            self.text, {name: truth.values(instant, index, x, y) for name, truth in self.operands.items()}
        )

    def has(self, instant: np.datetime64) -> bool:
        """Return whether all operands have the date."""
        return all(truth.has(instant) for truth in self.operands.values())


def compute_formula(text: str, values: Mapping[str, Float64Array]) -> Float64Array:
    """Compute a formula; NaN for results that are not finite.

    Raises:
        UnsupportedSource: The formula is not plain arithmetic.
    """
    with np.errstate(all="ignore"):
        result = np.asarray(_compute(parse_python(text), values), dtype=np.float64)
    return np.where(np.isfinite(result), result, np.nan)


def _compute(node: ast.expr, values: Mapping[str, Float64Array]) -> Any:  # noqa: ANN401 -- an array or a number
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.float64(number)
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_compute(left, values), _compute(right, values))
        case ast.UnaryOp(op=operator, operand=operand) if type(operator) in OPERATORS:
            return OPERATORS[type(operator)](_compute(operand, values))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_compute(argument, values) for argument in arguments))
    raise UnsupportedSource(f"its formula has {ast.unparse(node)[:40]}, which the audit does not compute")
