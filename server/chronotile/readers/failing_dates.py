"""Dates of layers that could not be read: what `/health/ready`, the metrics and the log tell of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import orjson

from chronotile.model.time.instants import Instant, format_instant
from chronotile.readers.caches.records import Records, RecordsInMemory

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

    def leave_out(self, item: str) -> None:
        """Note the id of an item that a date of a mosaic lacks; `readers.left_out` counts and logs them."""

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

    def leave_out(self, item: str) -> None:
        """Keep the id of an item."""
        if len(self.left_out) < MOST_LEFT_OUT:
            self.left_out.add(item)


def _title(date: FailingDate) -> str:
    return f"{date.collection}: {date.variable}" + ("" if date.instant is None else f" of {date.when}")


def _name(collection: str, variable: str, instant: Instant | None) -> str:
    when = "" if instant is None else format_instant(instant)
    return blake2b("\n".join((collection, variable, when)).encode(), digest_size=16).hexdigest()


def _text(date: FailingDate) -> str:
    instant = None if date.instant is None else int(date.instant.astype("datetime64[ns]").astype("int64"))
    return orjson.dumps(
        {
            "collection": date.collection,
            "variable": date.variable,
            "instant": instant,
            "reason": date.reason,
            "state": date.state,
        }
    ).decode()


def _date(text: str | None) -> FailingDate | None:
    if text is None:
        return None
    document: Mapping[str, str | int | None] = orjson.loads(text)
    instant = document["instant"]
    return FailingDate(
        collection=str(document["collection"]),
        variable=str(document["variable"]),
        instant=None if instant is None else np.datetime64(int(instant), "ns"),
        reason=str(document["reason"]),
        state=str(document["state"]),
    )
