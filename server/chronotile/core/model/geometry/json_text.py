"""JSON from clients, of millions of lists for some, parsed in bounded memory."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import numpy as np
import orjson

from chronotile.core.errors import require_at_most

UNCOUNTED_BYTES = 1 << 16
"""A text that has no more is parsed whatever it holds."""


def load_json(text: bytes, *, locator: str | None = None) -> Any:  # noqa: ANN401 -- any JSON
    """Parse a text in UTF-8 as JSON.

    Garbage collection is off meanwhile. Nested lists hold no garbage, and searching millions of new ones takes six
    times as long as making them, in one step of the interpreter during which all other threads wait.

    Args:
        text: Its memory is counted before it is parsed.
        locator: The parameter it came in.

    Raises:
        orjson.JSONDecodeError: It is not valid JSON.
        LimitExceeded: It would take more memory than is available for a body.
    """
    require_room(len(text) if len(text) <= UNCOUNTED_BYTES else memory_of_json(text), locator=locator)
    with pause_garbage_collection():
        return orjson.loads(text)


@contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Make many objects that hold no garbage: to look for some would take several times as long as to make them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()  # which another thread may have done already: that takes time alone


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value of JSON is a number: `true` is none, though Python counts it among its integers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


MAX_ID_LENGTH = 200
"""Characters of the id of a place, which tables of series repeat at each time."""
ID_FORM = f"a number or text of at most {MAX_ID_LENGTH} characters"


def is_id(value: object) -> TypeGuard[str | float]:
    """Return whether a value of JSON may be the id of a place: see `ID_FORM`."""
    return len(value) <= MAX_ID_LENGTH if isinstance(value, str) else is_number(value)


def require_room(size: int, *, locator: str | None) -> None:
    """Check that a body with what it is parsed into takes no more memory than there is for it.

    Raises:
        LimitExceeded: It does.
    """
    alternative = "send fewer features, properties or positions at once"
    require_at_most("memory of one body in bytes", size, MAX_PARSED_BYTES, alternative=alternative, locator=locator)


# How much GeoJSON holds, counted before it is taken apart, which takes ten times the memory of its text.

BYTES_AT_ONCE = 1 << 20
MAX_PARSED_BYTES = 192 << 20
"""What a body may take with what it is parsed into: the memory of large answers, and what is apart for bodies."""
VALUE_BYTES, QUOTE_BYTES, MEMBER_BYTES, LIST_BYTES, OBJECT_BYTES = 52, 20, 80, 90, 90
"""Of what is made for each comma, quote, colon, list and object."""
LEAST_BYTES = 6
"""Of a position, with its comma."""
FIRST_OF_FOUR = 0xF0
"""The least of the first bytes of characters of four bytes in UTF-8."""


def features_in(body: bytes) -> int:
    """Return how many features the text of a FeatureCollection has, or fewer."""
    return min(body.count(b'"geometry"'), body.count(b'"Feature"'))


def containers_in(body: bytes) -> int:
    """Return how many lists and objects a text has, or more; each takes 64 bytes and more, of two of its text."""
    return body.count(b"[") + body.count(b"{")


def holes_in(body: bytes) -> int:
    """Return how many rings of polygons follow another ring of the same polygon; lines in a list of lines count too."""
    text = body.translate(None, b" \t\n\r")
    return text.count(b"]],[[") - text.count(b"]]],[[[")


def memory_of_json(text: bytes) -> int:
    """Return how much memory JSON takes at most while it is parsed: the text, what orjson copies, and what is made.

    By orjson, measured with 20 MB each of lists, objects, numbers, strings and members: as much, or up to twice as much
    as it takes; 0.9 of it for numbers of one digit, and for strings with letters of two bytes.
    """
    commas, quotes, colons = (text.count(each) for each in (b",", b'"', b":"))
    values = VALUE_BYTES * commas + QUOTE_BYTES * quotes + MEMBER_BYTES * colons
    containers = LIST_BYTES * text.count(b"[") + OBJECT_BYTES * text.count(b"{")
    return (2 + text_width(text)) * len(text) + values + containers


def text_width(text: bytes) -> int:
    """Return how many bytes a character of a string takes once it is parsed, at most: 1, 2 or 4, as its widest does."""
    if text.isascii() and b"\\u" not in text:
        return 1
    widest = int(np.frombuffer(text, np.uint8).max())
    if widest >= FIRST_OF_FOUR or b"\\ud" in text or b"\\uD" in text:
        return 4
    return 2


def positions_in(body: bytes, *, more_than: int) -> int:
    """Return how many positions a text has, or fewer; 0 where it is too short for more than so many.

    Lists of numbers among the properties count too.
    """
    if len(body) < LEAST_BYTES * more_than:
        return 0
    count, last = 0, np.zeros(1, dtype=np.uint8)
    for start in range(0, len(body), BYTES_AT_ONCE):
        part = np.frombuffer(body, np.uint8, min(BYTES_AT_ONCE, len(body) - start), start)
        part = part[part > ord(" ")]
        if not part.size:
            continue
        before = np.concatenate([last, part[:-1]])
        count += int(np.count_nonzero((part == ord("]")) & (before >= ord("0")) & (before <= ord("9"))))
        last = part[-1:]
    return count
