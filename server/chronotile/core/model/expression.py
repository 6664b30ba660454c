"""Arithmetic over variables, written as text: parsed with a whitelist of Python's grammar, computed with numpy.

Two checks protect the server: texts may only have the characters and words of arithmetic, and Python's syntax tree may
only have the nodes listed here. Nothing is passed to `eval`.
"""

import ast
import difflib
import keyword
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.types import Float64Array
from chronotile.core.python_syntax import parse_python

FloatOrArray = Float64Array | np.float64
Compute = Callable[..., FloatOrArray]

MAX_TEXT = 1000
MAX_NODES = 250
MAX_DEPTH = 64

_TOKEN = re.compile(
    r" |(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])|[A-Za-z_]\w*|\*\*|//|[<>=!]=|[-+*/%()<>&|~,]", re.ASCII
)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_CONSTANTS = {"pi": np.pi, "nan": np.nan}
_NUMBERS: Mapping[type[ast.AST], Compute] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.FloorDiv: np.floor_divide,
    ast.Mod: np.mod,
    ast.Pow: np.power,
    ast.USub: np.negative,
    ast.UAdd: np.positive,
}


def _comparison(ufunc: np.ufunc) -> Compute:
    # NaN (undecided) if either side has no value.
    return lambda first, second: np.where(np.isnan(first) | np.isnan(second), np.nan, ufunc(first, second))


def _not(truth: FloatOrArray) -> FloatOrArray:
    return np.subtract(1.0, truth)


def _where(condition: FloatOrArray, chosen: FloatOrArray, otherwise: FloatOrArray) -> FloatOrArray:
    return np.where(np.isnan(condition), np.nan, np.where(condition == 1.0, chosen, otherwise))


def _clip(values: FloatOrArray, low: FloatOrArray, high: FloatOrArray) -> FloatOrArray:
    return np.minimum(np.maximum(values, low), high)


def _several(ufunc: np.ufunc) -> Compute:
    return lambda *values: reduce(ufunc, values)


# Truths are 1.0 or 0.0, and NaN if undecided, so that minimum and maximum are `and` and `or`.
_TRUTHS: Mapping[type[ast.AST], Compute] = {
    ast.And: _several(np.minimum),
    ast.Or: _several(np.maximum),
    ast.BitAnd: np.minimum,
    ast.BitOr: np.maximum,
    ast.Not: _not,
    ast.Invert: _not,
}
_COMPARISONS: Mapping[type[ast.AST], Compute] = {
    ast.Lt: _comparison(np.less),
    ast.LtE: _comparison(np.less_equal),
    ast.Gt: _comparison(np.greater),
    ast.GtE: _comparison(np.greater_equal),
    ast.Eq: _comparison(np.equal),
    ast.NotEq: _comparison(np.not_equal),
}


@dataclass(frozen=True, slots=True)
class _Function:
    compute: Compute
    least: int = 1
    """Minimum number of arguments; `most` is the maximum."""
    most: int = 1
    takes_truth: bool = False
    """Whether the first argument is a condition."""
    gives_truth: bool = False


_FUNCTIONS: Mapping[str, _Function] = {
    "abs": _Function(np.abs),
    "sqrt": _Function(np.sqrt),
    "exp": _Function(np.exp),
    "log": _Function(np.log),
    "log2": _Function(np.log2),
    "log10": _Function(np.log10),
    "sin": _Function(np.sin),
    "cos": _Function(np.cos),
    "tan": _Function(np.tan),
    "asin": _Function(np.arcsin),
    "acos": _Function(np.arccos),
    "atan": _Function(np.arctan),
    "atan2": _Function(np.arctan2, 2, 2),
    "floor": _Function(np.floor),
    "ceil": _Function(np.ceil),
    "round": _Function(np.rint),
    "sign": _Function(np.sign),
    "min": _Function(_several(np.minimum), 2, 100),
    "max": _Function(_several(np.maximum), 2, 100),
    "clip": _Function(_clip, 3, 3),
    "where": _Function(_where, 3, 3, takes_truth=True),
    "isnan": _Function(lambda values: np.isnan(values).astype(np.float64), gives_truth=True),
}

ACCEPTED = (
    "accepted are numbers, names of variables, + - * / // % **, < <= > >= == !=, and, or, not, parentheses, "
    f"{', '.join(_CONSTANTS)} and {', '.join(f'{name}()' for name in _FUNCTIONS)}"
)


@dataclass(frozen=True, slots=True)
class _Computation:
    """A part of an expression, ready to be computed."""

    compute: Callable[[Mapping[str, Float64Array]], FloatOrArray]
    is_truth: bool = False


@dataclass(frozen=True, slots=True)
class Expression:
    """Arithmetic over variables. Expressions are equal if their texts are, apart from spaces."""

    text: str
    names: tuple[str, ...]
    """Names of the variables, at least one, in the order of the text."""
    _root: _Computation = field(repr=False, compare=False)

    def evaluate(self, values: Mapping[str, Float64Array]) -> Float64Array:
        """Return the result per cell, NaN if it is not finite.

        A cell has a value if all numbers that its result depends on exist. `where` depends only on the branch that its
        condition selects, and `isnan` always has a result.

        Args:
            values: Physical values by variable, NaN if missing; equal shapes.
        """
        with np.errstate(all="ignore"):
            result = np.asarray(self._root.compute(values), dtype=np.float64)
        return np.where(np.isfinite(result), result, np.nan)


def parse_expression(text: str, names: Collection[str] | None = None) -> Expression:
    """Parse an expression.

    Args:
        text: At most 1,000 characters.
        names: The available variables; `None` accepts any name.

    Raises:
        InvalidParameter: The text is not an expression. The message states the fault and the accepted grammar.
    """
    plain = " ".join(text[: MAX_TEXT + 1].split())
    if len(text) > MAX_TEXT:
        raise _refusal(f"the expression is longer than {MAX_TEXT} characters")
    _check_characters(plain)
    try:
        tree = parse_python(plain)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = (
            f"{error.msg} (in a URL a + is written %2B)"
            if isinstance(error, SyntaxError)
            else "it is nested too deeply"
        )
        raise _refusal(f"{plain[:MAX_SHOWN]!r} is not a valid expression: {reason}; {ACCEPTED}") from error
    _check_size(tree)
    reader = _ExpressionReader(names)
    root = reader.step(tree)
    if not reader.variables:
        raise _refusal(f"{plain[:MAX_SHOWN]!r} names no variable")
    return Expression(ast.unparse(tree), tuple(reader.variables), root)


def can_be_named(variable: str) -> bool:
    """Return whether an expression can name a variable: letters, digits and `_`, no digit first, not a keyword."""
    return bool(_NAME.fullmatch(variable)) and variable not in _WORDS


_WORDS = {*keyword.kwlist, *_CONSTANTS}


def _refusal(message: str) -> InvalidParameter:
    return InvalidParameter(message, locator="expression")


def _check_characters(text: str) -> None:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _refusal(f"{text[position : position + 20]!r} is not allowed in an expression; {ACCEPTED}")
        position = match.end()


def _check_size(tree: ast.expr) -> None:
    """Refuse large and deep trees before recursive functions walk over them."""
    level: list[ast.AST] = [tree]
    count = depth = 0
    while level:
        expressions = sum(isinstance(node, ast.expr) for node in level)
        count, depth = count + expressions, depth + bool(expressions)
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise _refusal(f"the expression has more than {MAX_NODES} parts or is nested deeper than {MAX_DEPTH}")
        level = [child for node in level for child in ast.iter_child_nodes(node)]


class _ExpressionReader:
    """Converter of the accepted syntax nodes to computations; refuses all other nodes."""

    def __init__(self, names: Collection[str] | None) -> None:
        self._names = names
        self.variables: dict[str, None] = {}
        """Variables in the order of the text."""

    def step(self, node: ast.AST) -> _Computation:
        """Return the computation of a node."""
        read = _NODES.get(type(node))
        if read is None:
            raise _node_refusal(node)
        return read(self, node)

    def constant(self, node: ast.Constant) -> _Computation:
        """A number."""
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise _node_refusal(node)
        try:
            value = np.float64(node.value)
        except OverflowError:
            value = np.float64(np.inf)
        if not np.isfinite(value):
            raise _refusal("a number of the expression is too large")
        return _Computation(lambda _values: value)

    def name(self, node: ast.Name) -> _Computation:
        """A variable or a named constant."""
        name = node.id
        if name in _CONSTANTS:
            constant = np.float64(_CONSTANTS[name])
            return _Computation(lambda _values: constant)
        if self._names is not None and name not in self._names:
            near = difflib.get_close_matches(name[:MAX_SHOWN], self._names, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            usable = ", ".join(sorted(filter(can_be_named, self._names))[:20])
            raise _refusal(f"{name[:MAX_SHOWN]!r} is not a variable of the collection{hint}; it has {usable}")
        self.variables[name] = None
        return _Computation(lambda values: values[name])

    def binary(self, node: ast.BinOp) -> _Computation:
        """`+ - * / // % **`, or `& |` between conditions."""
        return _apply_operator(node.op, [self.step(side) for side in (node.left, node.right)], node)

    def unary(self, node: ast.UnaryOp) -> _Computation:
        """`+ -`, or `not ~` before a condition."""
        return _apply_operator(node.op, [self.step(node.operand)], node)

    def logical(self, node: ast.BoolOp) -> _Computation:
        """`and or` between conditions."""
        return _apply_operator(node.op, [self.step(operand) for operand in node.values], node)

    def comparison(self, node: ast.Compare) -> _Computation:
        """`a < b`, or a chain of them."""
        operators = [_COMPARISONS[type(op)] for op in node.ops if type(op) in _COMPARISONS]
        if len(operators) < len(node.ops):
            raise _node_refusal(node)
        steps = [self.step(side).compute for side in (node.left, *node.comparators)]

        def compute(values: Mapping[str, Float64Array]) -> FloatOrArray:
            sides = [step(values) for step in steps]
            pairs = zip(operators, sides, sides[1:], strict=False)
            return reduce(np.minimum, [operator(first, second) for operator, first, second in pairs])

        return _Computation(compute, is_truth=True)

    def call(self, node: ast.Call) -> _Computation:
        """A function of the list."""
        function = _FUNCTIONS.get(node.func.id) if isinstance(node.func, ast.Name) else None
        if function is None or node.keywords:
            raise _node_refusal(node)
        if not function.least <= len(node.args) <= function.most:
            expected = f"{function.least}" if function.least == function.most else f"at least {function.least}"
            raise _refusal(f"{ast.unparse(node.func)} takes {expected} arguments, got {len(node.args)}")
        steps = [self.step(argument) for argument in node.args]
        if function.takes_truth:
            _require_truth(steps[:1], node)
        return _Computation(_compose(function.compute, steps), function.gives_truth)


def _apply_operator(operator: ast.AST, steps: list[_Computation], node: ast.expr) -> _Computation:
    is_truth = type(operator) in _TRUTHS
    compute = _TRUTHS.get(type(operator)) or _NUMBERS.get(type(operator))
    if compute is None:
        raise _node_refusal(node)
    if is_truth:
        _require_truth(steps, node)
    return _Computation(_compose(compute, steps), is_truth)


def _require_truth(steps: list[_Computation], node: ast.expr) -> None:
    """Refuse operands that are not conditions: in `a > 1 & b > 2`, Python binds `&` tighter than `>`."""
    if not all(step.is_truth for step in steps):
        raise _refusal(
            f"{ast.unparse(node)[:MAX_SHOWN]!r} needs conditions such as (NIR > 0.2); with & and | put each in "
            "parentheses"
        )


def _node_refusal(node: ast.AST) -> InvalidParameter:
    return _refusal(f"{ast.unparse(node)[:MAX_SHOWN]!r} is not allowed in an expression; {ACCEPTED}")


def _compose(compute: Compute, steps: list[_Computation]) -> Callable[[Mapping[str, Float64Array]], FloatOrArray]:
    parts = [step.compute for step in steps]
    return lambda values: compute(*(part(values) for part in parts))


_NODES: Mapping[type[ast.AST], Callable[[_ExpressionReader, Any], _Computation]] = {
    ast.Constant: _ExpressionReader.constant,
    ast.Name: _ExpressionReader.name,
    ast.BinOp: _ExpressionReader.binary,
    ast.UnaryOp: _ExpressionReader.unary,
    ast.BoolOp: _ExpressionReader.logical,
    ast.Compare: _ExpressionReader.comparison,
    ast.Call: _ExpressionReader.call,
}
