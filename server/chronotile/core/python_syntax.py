"""Python expressions as syntax trees."""

import ast
import threading

_LOCK = threading.Lock()
"""CPython counts the depth of a tree for all threads together, so two concurrent parsers may raise SystemError."""


def parse_python(text: str) -> ast.expr:
    """Return the tree of an expression.

    Raises:
        SyntaxError: The text is not an expression.
        ValueError: It has null characters.
        RecursionError: It is nested too deeply; `MemoryError` as well.
    """
    with _LOCK:
        return ast.parse(text, mode="eval").body
