"""JSON from clients, possibly with millions of lists, parsed in limited memory."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeGuard

import orjson

from chronotile.core.errors import require_at_most
from chronotile.core.model.geometry.json_estimates import memory_of_json

MAX_PARSED_BYTES = 192 << 20
"""Maximum memory of a body and its parsed content: the memory of large answers, and the reserve for bodies."""
UNCOUNTED_BYTES = 1 << 16
"""Texts up to this size are parsed without an estimate of their contents."""


def load_json(text: bytes, *, locator: str | None = None) -> Any:  # noqa: ANN401 -- any JSON
    """Parse a UTF-8 text as JSON.

    Garbage collection is paused: nested lists contain no garbage, but the search in millions of new lists takes six
    times as long as their creation, in one step of the interpreter that blocks all other threads.

    Args:
        text: Its memory is estimated before it is parsed.
        locator: Name of the parameter, for errors.

    Raises:
        orjson.JSONDecodeError: The text is not valid JSON.
        LimitExceeded: It would take more memory than is available for a body.
    """
    require_room(len(text) if len(text) <= UNCOUNTED_BYTES else memory_of_json(text), locator=locator)
    with pause_garbage_collection():
        return orjson.loads(text)


@contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Pause garbage collection while many objects are created: a search in them takes several times as long."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()  # possibly after another thread did, which only costs time


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a JSON value is a number. `true` is not, although it is an integer in Python."""
    return isinstance(value, int | float) and not isinstance(value, bool)


MAX_ID_LENGTH = 200
"""Maximum length of a place's id, which tables of series repeat at each time."""
ID_FORM = f"a number or text of at most {MAX_ID_LENGTH} characters"


def is_id(value: object) -> TypeGuard[str | float]:
    """Return whether a JSON value may be the id of a place (`ID_FORM`)."""
    return len(value) <= MAX_ID_LENGTH if isinstance(value, str) else is_number(value)


def require_room(size: int, *, locator: str | None) -> None:
    """Check that a body and its parsed content fit into the memory for bodies.

    Raises:
        LimitExceeded: They do not fit.
    """
    alternative = "send fewer features, properties or positions at once"
    require_at_most("memory of one body in bytes", size, MAX_PARSED_BYTES, alternative=alternative, locator=locator)
