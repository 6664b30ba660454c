"""The archive as it is now: opened once, then updated with its configuration, styles and sources."""

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Self

from chronotile.archive.archive_id import archive_id_at
from chronotile.archive.changes import changes_line
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.open import Archive, grown, has_grown, open_archive, refresh_archive, system_clock
from chronotile.catalog.items.opening import read_items
from chronotile.errors import ChronotileError
from chronotile.pipeline.bounded_wait import BoundedLooks
from chronotile.pipeline.failing_dates import failing_dates
from chronotile.pipeline.services import Services
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.web.item_places import SETTING
from chronotile.web.places import Places

log = logging.getLogger(__name__)

NOT_RELOADED = "reload failed, still serving the previous state"
EVERYTHING, STORES = "everything", "stores"
"""What a reload looks at: all of the archive, or only the stores whose root document has changed."""


class LiveArchive:
    """An archive that follows its configuration, styles and sources; any thread may use it.

    A reload that fails, for whatever reason, leaves the previous archive in use. What is replaced is not closed:
    another thread may be reading from it.

    Args:
        archive: What it holds first.
        place: The configuration file, or the folder or file of data, that `archive` was opened from.
        looks: Bound the wait for stores that may hang.
        finding_log: Logs the findings of each reload; `None`: they are not logged here.
        is_logged: Whether reloads and expected failures are logged; of several workers, one logs them.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        archive: Archive,
        place: Path,
        *,
        looks: BoundedLooks | None = None,
        finding_log: FindingLog | None = None,
        is_logged: bool = True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._archive = archive
        self._place = place
        self._looks = looks or BoundedLooks()
        self._finding_log = finding_log
        self._clock = clock
        self._refreshed_s = clock()
        self._failures: dict[str, str] = {}
        """Why the last reload failed, by what it looked at."""
        self._replacing = threading.Lock()
        self._refreshing = threading.Lock()
        self.is_logged = is_logged
        self.reloads = 0
        self.failed_reloads = 0

    @classmethod
    def open(cls, place: Path, *, caches: ReaderCaches | None = None, clock: Callable[[], float] = monotonic) -> Self:
        """Open the archive of a place, whose readers keep in `caches`, else in caches of its own, what they read.

        Raises:
            ConfigurationError: With all mistakes of the configuration; or nothing there can be served.
        """
        archive = open_archive(place, environment=os.environ, clock=system_clock, caches=caches)
        return cls(archive, place, clock=clock)

    @property
    def archive(self) -> Archive:
        """The archive of now."""
        return self._archive

    @property
    def services(self) -> Services:
        """The services of now."""
        return self._archive.services

    @property
    def is_stale(self) -> bool:
        """Whether the last reload failed."""
        return bool(self._failures)

    def has_grown(self, collection: str | None) -> bool:
        """Return whether the store of a collection, or any store, was written to since it was opened; reads files.

        A store that hangs is waited for if it is that of `collection`, but not if any will do.
        """
        look = partial(has_grown, self._archive, collection)
        return self._looks.take("all stores", look, known=False) if collection is None else look()

    def follow(self, collection: str | None) -> None:
        """Reload if the store of a collection, or any store, was written to; other threads wait meanwhile."""
        if self.has_grown(collection):
            with self._replacing:
                if self.has_grown(collection):
                    before = self._archive
                    make = partial(grown, before, clock=system_clock)
                    self._replace(before, self._made(before, make, looked_at=STORES))

    def refresh(self, *, after_s: float = 0.0, unless_revision: str | None = None) -> None:
        """Reload if anything has changed, unless the last refresh began less than `after_s` seconds ago.

        Not if the archive has `unless_revision` by then, to which another thread may have brought it.

        `follow` does not wait for it, since one of the stores may hang; it looks again if `follow` reloads meanwhile.
        """
        with self._refreshing:
            is_recent = self._clock() - self._refreshed_s < after_s
            if is_recent or (unless_revision is not None and self.services.revision == unless_revision):
                return
            self._refreshed_s = self._clock()
            is_done = False
            while not is_done:
                before = self._archive
                make = partial(refresh_archive, before, self._place, environment=os.environ, clock=system_clock)
                newer = self._made(before, make, looked_at=EVERYTHING)
                with self._replacing:
                    is_done = self._replace(before, newer)
        failing_dates(self.services)  # forgets those that can be read again

    def _made(self, before: Archive, make: Callable[[], Archive], *, looked_at: str) -> Archive:
        """What `make` returns, or `before` if it fails."""
        try:
            made = make()
        except (ChronotileError, OSError) as error:
            if self._is_new_failure(looked_at, str(error)) and self.is_logged:
                log.warning("%s: %s", NOT_RELOADED, error)
        except Exception as error:  # else it would end the thread that reloads, and later changes were never seen
            if self._is_new_failure(looked_at, repr(error)):
                log.exception(NOT_RELOADED)
        else:
            # A look at everything covers the stores too.
            for each in (EVERYTHING, STORES) if looked_at == EVERYTHING else (STORES,):
                self._failures.pop(each, None)
            return made
        self.failed_reloads += 1
        return before

    def _is_new_failure(self, looked_at: str, failure: str) -> bool:
        """Remember a failure, and return whether the last look at the same succeeded or failed otherwise."""
        is_new = failure != self._failures.get(looked_at)
        self._failures[looked_at] = failure
        return is_new

    def _replace(self, before: Archive, newer: Archive) -> bool:
        """Use `newer`, made from `before`; return False if another thread has replaced `before` meanwhile."""
        if newer is before:
            return True
        if self._archive is not before:
            return False
        self._archive = newer
        self.reloads += 1
        if self.is_logged:
            log.info("%s", changes_line(before, newer))
        if self._finding_log is not None:
            self._finding_log.tell(newer.findings)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAccess:
    """How any process reads the collections of items of an archive; it goes through pickles."""

    open_index: Callable[[], PieceIndex]
    places: Places
    """Where files of items may lie, beside the places of their sources."""

    @classmethod
    def of(
        cls, place: Path, *, database_url: str | None, jobs_folder: Callable[[str], Path], prefixes: Iterable[str]
    ) -> Self:
        """Return how the archive of a place is read, its index in a database or in its folder of jobs.

        Args:
            place: Of the configuration or the data.
            database_url: Of PostgreSQL; `None` for SQLite.
            jobs_folder: Returns the folder of an archive of an id.
            prefixes: Places where files of items may lie.

        Raises:
            ConfigurationError: There is nothing at the place, or a prefix is none.
        """
        id_ = archive_id_at(place, environment=os.environ)
        open_index = partial(read_items, database_url, jobs_folder(id_).absolute(), archive=id_)
        return cls(open_index=open_index, places=Places(prefixes, setting=SETTING))


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    live: LiveArchive | None = None


class LiveArchives:
    """Live archives by place, each opened by the first thread that needs it, while others wait.

    Their readers share one set of caches, so that open files and memory are bounded together.

    Args:
        most: Archives that stay open; the one that was used longest ago goes first.
        clock: Monotonic, in seconds.
    """

    def __init__(self, *, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._shared = ReaderCaches()
        self._slots: OrderedDict[Path, _Slot] = OrderedDict()

    def at(self, place: Path, items: ItemAccess | None = None) -> LiveArchive:
        """Return the archive of a place.

        Args:
            place: Of the configuration or the data.
            items: Used when it is opened; without it, collections of items are not.

        Raises:
            ConfigurationError: It is not open, and cannot be opened.
            SourceUnavailable: The index of its items is out of reach.
        """
        with self._lock:
            slot = self._slots.setdefault(place, _Slot())
            self._slots.move_to_end(place)
            if len(self._slots) > self._most:
                self._slots.popitem(last=False)
        with slot.lock:
            if slot.live is None:
                slot.live = LiveArchive.open(place, caches=self._caches_with(items), clock=self._clock)
            return slot.live

    def _caches_with(self, items: ItemAccess | None) -> ReaderCaches:
        if items is None:
            return self._shared
        return ReaderCaches(items=items.open_index, places=items.places, shared=self._shared)
