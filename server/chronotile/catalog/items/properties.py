"""Properties of items as the index compares them, and those that a collection names for searches."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from chronotile.core.model.items import IndexSettings, solar_shift_s
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Instant

INSTANT_MARK = "@"
"""Begins the name under which a property that is a time is stored once more, in nanoseconds since 1970."""
MOST_TEXT = 1000
"""Characters of a property that filters look at; longer ones are only in the document."""
NO_TEXT = re.compile("[\0\ud800-\udfff]")
LARGEST = 1e300
"""Of numbers that are stored."""
START_NAMES = ("datetime", "start_datetime")

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS

Scalar = bool | int | float | str | dict[str, str]


def nanoseconds(instant: Instant) -> int:
    """Return an instant as the index stores it."""
    return int(instant.astype("datetime64[ns]").astype(np.int64))


def group_start(start: int, box: BBox, settings: IndexSettings) -> int:
    """Return the instant of the group of an item that starts then, in nanoseconds since 1970."""
    if settings.group != "solar_day":
        return start
    return (start + solar_shift_s(box) * SECOND_NS) // DAY_NS * DAY_NS  # a third of the time of `solar_day`


def rank_of(properties: Mapping[str, Any], start: int, settings: IndexSettings) -> float | None:
    """Return by what an item is sorted among those of its instant; `None` comes last.

    Args:
        properties: As `stored_properties` returns them.
        start: Of the item, in nanoseconds since 1970.
        settings: Of its collection.
    """
    name = settings.order_by
    if name is None or name == "id":
        return None
    value = start if name in START_NAMES else properties.get(INSTANT_MARK + name, properties.get(name))
    if not isinstance(value, bool | int | float):
        return None
    return -float(value) if settings.is_descending else float(value)


def is_text(text: str) -> bool:
    """Return whether both databases can store a text: without NUL, and without halves of pairs of surrogates."""
    return NO_TEXT.search(text) is None


def stored_properties(properties: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the properties that filters and orders look at: those that are a number, a text, a time, true or false.

    Of others, such as lists, it is stored that they are there.
    """
    stored = dict[str, Scalar]()
    for name, value in properties.items():
        if not is_text(name):
            continue
        if isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < LARGEST):
            stored[name] = value
        elif isinstance(value, str) and len(value) <= MOST_TEXT and is_text(value):
            stored[name] = value
            instant = instant_in(value)
            if instant is not None:
                stored[INSTANT_MARK + name] = instant
        elif value is not None:
            stored[name] = {}
    return stored


def instant_in(text: str) -> int | None:
    """Return nanoseconds since 1970 of a time with its offset, as RFC 3339 writes it; `None` of any other text."""
    if not (20 <= len(text) <= 40 and text[4] == text[7] == "-" and text[10] in "Tt " and text[13] == ":"):
        return None
    body, fraction = text.upper(), ""
    if "." in body:
        body, _, rest = body.partition(".")
        fraction = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        body += rest[len(fraction) :]
    try:
        moment = datetime.fromisoformat(body)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    seconds = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())
    number = seconds * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
    return number if abs(number) < 1 << 63 else None
