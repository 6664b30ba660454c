"""The current archive: opened once, then reopened when its configuration, styles or sources change."""

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

from chronotile.archive.archive_ids import archive_id_at
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.open import Archive, open_archive, refresh_archive, reopen_grown
from chronotile.archive.reload_changes import changes_line
from chronotile.catalog.items.opening import read_items
from chronotile.core.errors import ChronotileError
from chronotile.core.model.time.instants import system_clock
from chronotile.core.web.item_places import SOURCE_SETTING
from chronotile.core.web.places import AllowedPlaces
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.failing_dates import list_failing_dates
from chronotile.pipeline.services import Services
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.reader_caches import ReaderCaches

log = logging.getLogger(__name__)

NOT_RELOADED = "reload failed, still serving the previous state"
EVERYTHING, STORES = "everything", "stores"
"""Scope of a reload: the whole archive, or only stores whose root document has changed."""


class LiveArchive:
    """An archive that follows its configuration, styles and sources. Thread-safe.

    If a reload fails, the previous archive stays in use. A replaced archive is not closed, because another thread may
    be reading from it.

    Args:
        archive: The first archive.
        place: The configuration file, or the folder or file of data, from which `archive` was opened.
        looks: Limits the wait for stores that may hang.
        finding_log: Logs the findings of each reload; `None`: findings are not logged here.
        is_logged: Whether reloads and expected failures are logged; only one of several workers logs them.
        clock: Monotonic, in seconds.
    """

    def __init__(
        self,
        archive: Archive,
        place: Path,
        *,
        looks: BoundedChecks | None = None,
        finding_log: FindingLog | None = None,
        is_logged: bool = True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._archive, self._place, self._finding_log, self._clock = archive, place, finding_log, clock
        self._looks = looks or BoundedChecks()
        self._refreshed_s = clock()
        self._failures: dict[str, str] = {}
        """Message of the last reload by scope, if it failed."""
        self._replacing = threading.Lock()
        self._refreshing = threading.Lock()
        self.is_logged = is_logged
        self.is_ending = False
        """Whether the application is shutting down, so that a running reload fails."""
        self.reloads = 0
        self.failed_reloads = 0

    @classmethod
    def open(cls, place: Path, *, caches: ReaderCaches | None = None, clock: Callable[[], float] = monotonic) -> Self:
        """Open the archive at `place`.

        Args:
            place: The configuration file, or the folder or file of data.
            caches: Caches of its readers; `None`: new ones.
            clock: Monotonic, in seconds.

        Raises:
            ConfigurationError: The configuration is invalid, or no data can be served.
        """
        archive = open_archive(place, environment=os.environ, clock=system_clock, caches=caches)
        return cls(archive, place, clock=clock)

    @property
    def archive(self) -> Archive:
        """The current archive."""
        return self._archive

    @property
    def services(self) -> Services:
        """The services of the current archive."""
        return self._archive.services

    @property
    def is_stale(self) -> bool:
        """Whether the last reload failed."""
        return bool(self._failures)

    def has_grown(self, collection: str | None) -> bool:
        """Return whether the store of `collection`, or of any collection, was written to since it was opened.

        Reads files. Waits for the store of `collection` even if it hangs; the wait for all stores is limited.
        """
        documents = self._archive.documents
        if collection is not None:
            return collection in documents and documents[collection].has_changed()

        def look() -> bool:
            return any(document.has_changed() for document in documents.values())

        return self._looks.run("all stores", look, last_value=False)

    def follow(self, collection: str | None) -> None:
        """Reload if the store of `collection`, or of any collection, was written to; other threads wait for it."""
        if self.has_grown(collection):
            with self._replacing:
                if self.has_grown(collection):
                    before = self._archive
                    make = partial(reopen_grown, before, clock=system_clock)
                    self._replace(before, self._reload(before, make, scope=STORES))

    def refresh(self, *, after_s: float = 0.0, unless_revision: str | None = None) -> None:
        """Reload if anything has changed.

        A store may hang, so `follow` does not wait for a refresh. If `follow` replaces the archive during a refresh,
        the refresh starts again.

        Args:
            after_s: Do nothing if the last refresh started less than this time ago.
            unless_revision: Do nothing if the archive has this revision, because another thread has reloaded it.
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
                newer = self._reload(before, make, scope=EVERYTHING)
                with self._replacing:
                    is_done = self._replace(before, newer)
        list_failing_dates(self.services)  # removes dates that are readable again

    def _reload(self, before: Archive, make: Callable[[], Archive], *, scope: str) -> Archive:
        """Return the archive that `make` opens, or `before` if it fails."""
        try:
            archive = make()
        except (ChronotileError, OSError) as error:
            if self._is_new_failure(scope, str(error)) and self.is_logged:
                log.warning("%s: %s", NOT_RELOADED, error)
        except Exception as error:  # otherwise the thread that reloads would end, and miss all later changes
            if self._is_new_failure(scope, repr(error)) and not self.is_ending:
                log.exception(NOT_RELOADED)
        else:
            # A reload of the whole archive covers the stores too.
            for covered in (EVERYTHING, STORES) if scope == EVERYTHING else (STORES,):
                self._failures.pop(covered, None)
            return archive
        self.failed_reloads += 1
        return before

    def _is_new_failure(self, scope: str, failure: str) -> bool:
        """Store a failure; return whether it differs from the failure of the previous reload of the same scope."""
        is_new = failure != self._failures.get(scope)
        self._failures[scope] = failure
        return is_new

    def _replace(self, before: Archive, newer: Archive) -> bool:
        """Use `newer`, made from `before`; return False if another thread has replaced `before` in the meantime."""
        if newer is before:
            return True
        if self._archive is not before:
            return False
        self._archive = newer
        self.reloads += 1
        if self.is_logged:
            log.info("%s", changes_line(before, newer))
        if self._finding_log is not None:
            self._finding_log.log_new(newer.findings)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemAccess:
    """Access to the item index of an archive from any process. Can be pickled."""

    open_index: Callable[[], PieceIndex]
    places: AllowedPlaces
    """Permitted locations of item files, in addition to the locations of their sources."""

    @classmethod
    def from_place(
        cls, place: Path, *, database_url: str | None, jobs_folder: Callable[[str], Path], prefixes: Iterable[str]
    ) -> Self:
        """Return the access to the index of an archive, which is in PostgreSQL or in the jobs folder of the archive.

        Args:
            place: The configuration file, or the folder or file of data.
            database_url: URL of PostgreSQL; `None` for SQLite.
            jobs_folder: Returns the jobs folder of an archive id.
            prefixes: Permitted locations of item files.

        Raises:
            ConfigurationError: `place` does not exist, or a prefix is invalid.
        """
        id_ = archive_id_at(place, environment=os.environ)
        open_index = partial(read_items, database_url, jobs_folder(id_).absolute(), archive=id_)
        return cls(open_index=open_index, places=AllowedPlaces(prefixes, setting=SOURCE_SETTING))


@dataclass(slots=True)
class _Slot:
    lock: threading.Lock = field(default_factory=threading.Lock)
    live: LiveArchive | None = None


class LiveArchives:
    """Open archives by location. One thread opens an archive, others wait for it.

    The readers share one set of caches, so that the limits of open files and memory apply to all archives together.

    Args:
        most: Number of archives that stay open; the least recently used is removed first.
        clock: Monotonic, in seconds.
    """

    def __init__(self, *, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._clock = most, clock
        self._lock = threading.Lock()
        self._shared = ReaderCaches()
        self._slots: OrderedDict[Path, _Slot] = OrderedDict()

    def at(self, place: Path, items: ItemAccess | None = None) -> LiveArchive:
        """Return the archive at `place`, opening it if necessary.

        Args:
            place: The configuration file, or the folder or file of data.
            items: Access to its item index, used at the opening; `None`: collections of items are not opened.

        Raises:
            ConfigurationError: The archive cannot be opened.
            SourceUnavailable: Its item index is unreachable.
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
