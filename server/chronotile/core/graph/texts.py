"""Processes on texts."""

import json
from bisect import bisect_right
from collections.abc import Callable, Mapping
from itertools import accumulate
from typing import Any

from chronotile.core.graph.errors import invalid, shorten
from chronotile.core.graph.values import GraphProcess, require_text

MAX_TEXT_LENGTH = 1_000_000
"""Maximum number of characters of a text."""


def text_concat(data: Any, separator: Any = "") -> str:  # noqa: ANN401 -- checked here
    """Return the values of a list as one text; numbers, true, false and null as in JSON."""
    if not isinstance(data, list):
        raise invalid("data", f"{shorten(data)} is not a list")
    between = _text_of(separator, "separator")
    texts = [_text_of(value, "data") for value in data]
    length = sum(map(len, texts)) + len(between) * max(0, len(texts) - 1)
    if length > MAX_TEXT_LENGTH:
        raise invalid("data", f"the text would have {length} characters; at most {MAX_TEXT_LENGTH} are accepted")
    return between.join(texts)


def text_find(data: Any, pattern: Any, case_sensitive: bool = True) -> int | None:  # noqa: ANN401 -- published
    """Return the position of a text in another one; `None` if it is missing, or with no data."""
    if data is None:
        return None
    text, part = _fold(data, "data", case_sensitive), _fold(pattern, "pattern", case_sensitive)
    position = text.find(part)
    if position < 0:
        return None
    if len(text) == len(data):
        return position
    # Folding made characters longer, such as ß: count the characters before the position.
    return bisect_right(list(accumulate(len(character.casefold()) for character in data)), position)


def _test(test: Callable[[str, str], bool]) -> Callable[..., Any]:
    def call(data: Any, pattern: Any, case_sensitive: bool = True) -> bool | None:  # noqa: ANN401 -- published
        if data is None:
            return None
        return test(_fold(data, "data", case_sensitive), _fold(pattern, "pattern", case_sensitive))

    return call


def _fold(value: object, argument: str, is_case_sensitive: bool) -> str:
    text = require_text(value, argument)
    if len(text) > MAX_TEXT_LENGTH:
        raise invalid(argument, f"it has {len(text)} characters; at most {MAX_TEXT_LENGTH} are accepted")
    return text if is_case_sensitive else text.casefold()


def _text_of(value: object, argument: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, bool | int | float | None):
        raise invalid(argument, f"{shorten(value)} is not accepted; accepted are texts, numbers, true, false and null")
    return json.dumps(value)


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "text_begins": _test(str.startswith),
    "text_concat": text_concat,
    "text_contains": _test(str.__contains__),
    "text_ends": _test(str.endswith),
    "text_find": text_find,
}

TEXTS: Mapping[str, GraphProcess] = {name: GraphProcess(name, function) for name, function in _FUNCTIONS.items()}
"""Processes by name."""
