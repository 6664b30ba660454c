"""References as a JSON document: each key of a Zarr store has bytes in the document or a range of a file."""

import ast
import base64
import binascii
import json
import math
import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

from chronotile.core.errors import UnsupportedSource
from chronotile.core.python_syntax import parse_python

# Texts with expressions in double braces, which references use for addresses: names, integers, arithmetic.

Value = str | int

MAX_TEXT = 4096
"""Maximum characters of a text, before and after rendering."""
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
    rendered = _BRACES.sub(lambda x: str(_evaluate(x[1].strip(), names)), text)
    if len(rendered) > MAX_TEXT:
        raise UnsupportedSource(f"a rendered template has more than {MAX_TEXT} characters")
    return rendered


def _evaluate(expression: str, names: Mapping[str, Value]) -> Value:
    if len(expression) > MAX_EXPRESSION:
        raise UnsupportedSource(f"an expression of a template has more than {MAX_EXPRESSION} characters")
    try:
        return _value(parse_python(expression), names)
    except (SyntaxError, ValueError, TypeError, KeyError, ZeroDivisionError, RecursionError, MemoryError) as error:
        raise UnsupportedSource(
            f"the expression {expression!r} of a template is not supported; accepted are names, whole numbers, "
            "+ - * // % and names with keyword arguments"
        ) from error


def _value(node: ast.expr, names: Mapping[str, Value]) -> Value:
    if isinstance(node, ast.Constant) and isinstance(node.value, str | int):
        return node.value
    if isinstance(node, ast.Name):
        return _require_no_braces(names[node.id])
    if isinstance(node, ast.BinOp):
        return _number(_OPERATORS[type(node.op)](_operand(node.left, names), _operand(node.right, names)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_operand(node.operand, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        arguments = {str(k.arg): _value(k.value, names) for k in node.keywords}
        # A template sees its arguments alone, so none can call another.
        return render(str(names[node.func.id]), arguments)
    raise ValueError


def _require_no_braces(value: Value) -> Value:
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


MAX_DOCUMENT_BYTES = 64 << 20
MAX_REFERENCES = 1_000_000
"""Maximum number of references of a document, including those from `gen`."""

REMEDY = "write the references as Parquet, of which a part is read at a time"


class ByteRange(NamedTuple):
    """A part of a file."""

    address: str
    offset: int
    size: int | None
    """`None`: the whole file."""


Entry = bytes | ByteRange


def read_references(document: bytes) -> dict[str, Entry]:
    """Return the content of each key: bytes in the document itself, or a range of a file.

    Args:
        document: JSON of version 0 (only keys) or 1 (`refs`, `templates`, `gen`).

    Raises:
        UnsupportedSource: It is not a document of references, or has too many.
    """
    try:
        references = json.loads(document)
        return _entries(references if "refs" in references or "gen" in references else {"refs": references})
    except UnsupportedSource:
        raise
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        raise UnsupportedSource(
            "it holds no references of kerchunk: a JSON document with the key refs is required"
        ) from error


def _entries(document: Mapping[str, Any]) -> dict[str, Entry]:
    templates: dict[str, Value] = {str(name): str(text) for name, text in (document.get("templates") or {}).items()}
    written = document.get("refs") or {}
    generators = document.get("gen") or []
    count = len(written) + sum(math.prod(len(_values(of)) for of in g["dimensions"].values()) for g in generators)
    if count > MAX_REFERENCES:
        raise UnsupportedSource(f"at most {MAX_REFERENCES} references in a JSON document, {count} found; {REMEDY}")
    rendered: dict[str, str] = {}
    entries = {key: _entry(w, templates, rendered) for key, w in written.items()}
    for generator in generators:
        entries.update(_generate_entries(generator, templates))
    return entries


def _entry(written: object, templates: Mapping[str, Value], rendered: dict[str, str]) -> Entry:
    """Return the content of a key; `rendered` caches addresses by their text before rendering."""
    if isinstance(written, str):
        return _inline(written)
    if isinstance(written, dict):
        return json.dumps(written).encode()
    if isinstance(written, list) and len(written) in {1, 3} and isinstance(written[0], str):
        address = rendered.get(written[0])
        if address is None:
            address = rendered[written[0]] = render(written[0], templates)
        return _range(address, *written[1:])
    raise ValueError


def _inline(text: str) -> bytes:
    if not text.startswith("base64:"):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix("base64:"), validate=True)
    except binascii.Error as error:
        raise UnsupportedSource("a reference has data that are not valid base64") from error


def _range(address: str, offset: int = 0, size: int | None = None) -> ByteRange:
    if type(offset) is not int or offset < 0 or (size is not None and (type(size) is not int or size < 0)):
        raise UnsupportedSource(f"a reference has offset {offset!r} and size {size!r}; whole numbers are required")
    return ByteRange(address, offset, size)


def _values(values: Sequence[Value] | Mapping[str, int]) -> Sequence[Value]:
    if isinstance(values, Mapping):
        return range(values.get("start", 0), values["stop"], values.get("step", 1))
    if not isinstance(values, list) or not all(isinstance(v, str | int) for v in values):
        raise ValueError
    return values


def _generate_entries(generator: Mapping[str, Any], templates: Mapping[str, Value]) -> Iterator[tuple[str, Entry]]:
    """Yield the references of all combinations of a generator's dimensions."""
    if ("offset" in generator) != ("length" in generator):
        raise UnsupportedSource("an entry of gen has one of offset and length; both or neither are required")
    dimensions = generator["dimensions"]
    for values in product(*map(_values, dimensions.values())):
        names = {**templates, **dict(zip(dimensions, values, strict=True))}
        numbers = [int(render(str(generator[key]), names)) for key in ("offset", "length") if key in generator]
        yield render(generator["key"], names), _range(render(generator["url"], names), *numbers)
