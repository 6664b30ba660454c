"""Text with expressions in double braces, as references use it for addresses: names, whole numbers, arithmetic."""

import ast
import operator
import re
from collections.abc import Callable, Mapping

from chronotile.errors import UnsupportedSource

Value = str | int

MAX_TEXT = 4096
"""Characters of a text, as it is written and as it is rendered."""
MAX_EXPRESSION = 200
MAX_NUMBER = 1 << 63

_BRACES = re.compile(r"\{\{(.*?)\}\}")
_OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}


def render(text: str, names: Mapping[str, Value]) -> str:
    """Return a text with its expressions replaced by their values.

    Args:
        text: Such as `s3://{{bucket}}/{{i + 1}}.nc`, or `{{place(date='2024')}}` of a name whose text has expressions.
        names: What expressions may name.

    Raises:
        UnsupportedSource: An expression is not one of those, or its names are unknown.
    """
    if "{{" not in text:
        return text
    if len(text) > MAX_TEXT:
        raise UnsupportedSource(f"a template has more than {MAX_TEXT} characters")
    rendered = _BRACES.sub(lambda found: str(_evaluate(found[1].strip(), names)), text)
    if len(rendered) > MAX_TEXT:
        raise UnsupportedSource(f"a rendered template has more than {MAX_TEXT} characters")
    return rendered


def _evaluate(expression: str, names: Mapping[str, Value]) -> Value:
    if len(expression) > MAX_EXPRESSION:
        raise UnsupportedSource(f"an expression of a template has more than {MAX_EXPRESSION} characters")
    try:
        return _value(ast.parse(expression, mode="eval").body, names)
    except (SyntaxError, ValueError, TypeError, KeyError, ZeroDivisionError, RecursionError, MemoryError) as error:
        raise UnsupportedSource(
            f"the expression {expression!r} of a template is not supported; accepted are names, whole numbers, "
            "+ - * // % and names with keyword arguments"
        ) from error


def _value(node: ast.expr, names: Mapping[str, Value]) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        return node.value
    if isinstance(node, ast.Name):
        return _without_braces(names[node.id])
    if isinstance(node, ast.BinOp):
        return _number(_OPERATORS[type(node.op)](_operand(node.left, names), _operand(node.right, names)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_operand(node.operand, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        arguments = {str(each.arg): _value(each.value, names) for each in node.keywords}
        # A template sees its arguments alone, so none can call another.
        return render(str(names[node.func.id]), arguments)
    raise ValueError


def _without_braces(value: Value) -> Value:
    if isinstance(value, str) and "{{" in value:
        raise ValueError
    return value


def _operand(node: ast.expr, names: Mapping[str, Value]) -> int:
    value = _value(node, names)
    if not isinstance(value, int):
        raise TypeError
    return value


def _number(value: int) -> int:
    if abs(value) >= MAX_NUMBER:
        raise ValueError
    return value
