"""The archive as it is now: opened once, then updated with its configuration, styles and sources."""

import hashlib
import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Self

import numpy as np

from chronotile.archive.describe import counted
from chronotile.archive.discovery.names import slug
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.open import Archive, grown, is_configuration, open_archive, refresh_archive
from chronotile.catalog.items.opening import read_items
from chronotile.catalog.load import read_configured_id
from chronotile.catalog.resolve_times import fills_gaps_on_maps
from chronotile.core.errors import ChronotileError, ConfigurationError
from chronotile.core.model.collection import Layer
from chronotile.core.model.time.instants import system_clock
from chronotile.core.web.item_places import SETTING
from chronotile.core.web.places import AllowedPlaces
from chronotile.core.yaml_source import list_names
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.failing_dates import list_failing_dates
from chronotile.pipeline.services import Services
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.reader_caches import ReaderCaches

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
        looks: BoundedChecks | None = None,
        finding_log: FindingLog | None = None,
        is_logged: bool = True,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._archive, self._place, self._finding_log, self._clock = archive, place, finding_log, clock
        self._looks = looks or BoundedChecks()
        self._refreshed_s = clock()
        self._failures: dict[str, str] = {}
        """Why the last reload failed, by what it looked at."""
        self._replacing = threading.Lock()
        self._refreshing = threading.Lock()
        self.is_logged = is_logged
        self.is_ending = False
        """Whether the application ends, so that a reload that still runs fails."""
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
        documents = self._archive.documents
        if collection is not None:
            return collection in documents and documents[collection].has_changed()

        def look() -> bool:
            return any(each.has_changed() for each in documents.values())

        return self._looks.run("all stores", look, last_value=False)

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
        list_failing_dates(self.services)  # forgets those that can be read again

    def _made(self, before: Archive, make: Callable[[], Archive], *, looked_at: str) -> Archive:
        """What `make` returns, or `before` if it fails."""
        try:
            made = make()
        except (ChronotileError, OSError) as error:
            if self._is_new_failure(looked_at, str(error)) and self.is_logged:
                log.warning("%s: %s", NOT_RELOADED, error)
        except Exception as error:  # else it would end the thread that reloads, and later changes were never seen
            if self._is_new_failure(looked_at, repr(error)) and not self.is_ending:
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
    places: AllowedPlaces
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
        return cls(open_index=open_index, places=AllowedPlaces(prefixes, setting=SETTING))


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
        self._most, self._clock = most, clock
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


# What changed when an archive was reopened, in one line for the log.

MOST_NAMES = 6
"""Layers, or files left out, that are named; of the others there is the number."""


def changes_line(before: Archive, after: Archive) -> str:
    """Return what was added, removed and left out since `before`; each in a few words, however much it is."""
    opened = before.unavailable & after.specs.keys() - after.unavailable - before.services.readers.keys()
    changes = _away_changes, _layer_changes, _left_out
    parts = [text for change in changes for text in change(before, after, opened)]
    if not parts:  # collections whose files were rewritten, with the same dates
        old, new = before.services.readers, after.services.readers
        changed = [name for name, reader in new.items() if name in old and old[name] is not reader]
        parts += _named("files of collection", "replaced", changed)
        # The reasons why sources are away or left out are other ones, if that is all.
        is_same = (before.state.written, before.state.styles) == (after.state.written, after.state.styles)
        parts += ["findings changed"] if is_same and before.findings != after.findings else []
        parts = parts or ["the configuration or a style was changed"]
    return f"reloaded: {', '.join(parts)}"


def _away_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    """`opened` are collections that are served now for the first time, which says all of their layers and findings."""
    yield from _named("source of collection", "away", sorted(after.unavailable - before.unavailable))
    yield from _named("collection", "served now", sorted(opened))
    back = (before.unavailable - after.unavailable) & before.services.readers.keys() & after.specs.keys()
    yield from _named("source of collection", "back", sorted(back))


def _layer_changes(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    old = {layer.id: layer for layer in before.services.catalogue.layers}
    new = {layer.id: layer for layer in after.services.catalogue.layers}
    added = [name for name in new if name not in old and new[name].collection not in opened]
    yield from _named("layer", "added", added)
    yield from _named("layer", "removed", [name for name in old if name not in new])
    layers: dict[str, list[str]] = {}
    for name in new.keys() & old.keys():
        for text in _date_changes(old[name], new[name]):
            layers.setdefault(text, []).append(name)
    for text in sorted(layers):
        yield f"{text} {list_names(sorted(layers[text]), most=MOST_NAMES)}"


def _date_changes(old: Layer, new: Layer) -> Iterator[str]:
    added = np.setdiff1d(new.times.instants, old.times.instants).size
    removed = np.setdiff1d(old.times.instants, new.times.instants).size
    if added:
        yield f"{counted(added, 'date')} added to"
    if removed:
        yield f"{counted(removed, 'date')} removed from"
    if old.time_rules == new.time_rules and fills_gaps_on_maps(old) != fills_gaps_on_maps(new):
        how = "now" if fills_gaps_on_maps(new) else "no longer"
        yield f"maps of WMS and WMTS {how} show the latest date before a time between the dates of"


def _left_out(before: Archive, after: Archive, opened: Collection[str]) -> Iterator[str]:
    removed = sorted(before.configuration.collections.keys() - after.configuration.collections.keys())
    layers = [name for name in removed if all(each.collection != name for each in before.services.catalogue.layers)]
    yield from _named("collection", "removed", layers)  # of others, the removed layers are listed already
    new = {each.place for each in after.findings if each.is_left_out}
    old = {each.place for each in before.findings if each.is_left_out and each.collection not in {*removed, *opened}}
    yield from _places("left out", new - old)
    yield from _places("no longer left out", old - new)


def _places(what: str, places: Collection[str]) -> Iterator[str]:
    if places:
        yield f"{len(places)} {what} ({list_names(sorted(places), most=MOST_NAMES, separator='; ')})"


def _named(what: str, how: str, names: list[str]) -> Iterator[str]:
    if names:
        yield f"{what}{'s' if len(names) > 1 else ''} {list_names(names, most=MOST_NAMES)} {how}"


# The id of an archive, which binds its jobs to it: the same for its server, its workers and `chronotile jobs`.

MOST_LETTERS = 40
"""Of the name that a derived id begins with."""


def archive_id(place: Path, written: str | None) -> str:
    """Return the id of an archive.

    Without one of its own it is made of the absolute path, symbolic links followed, so that it stays when the
    configuration is edited: the name of the file or folder, which people recognise, and a hash of the path, so that it
    is unique and does not give the path away.

    Args:
        place: Of the configuration, or of the folder or file of data.
        written: `service.id` of the configuration.
    """
    if written is not None:
        return written
    path = place.resolve()
    name = slug(path.stem)[:MOST_LETTERS].strip("-") or "archive"
    return f"{name}-{hashlib.blake2b(os.fsencode(path), digest_size=5).hexdigest()}"


def id_of_open(archive: Archive, place: Path, *, is_shared: bool) -> str:
    """Return the id of an open archive; warns the operator where another may have the same.

    Args:
        archive: It.
        place: From which it was opened.
        is_shared: Whether its jobs are in a database that other hosts may use too.
    """
    written = archive.configuration.service.id
    if written is None and is_shared:
        log.warning(
            "jobs are in a shared database (CHRONOTILE_DATABASE_URL) and the configuration has no service.id: an "
            "archive at the same path on another host or in another container would be taken for this one; set "
            "service.id"
        )
    return archive_id(place, written)


def archive_id_at(place: Path, *, environment: Mapping[str, str]) -> str:
    """Return the id of the archive at a place, whatever else is wrong with it: its data are not opened.

    Raises:
        ConfigurationError: There is nothing at the place, or its configuration is not valid YAML.
    """
    if not place.exists():
        remedy = "name the configuration, or the folder or file of data"
        raise ConfigurationError([f"{place} cannot be read: there is no such file; {remedy}"])
    return archive_id(place, read_configured_id(place, environment=environment) if is_configuration(place) else None)
