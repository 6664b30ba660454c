"""Properties of items in the form that the index compares."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np

from chronotile.core.model.items import IndexSettings, solar_shift_s
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.types import Instant

INSTANT_MARK = "@"
"""Prefix of the name of a second copy of a property that is a time: nanoseconds since 1970."""
MAX_TEXT = 1000
"""Characters of a stored property; longer ones are only in the document."""
NO_TEXT = re.compile("[\0\ud800-\udfff]")
LARGEST = 1e300
"""Limit of stored numbers."""
START_NAMES = ("datetime", "start_datetime")

GROUPS_OF_DAYS = ("day", "solar_day")

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS

Scalar = bool | int | float | str | dict[str, str]


def nanoseconds(instant: Instant) -> int:
    """Return an instant as nanoseconds since 1970."""
    return int(instant.astype("datetime64[ns]").astype(np.int64))


def group_start(start: int, box: BBox, settings: IndexSettings) -> int:
    """Return the instant of the group of an item; `start` and the result are nanoseconds since 1970."""
    if settings.group not in GROUPS_OF_DAYS:
        return start
    shift_ns = solar_shift_s(box) * SECOND_NS if settings.group == "solar_day" else 0
    return (start + shift_ns) // DAY_NS * DAY_NS  # integers take a third of the time of datetime64


def rank_of(properties: Mapping[str, Any], start: int, settings: IndexSettings) -> float | None:
    """Return the number that orders an item among the items of its instant; items with `None` come last.

    Args:
        properties: Properties that `stored_properties` returned.
        start: Start of the item in nanoseconds since 1970.
        settings: Settings of its collection.
    """
    name = settings.order_by
    if name is None or name == "id":
        return None
    value = start if name in START_NAMES else properties.get(INSTANT_MARK + name, properties.get(name))
    if not isinstance(value, bool | int | float):
        return None
    return -float(value) if settings.is_descending else float(value)


def is_text(text: str) -> bool:
    """Return whether both databases can store a text: it has neither NUL nor single surrogates."""
    return NO_TEXT.search(text) is None


def stored_properties(properties: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the properties that filters and orders use: numbers, texts, times and booleans.

    Other values, such as lists, become `{}`, so filters know that they exist.
    """
    stored = dict[str, Scalar]()
    for name, value in properties.items():
        if not is_text(name):
            continue
        if isinstance(value, bool) or (isinstance(value, int | float) and abs(value) < LARGEST):
            stored[name] = value
        elif isinstance(value, str) and len(value) <= MAX_TEXT and is_text(value):
            stored[name] = value
            instant = instant_in(value)
            if instant is not None:
                stored[INSTANT_MARK + name] = instant
        elif value is not None:
            stored[name] = {}
    return stored


def instant_in(text: str) -> int | None:
    """Return nanoseconds since 1970 of a time of RFC 3339 with its offset; `None` for any other text."""
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
