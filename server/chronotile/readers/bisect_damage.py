"""Reading around damaged dates.

All requested dates are read together. If that fails, halves are read, then halves of the halves that fail, until each
damaged date is found: a year with one damaged date is read about twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from chronotile.core.errors import DateUnreadable
from chronotile.core.model.encoding import REASON_UNREADABLE, UNREADABLE_CODE, Encoding
from chronotile.core.model.raster import Codes, Pixels, cell_reasons, pixel_codes, valid_pixels

ReadDates = Callable[[Sequence[int]], Pixels]
"""Returns pixels at the times of some indexes, in that order; time is the first axis."""

ReportDate = Callable[[int, DateUnreadable], None]
"""Called with the index of an unreadable date, and the error."""

DatesRead = tuple[slice, Pixels]
"""Slice of the requested indexes, and their pixels."""


def cell_around_damage(read: ReadDates, indexes: Sequence[int], encoding: Encoding, report: ReportDate) -> Pixels:
    """Return (time,) pixels of a cell; unreadable dates have no value and the reason `unreadable`."""
    try:
        return read(indexes)
    except DateUnreadable as error:
        parts = _read_halves(read, indexes, error, report)
    whole = _blank(parts, (len(indexes),), encoding)
    valid = np.zeros(len(indexes), dtype=bool)
    reasons: list[str | None] = [REASON_UNREADABLE] * len(indexes)
    for place, pixels in parts:
        whole.numbers[place] = pixels.numbers
        valid[place] = valid_pixels(pixels, encoding)
        reasons[place] = cell_reasons(pixels, encoding)
    return replace(whole, valid=valid, reasons=tuple(reasons))


def block_around_damage(
    read: ReadDates, indexes: Sequence[int], encoding: Encoding, report: ReportDate, *, shape: tuple[int, ...]
) -> Pixels:
    """Return (time, …) pixels; `shape` is the shape of one time. Unreadable dates have the code `UNREADABLE_CODE`."""
    try:
        return read(indexes)
    except DateUnreadable as error:
        parts = _read_halves(read, indexes, error, report)
    whole = _blank(parts, (len(indexes), *shape), encoding)
    codes = np.full(whole.numbers.shape, UNREADABLE_CODE, dtype=np.uint8)
    names = encoding.code_names
    for place, pixels in parts:
        coded = pixel_codes(pixels, encoding)
        whole.numbers[place], codes[place], names = pixels.numbers, coded.numbers, coded.names
    return replace(whole, codes=Codes(codes, names))


def dates_around_damage(read: ReadDates, indexes: Sequence[int], report: ReportDate) -> Iterator[DatesRead]:
    """Yield the pixels of the readable dates, in parts that were read together, in the order of `indexes`."""
    try:
        whole = read(indexes)
    except DateUnreadable as error:
        yield from _read_halves(read, indexes, error, report)
    else:
        yield slice(0, len(indexes)), whole


def _read_halves(read: ReadDates, indexes: Sequence[int], error: DateUnreadable, report: ReportDate) -> list[DatesRead]:
    parts = list[DatesRead]()
    waiting = _halves(slice(0, len(indexes)), indexes, error, report)
    while waiting:
        place = waiting.pop()
        try:
            parts.append((place, read(indexes[place])))
        except DateUnreadable as failure:
            waiting += _halves(place, indexes, failure, report)
    return parts


def _halves(place: slice, indexes: Sequence[int], error: DateUnreadable, report: ReportDate) -> list[slice]:
    """The second and the first half of dates that failed together; none for a single date, which is reported."""
    if place.stop - place.start == 1:
        report(indexes[place.start], error)
        return []
    middle = (place.start + place.stop) // 2
    return [slice(middle, place.stop), slice(place.start, middle)]


def _blank(parts: Sequence[DatesRead], shape: tuple[int, ...], encoding: Encoding) -> Pixels:
    dtype = np.result_type(*(pixels.numbers.dtype for _place, pixels in parts)) if parts else np.dtype(encoding.dtype)
    return Pixels(np.zeros(shape, dtype=dtype))
