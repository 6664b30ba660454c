"""JSON from clients, of millions of lists for some, parsed in bounded memory."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import orjson

from chronotile.errors import LimitExceeded
from chronotile.model.geometry.geojson_size import MAX_PARSED_BYTES, memory_of_json

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
    with without_garbage_collection():
        return orjson.loads(text)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Make many objects that hold no garbage: to look for some would take several times as long as to make them."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()  # which another thread may have done already: that takes time alone


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value of JSON is a number: `true` is none, though Python counts it among its integers."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def require_room(size: int, *, locator: str | None) -> None:
    """Check that a body with what it is parsed into takes no more memory than there is for it.

    Raises:
        LimitExceeded: It does.
    """
    if size > MAX_PARSED_BYTES:
        raise LimitExceeded(
            "memory of one body in bytes",
            allowed=MAX_PARSED_BYTES,
            needed=size,
            alternative="send fewer features, properties or positions at once",
            locator=locator,
        )
