"""Dates that are damaged: others are read around them, and `/health/ready`, the metrics and the log tell of them."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b

import numpy as np
import orjson

from chronotile.core.errors import DateUnreadable, SourceUnavailable
from chronotile.core.model.encoding import REASON_UNREADABLE, UNREADABLE_CODE, Encoding
from chronotile.core.model.raster import Codes, Pixels, cell_reasons, pixel_codes, valid_pixels
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant
from chronotile.readers.caches.disk import Records, RecordsInMemory
from chronotile.readers.left_out import is_passing
from chronotile.readers.library_errors import one_line, origin_of

# Dates that can be read, out of a read of many of which one or more are damaged.
#
# All are read at once, as ever. Only where that fails are halves read, and halves of those, until the dates that fail
# by themselves are found: a year with one damaged date is read about twice.

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


log = logging.getLogger(__name__)

MOST_LEFT_OUT = 100
"""Items that an answer, or a result of a job, names."""
MOST = 1000
"""Dates that are listed; a source with more is broken as a whole, and each is looked at when the list is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingDate:
    """One date of one variable that could not be read."""

    collection: str
    variable: str
    instant: Instant | None
    """`None` of a variable without time."""
    reason: str
    """For clients too: without a path and without a URL."""
    state: str
    """`Reader.revision` of the date, and its encoding: both change if the file or its interpretation changes."""

    @property
    def when(self) -> str | None:
        """The instant as text."""
        return None if self.instant is None else format_instant(self.instant)


class FailingDates:
    """The dates that could not be read, each until its file is another one.

    That a date was read does not make it well: another part of its file may be the damaged one.

    Args:
        records: Stores them; for one process in its memory.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records or RecordsInMemory()

    def tell(self, date: FailingDate, *, details: str) -> None:
        """List a date; it is logged once by all processes that share the list.

        Args:
            date: The unreadable date.
            details: For the log alone: the file, and the error of the library.
        """
        name = _name(date.collection, date.variable, date.instant)
        known = _date(self._records.read(name))
        if known is not None and known.state == date.state:
            return
        if known is not None:
            self._records.remove(name)
        count = len(self._records.names())
        if count >= MOST:
            return
        if self._records.add(name, _text(date)):
            log.warning("%s %s: %s", _title(date), date.reason, details)
            if count + 1 == MOST:
                log.warning("%d dates cannot be read; more are neither listed nor logged", MOST)

    def leave_out(self, item: str, error: Exception) -> None:
        """Note the id of an item that a date of a mosaic lacks, and why; `readers.left_out` counts and logs them."""

    def clear(self) -> None:
        """Forget all dates; those that still fail are listed and logged again."""
        for name in self._records.names():
            self._records.remove(name)

    def forget(self, date: FailingDate) -> None:
        """Forget a date that was listed: its file is another one by now, or it is served no more."""
        if self._records.remove(_name(date.collection, date.variable, date.instant)):
            log.info("%s has another file now, or is gone", _title(date))

    def listed(self) -> tuple[FailingDate, ...]:
        """Return all of them, in order of collection, variable and time."""
        texts = [self._records.read(name) for name in self._records.names()]
        found = [date for date in map(_date, texts) if date is not None]
        return tuple(sorted(found, key=lambda date: (date.collection, date.variable, date.when or "")))


class RecordedDates(FailingDates):
    """Lists dates where others are listed, and also records those of this reader.

    Args:
        others: Where they are listed.
    """

    def __init__(self, others: FailingDates) -> None:
        super().__init__(others._records)  # noqa: SLF001 -- the list itself is shared
        self.dates: list[FailingDate] = []
        self.left_out: set[str] = set()
        """Ids of items of mosaics, at most `MOST_LEFT_OUT`."""

    def tell(self, date: FailingDate, *, details: str) -> None:
        """List a date, and keep it."""
        self.dates.append(date)
        super().tell(date, details=details)

    def leave_out(self, item: str, error: Exception) -> None:
        """Keep the id of an item.

        Raises:
            SourceUnavailable: Its store does not answer: a result that lasts does without nothing that may come back.
        """
        if is_passing(error):
            raise SourceUnavailable(f"item {item} cannot be read now: {one_line(origin_of(error))}") from error
        if len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.add(item)


def _title(date: FailingDate) -> str:
    return f"{date.collection}: {date.variable}" + ("" if date.instant is None else f" of {date.when}")


def _name(collection: str, variable: str, instant: Instant | None) -> str:
    when = "" if instant is None else format_instant(instant)
    return blake2b("\n".join((collection, variable, when)).encode(), digest_size=16).hexdigest()


def _text(date: FailingDate) -> str:
    instant = None if date.instant is None else int(date.instant.astype("datetime64[ns]").astype("int64"))
    return orjson.dumps(asdict(date) | {"instant": instant}).decode()


def _date(text: str | None) -> FailingDate | None:
    if text is None:
        return None
    document = orjson.loads(text)
    instant = document["instant"]
    return FailingDate(**document | {"instant": None if instant is None else np.datetime64(instant, "ns")})
