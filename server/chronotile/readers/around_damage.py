"""Dates that can be read, out of a read of many of which one or more are damaged.

All are read at once, as ever. Only where that fails are halves read, and halves of those, until the dates that fail by
themselves are found: a year with one damaged date is read about twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from chronotile.errors import DateUnreadable
from chronotile.model.raster import (
    REASON_UNREADABLE,
    UNREADABLE_CODE,
    Codes,
    Encoding,
    Pixels,
    cell_reasons,
    pixel_codes,
    valid_pixels,
)

Read = Callable[[Sequence[int]], Pixels]
"""Gives pixels at the times of some indexes, in that order, time first."""

Tell = Callable[[int, DateUnreadable], None]
"""Takes the index of a date that cannot be read, and why."""

Part = tuple[slice, Pixels]
"""Where among the indexes, and the pixels."""


def cell_around_damage(read: Read, indexes: Sequence[int], encoding: Encoding, tell: Tell) -> Pixels:
    """Return (time,) pixels of a cell; dates that cannot be read have no value and the reason `unreadable`."""
    try:
        return read(indexes)
    except DateUnreadable as error:
        parts = _readable(read, indexes, error, tell)
    whole = _blank(parts, (len(indexes),), encoding)
    valid = np.zeros(len(indexes), dtype=bool)
    reasons: list[str | None] = [REASON_UNREADABLE] * len(indexes)
    for place, pixels in parts:
        whole.numbers[place] = pixels.numbers
        valid[place] = valid_pixels(pixels, encoding)
        reasons[place] = cell_reasons(pixels, encoding)
    return replace(whole, valid=valid, reasons=tuple(reasons))


def block_around_damage(
    read: Read, indexes: Sequence[int], encoding: Encoding, tell: Tell, *, shape: tuple[int, ...]
) -> Pixels:
    """Return (time, …) pixels, each time of a `shape`; dates that cannot be read have the code `UNREADABLE_CODE`."""
    try:
        return read(indexes)
    except DateUnreadable as error:
        parts = _readable(read, indexes, error, tell)
    whole = _blank(parts, (len(indexes), *shape), encoding)
    codes = np.full(whole.numbers.shape, UNREADABLE_CODE, dtype=np.uint8)
    names = encoding.code_names
    for place, pixels in parts:
        coded = pixel_codes(pixels, encoding)
        whole.numbers[place], codes[place], names = pixels.numbers, coded.numbers, coded.names
    return replace(whole, codes=Codes(codes, names))


def dates_around_damage(read: Read, indexes: Sequence[int], tell: Tell) -> Iterator[Part]:
    """Give the pixels of the dates that can be read, in order, as parts that were read at once."""
    try:
        whole = read(indexes)
    except DateUnreadable as error:
        yield from _readable(read, indexes, error, tell)
    else:
        yield slice(0, len(indexes)), whole


def _readable(read: Read, indexes: Sequence[int], error: DateUnreadable, tell: Tell) -> list[Part]:
    """What can be read, after all together could not."""
    parts = list[Part]()
    waiting = _halves(slice(0, len(indexes)), indexes, error, tell)
    while waiting:
        place = waiting.pop()
        try:
            parts.append((place, read(indexes[place])))
        except DateUnreadable as failure:
            waiting += _halves(place, indexes, failure, tell)
    return parts


def _halves(place: slice, indexes: Sequence[int], error: DateUnreadable, tell: Tell) -> list[slice]:
    """The two halves of what failed, the first last; a single date is reported."""
    if place.stop - place.start == 1:
        tell(indexes[place.start], error)
        return []
    middle = (place.start + place.stop) // 2
    return [slice(middle, place.stop), slice(place.start, middle)]


def _blank(parts: Sequence[Part], shape: tuple[int, ...], encoding: Encoding) -> Pixels:
    dtype = np.result_type(*(pixels.numbers.dtype for _place, pixels in parts)) if parts else np.dtype(encoding.dtype)
    return Pixels(np.zeros(shape, dtype=dtype))
