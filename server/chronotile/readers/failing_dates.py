"""List of damaged dates, which `/health/ready`, the metrics and the log report."""

import logging
from dataclasses import asdict, dataclass
from hashlib import blake2b

import numpy as np
import orjson

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Instant
from chronotile.readers.caches.records import Records, RecordsInMemory
from chronotile.readers.library_errors import one_line, origin_of
from chronotile.readers.skipped_items import is_passing

log = logging.getLogger(__name__)

MAX_SKIPPED_ITEMS = 100
"""Items that an answer or the result of a job lists."""
MAX_DATES = 1000
"""Listed dates. A source with more is broken as a whole, and every date is checked when the list is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingDate:
    """A date of a variable that could not be read."""

    collection: str
    variable: str
    instant: Instant | None
    """`None` for a variable without time."""
    reason: str
    """Text for clients, too: without path and URL."""
    state: str
    """`Reader.revision` of the date and its encoding: it changes if the file or its interpretation changes."""

    @property
    def when(self) -> str | None:
        """The instant as text; `None` for a variable without time."""
        return None if self.instant is None else format_instant(self.instant)


class FailingDates:
    """List of dates that could not be read, each until its file changes.

    A later successful read does not remove a date: another part of its file may be damaged.

    Args:
        records: Stores the list; by default in the memory of this process.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records or RecordsInMemory()

    def report(self, date: FailingDate, *, details: str) -> None:
        """Add a date. The processes that share the list log it once.

        Args:
            date: The unreadable date.
            details: Only for the log: the file, and the error of the library.
        """
        name = _name(date.collection, date.variable, date.instant)
        listed = _date(self._records.read(name))
        if listed is not None and listed.state == date.state:
            return
        if listed is not None:
            self._records.remove(name)
        count = len(self._records.names())
        if count >= MAX_DATES:
            return
        if self._records.add(name, _text(date)):
            log.warning("%s %s: %s", _title(date), date.reason, details)
            if count + 1 == MAX_DATES:
                log.warning("%d dates cannot be read; more are neither listed nor logged", MAX_DATES)

    def skip_item(self, item: str, error: Exception) -> None:
        """Handle an item that a date of a mosaic lacks; only results of jobs list it, so this list ignores it."""

    def clear(self) -> None:
        """Remove all dates. Dates that still fail are listed and logged again."""
        for name in self._records.names():
            self._records.remove(name)

    def forget(self, date: FailingDate) -> None:
        """Remove a date that was listed: its file has changed, or it is no longer served."""
        if self._records.remove(_name(date.collection, date.variable, date.instant)):
            log.info("%s has another file now, or is gone", _title(date))

    def list_dates(self) -> tuple[FailingDate, ...]:
        """Return all dates, by collection, variable and time."""
        texts = [self._records.read(name) for name in self._records.names()]
        dates = [date for date in map(_date, texts) if date is not None]
        return tuple(sorted(dates, key=lambda date: (date.collection, date.variable, date.when or "")))


class RecordedDates(FailingDates):
    """Adds dates to a shared list, and records the dates that this object added.

    Args:
        shared: The list.
    """

    def __init__(self, shared: FailingDates) -> None:
        super().__init__(shared._records)  # noqa: SLF001 -- the list itself is shared
        self.dates: list[FailingDate] = []
        self.left_out: set[str] = set()
        """Ids of skipped items of mosaics, at most `MAX_SKIPPED_ITEMS`."""

    def report(self, date: FailingDate, *, details: str) -> None:
        """Add a date to the shared list and to `dates`."""
        self.dates.append(date)
        super().report(date, details=details)

    def skip_item(self, item: str, error: Exception) -> None:
        """Record the id of an item.

        Raises:
            SourceUnavailable: Its store is unreachable: a result that is stored must not lack data that may come back.
        """
        if is_passing(error):
            raise SourceUnavailable(f"item {item} cannot be read now: {one_line(origin_of(error))}") from error
        if len(self.left_out) < MAX_SKIPPED_ITEMS:
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
