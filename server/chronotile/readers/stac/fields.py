"""Values of STAC documents, which are not trusted: of the expected type and within bounds, or `None`."""

import marshal
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from chronotile.errors import InvalidItem

Document = Mapping[str, Any]
"""A JSON object."""

MAX_BYTES = 4 << 20
"""Of a document."""
AROUND = 8
"""Lists and objects that an answer may put around a document: writing JSON ends at some depth."""
MOST_KEY = 2048
"""Bytes of a key."""
MAX_TEXT = 4000
"""Characters of a text that is used."""
MAX_MEMBERS = 1000
"""Of a list or object that is used, such as assets or bands."""


def written_document(document: Document) -> bytes:
    """Return a JSON object as bytes.

    Raises:
        InvalidItem: It is too large, too deep, or holds what JSON cannot express.
    """
    try:
        content = orjson.dumps([[[[[[[[document]]]]]]]])[AROUND:-AROUND]  # which answers can still write
    except orjson.JSONEncodeError as error:
        raise InvalidItem(f"the document cannot be stored: {error}") from error
    if len(content) > MAX_BYTES:
        raise InvalidItem(f"the document has {len(content)} bytes; at most {MAX_BYTES} are accepted")
    return content


def key_of_values(values: Any) -> bytes:  # noqa: ANN401 -- JSON
    """Return values of JSON as the key of a cache, which tells 1 from 1.0 and true; empty of large or other values."""
    try:
        key = marshal.dumps(values, 2)
    except ValueError:
        return b""
    return key if len(key) <= MOST_KEY else b""


def values_of_key(key: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Return the values of a key, of which none may be changed."""
    return marshal.loads(key)  # noqa: S302 -- written above, in this process


def text_of(value: object, *, most: int = MAX_TEXT) -> str | None:
    """Return text that is not empty and not too long."""
    return value if isinstance(value, str) and 0 < len(value) <= most else None


def number_of(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def numbers_of(value: object, *counts: int) -> tuple[float, ...] | None:
    """Return a list of finite numbers, as many as one of `counts` says."""
    if not isinstance(value, list | tuple) or len(value) not in counts:
        return None
    numbers = tuple(number for number in map(number_of, value) if number is not None)
    return numbers if len(numbers) == len(value) else None


def object_of(value: object) -> Document:
    """Return a JSON object; without members where it is none."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> Sequence[object]:
    """Return a list, cut off beyond `MAX_MEMBERS`; an empty one where it is none."""
    return value[:MAX_MEMBERS] if isinstance(value, list | tuple) else ()


def texts_of(value: object) -> tuple[str, ...]:
    """Return the texts of a list."""
    return tuple(text for text in map(text_of, list_of(value)) if text is not None)


def objects_of(value: object) -> Iterator[Document]:
    """Yield the JSON objects of a list."""
    return (each for each in list_of(value) if isinstance(each, Mapping))
