"""Values that query parameters of several protocols contain: numbers, boxes, ranges, words."""

import math
import re
from collections.abc import Iterable

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.space.boxes import BBox

_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def integer(text: str, *, locator: str, least: int | None = None) -> int:
    """Return a whole number.

    Raises:
        InvalidParameter: The text is not a whole number, or the number is below `least`.
    """
    if not _INTEGER.fullmatch(text):
        raise InvalidParameter(f"{locator} must be a whole number, got {text[:MAX_SHOWN]!r}", locator=locator)
    value = int(text)
    if least is not None and value < least:
        raise InvalidParameter(f"{locator} must be at least {least}, got {text[:MAX_SHOWN]}", locator=locator)
    return value


def number(text: str, *, locator: str) -> float:
    """Return a finite number in decimal or exponential notation.

    Raises:
        InvalidParameter: The text is not a finite number.
    """
    value = float(text) if len(text) <= 64 and _NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(value):
        raise InvalidParameter(f"{locator} must be a finite number, got {text[:MAX_SHOWN]!r}", locator=locator)
    return value


def numbers(text: str, count: int, *, locator: str) -> tuple[float, ...]:
    """Return `count` numbers separated by commas.

    Raises:
        InvalidParameter: The count is different, or a number is not finite.
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != count:
        message = f"{locator} takes {count} numbers separated by commas, got {text[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator=locator)
    return tuple(number(part, locator=locator) for part in parts)


def bbox(text: str, *, locator: str, may_cross: bool = False) -> BBox:
    """Return four numbers as a box that is not empty.

    Args:
        text: `xmin,ymin,xmax,ymax`.
        locator: Name of the parameter, for messages.
        may_cross: Whether xmin may exceed xmax (a box across the antimeridian).

    Raises:
        InvalidParameter: A value is not a number, or a minimum is not less than its maximum.
    """
    box = BBox(*numbers(text, 4, locator=locator))
    if box.xmin == box.xmax or (box.xmin > box.xmax and not may_cross) or box.ymin >= box.ymax:
        message = f"{locator} {text[:MAX_SHOWN]} is empty: each minimum must be less than its maximum"
        raise InvalidParameter(message, locator=locator)
    return box


def value_range(text: str, *, locator: str) -> tuple[float, float]:
    """Return the ends of the range `low,high`.

    Raises:
        InvalidParameter: The text is not two ascending numbers with a finite difference.
    """
    low, high = numbers(text, 2, locator=locator)
    if low >= high or not math.isfinite(high - low):
        raise InvalidParameter(f"{locator} must be in ascending order, got {text[:MAX_SHOWN]!r}", locator=locator)
    return low, high


def choice(text: str, accepted: Iterable[str], *, locator: str) -> str:
    """Return `text` if it is one of `accepted`.

    Raises:
        InvalidParameter: It is not accepted.
    """
    options = list(accepted)
    if text not in options:
        message = f"{locator} {text[:MAX_SHOWN]!r} is not accepted; use {', '.join(options)}"
        raise InvalidParameter(message, locator=locator)
    return text
