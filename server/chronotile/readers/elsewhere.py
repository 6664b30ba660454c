"""Remote sources, which may be unavailable: each is opened in a separate thread and retried until it opens.

A source is new, open, unavailable (its server fails) or wrong (its server answers, but the source cannot be served).
Open sources are checked for changes regularly, and soon after a failed read; the others are opened again after
increasing delays.
"""

import logging
import random
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from time import monotonic

from chronotile.core.errors import ChronotileError, SourceAway, SourceUnavailable
from chronotile.core.finding import Finding
from chronotile.core.model.source import SourceInfo, SourceSpec
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.hrefs import local_path
from chronotile.readers.kinds import open_source
from chronotile.readers.library_errors import BeingWritten, drop_frames, one_line, origin_of
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.requests import Away, Refused
from chronotile.readers.sample import observed_range


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingSource:
    """A remote source to open."""

    spec: SourceSpec
    styled: frozenset[str] = frozenset()
    """Variables with configured styles; the values of others are sampled."""

    def is_same(self, other: "PendingSource") -> bool:
        """Return whether both are the same; time domains compare by identity, so their arrays are compared."""
        times, other_times = self.spec.times, other.spec.times
        if times is None or other_times is None:
            return self == other
        if times.starts.tobytes() != other_times.starts.tobytes() or times.ends.tobytes() != other_times.ends.tobytes():
            return False
        return self == replace(other, spec=replace(other.spec, times=times))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A remote source that opened successfully."""

    reader: Reader
    info: SourceInfo
    """Contents of the source, with observed ranges for variables without a style."""
    revisions: tuple[str, ...] = ()
    """Revision of each variable when the source was opened."""
    findings: tuple[Finding, ...] = ()
    """Findings that `info` does not contain."""

    @property
    def state(self) -> str:
        """A text that changes with the revisions, variables, encodings, times or grids of the source."""
        return repr(
            [
                self.revisions,
                *(
                    (name, info.encoding, info.levels, info.times.starts.tobytes(), info.times.ends.tobytes())
                    for name, info in self.info.variables.items()
                ),
            ]
        )

    def is_current(self) -> bool:
        """Request the revisions of the source, and return whether it is available and unchanged."""
        try:
            return revisions_of(self.reader) == self.revisions
        except SourceUnavailable:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesSnapshot:
    """State of all remote sources at one moment."""

    opened: Mapping[str, Opened]
    """Sources by collection, including sources that were open and are unavailable now."""
    unavailable: Mapping[str, str]
    """Reason by collection, if a source cannot be read now."""
    causes: Mapping[str, str]
    """Failure of the server by collection, for unavailable sources; does not contain the URL of the source."""
    wrong: Mapping[str, str]
    """Reason by collection, if the server answers but the source is not supported or wrongly configured."""
    changes: int
    """Number of changes of the other fields so far."""


def open_pending(pending: PendingSource, caches: ReaderCaches | None = None) -> Opened:
    """Open a source, and sample the values of variables without a style.

    Raises:
        UnsupportedSource: The source cannot be served.
        SourceUnavailable: The source opens, but its pixels cannot be read.
    """
    reader = open_source(pending.spec, caches)
    variables = {
        name: variable
        if variable.classes or name in pending.styled
        else replace(variable, observed_range=observed_range(reader, name))
        for name, variable in reader.info.variables.items()
    }
    return Opened(reader=reader, info=replace(reader.info, variables=variables), revisions=revisions_of(reader))


def revisions_of(reader: Reader) -> tuple[str, ...]:
    """Return the revision of each variable of a remote source; one is enough, as all times are in one file.

    Raises:
        SourceUnavailable: The source is unavailable, or has changed since it was opened.
    """
    return tuple(reader.revision(name, 0) for name in reader.info.variables)


def is_elsewhere(spec: SourceSpec) -> bool:
    """Return whether a source is remote; collections of items are not, as the item index is always available."""
    return spec.items is None and local_path(spec.href) is None


def is_mistake(failure: Exception) -> bool:
    """Return whether opening failed because of the contents or configuration of the source, not of its server."""
    return away_of(failure) is None and not isinstance(origin_of(failure), BeingWritten | SourceUnavailable)


def away_of(failure: BaseException | None) -> Away | None:
    """Return the failure of a server that caused an error, or `None`; its message does not contain the URL."""
    while failure is not None and not isinstance(failure, Away):
        failure = failure.__cause__
    return failure


log = logging.getLogger(__name__)

START_S = 1.2
"""Time to wait for sources when a server starts, before it starts its workers, and for newly configured sources."""
OPENING_S = 30.0
"""Time to wait for sources in a command, which opens each source once."""
LOOK_S = 2.0
"""A source must open again within this time after a failed read, else it counts as unavailable."""
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
"""Delays between attempts; the delay doubles with each failure."""
JITTER = 0.5
"""Delays are shortened randomly by up to this fraction, so that servers do not send requests simultaneously."""
QUIET_S = 5.0
"""For this time after a source was opened again and was unchanged, failed reads only check its revisions: a part of the
source must be damaged, so that opening it again is useless."""
BETWEEN_LOOKS_S = 1.0
"""Shortest interval between checks that are started by failed reads."""
LOOK_EVERY_S = 30.0
"""Interval between regular checks of an open source for changes."""
MOST_AT_ONCE, MOST_IN_ALL = 8, 64
"""Sources that are opened or checked concurrently, per host and in total; each takes a thread."""


@dataclass(slots=True, eq=False)
class _Source:
    pending: PendingSource
    host: str
    opened: Opened | None = None
    reason: str | None = None
    """Why the source cannot be read; `None` if it can, or if the first attempt is not finished."""
    failure: Exception | None = None
    """Error of the last attempt, without tracebacks; `None` if it succeeded."""
    due_s: float | None = 0.0
    """When the next attempt or check starts; `None` while one is running."""
    is_routine: bool = False
    """Whether the next or running attempt is a regular check of an open source without failed reads."""
    begun_s: float | None = None
    """Start of the running attempt."""
    failures: int = 0
    """Failed attempts since the source last opened."""
    looked_s: float = 0.0
    """When the source was last opened, or found unchanged."""
    quiet_until_s: float = 0.0
    """Until then, failed reads only check the revisions of the source."""

    @property
    def is_wrong(self) -> bool:
        """Whether the source never opened although its server answers; it must be corrected first."""
        return self.opened is None and self.failure is not None and is_mistake(self.failure)


Opener = Callable[[PendingSource], Opened]


class Elsewhere:
    """The remote sources of an archive; lives through all reloads of the archive.

    Thread-safe. All threads are daemons, so that a source that hangs does not prevent the process from ending.

    Args:
        open_: Opens a source; may hang.
    """

    def __init__(self, open_: Opener = open_pending) -> None:
        self._open_source = open_
        self._sources: dict[str, _Source] = {}
        self._changed = threading.Condition()
        self._changes = 0
        self._threads: Counter[str] = Counter()
        """Threads that open sources, by host; also for sources that are no longer configured."""
        self._scheduler: threading.Thread | None = None
        self._is_closed = False
        self.on_change: Callable[[], None] = lambda: None
        """Called in any thread after a source has become unavailable, has come back or has changed."""

    def open(self, pending: Mapping[str, PendingSource], *, patience_s: float) -> SourcesSnapshot:
        """Replace the configured sources, and return their state.

        New sources are opened in parallel; the call waits for them for at most `patience_s`.
        """
        with self._changed:
            self._want(pending)
            new = [source for source in self._sources.values() if _is_unknown(source)]
            self._changed.wait_for(lambda: not any(map(_is_unknown, new)) or self._is_closed, patience_s)
            for source in filter(_is_unknown, new):
                source.reason = f"not open yet after {patience_s:g} s; a server serves it as soon as it opens"
            return self.found

    @property
    def found(self) -> SourcesSnapshot:
        """The current state."""
        with self._changed:
            failing = [(name, source, source.reason) for name, source in self._sources.items() if source.reason]
            return SourcesSnapshot(
                opened={name: source.opened for name, source in self._sources.items() if source.opened is not None},
                unavailable={name: reason for name, source, reason in failing if not source.is_wrong},
                causes={
                    name: str(away)
                    for name, source, _reason in failing
                    if (away := away_of(source.failure)) is not None
                },
                wrong={name: reason for name, source, reason in failing if source.is_wrong},
                changes=self._changes,
            )

    def __contains__(self, collection: str) -> bool:
        """Return whether the source of a collection is remote."""
        return collection in self._sources

    def __iter__(self) -> Iterator[str]:
        """Iterate over the collections with remote sources."""
        return iter(self._sources)

    def is_away(self, collection: str) -> bool:
        """Return whether the source of a collection is remote and unavailable."""
        source = self._sources.get(collection)
        return source is not None and source.reason is not None and not source.is_wrong

    def require(self, collections: Collection[str]) -> None:
        """Check that the sources of all collections are available.

        Raises:
            SourceAway: The source of a collection is unavailable.
        """
        for collection in collections:
            if self.is_away(collection):
                raise SourceAway(f"the source of collection {collection} cannot be read now; try again later")

    def hosts(self, collections: Collection[str]) -> frozenset[str]:
        """Return the hosts of the remote sources of these collections."""
        sources = (self._sources.get(collection) for collection in collections)
        return frozenset(source.host for source in sources if source is not None)

    def suspect(self, collections: Collection[str]) -> None:
        """Schedule a check of sources after a failed read, `BETWEEN_LOOKS_S` after their last check; does not wait."""
        now_s = monotonic()
        with self._changed:
            for collection in collections:
                source = self._sources.get(collection)
                # Other sources have an attempt to open them scheduled or running.
                if source is not None and source.opened and source.reason is None and source.is_routine:
                    source.is_routine = now_s < source.quiet_until_s
                    if source.due_s is not None:
                        source.due_s = min(source.due_s, max(now_s, source.looked_s + BETWEEN_LOOKS_S))
                    else:
                        source.begun_s = now_s
            self._changed.notify_all()

    def retry(self) -> None:
        """Schedule an attempt to open each unavailable source now; does not wait."""
        now_s = monotonic()
        with self._changed:
            for source in self._sources.values():
                if source.reason is not None and source.due_s is not None:
                    source.due_s = min(source.due_s, now_s)
            self._changed.notify_all()

    def close(self) -> None:
        """Stop opening sources; running attempts are ignored."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _want(self, pending: Mapping[str, PendingSource]) -> None:
        sources = self._sources
        self._sources = {
            name: sources[name]
            if name in sources and sources[name].pending.is_same(source)
            else _Source(source, host_of(source.spec.href))
            for name, source in pending.items()
        }
        if self._sources and self._scheduler is None:
            self._scheduler = threading.Thread(target=self._schedule, name="elsewhere", daemon=True)
            self._scheduler.start()
        self._changed.notify_all()

    def _schedule(self) -> None:
        """Until closed: start attempts that are due, and mark sources that take too long as unavailable."""
        with self._changed:
            while not self._is_closed:
                now_s = monotonic()
                self._start_due(now_s)
                for source in self._sources.values():
                    if _is_late(source, now_s):
                        source.reason = f"it does not answer within {LOOK_S:g} s"
                        self._notify()
                due = min((at_s for source in self._sources.values() for at_s in _events(source, now_s)), default=None)
                self._changed.wait(None if due is None else max(0.0, due - monotonic()))

    def _start_due(self, now_s: float) -> None:
        """Start due attempts, the longest due first, so that sources that hang repeatedly do not delay the others."""
        due = [(source.due_s, name) for name, source in self._sources.items() if source.due_s is not None]
        for due_s, name in sorted(due):
            source = self._sources[name]
            is_free = self._threads[source.host] < MOST_AT_ONCE and self._threads.total() < MOST_IN_ALL
            if due_s <= now_s and is_free:
                source.due_s, source.begun_s = None, now_s
                self._threads[source.host] += 1
                threading.Thread(target=self._open, args=[name, source], name="open elsewhere", daemon=True).start()

    def _open(self, name: str, source: _Source) -> None:
        opened: Opened | None = None
        failure: Exception | None = None
        reason = ""
        try:
            if source.is_routine and source.opened is not None and source.opened.is_current():
                opened = source.opened
            else:
                opened = self._open_source(source.pending)
        except ChronotileError as error:
            failure, reason = drop_frames(error), error.message
        except Exception as error:  # any library may raise its own errors; the reason is reported
            log.debug("a source elsewhere cannot be opened", exc_info=error)
            failure, reason = drop_frames(error), f"it cannot be opened: {one_line(error)}"
        with self._changed:
            source.begun_s = None
            self._threads -= Counter([source.host])
            is_current = self._sources.get(name) is source and not self._is_closed
            has_changed = False
            if is_current and opened is not None:
                has_changed = self._take(source, opened)
            elif is_current and failure is not None:
                has_changed = self._put_off(source, failure, reason)
            if has_changed:
                self._notify()
            self._changed.notify_all()
        if opened is not None and source.opened is not opened:
            opened.reader.close()

    def _take(self, source: _Source, opened: Opened) -> bool:
        """Replace the open reader unless the source is unchanged; return whether the state has changed."""
        source.failures, source.is_routine, source.failure = 0, True, None
        source.looked_s = monotonic()
        source.due_s = source.looked_s + LOOK_EVERY_S * (1 - JITTER * random.random())
        if source.opened is not None and source.reason is None:
            if opened is source.opened:
                return False
            if opened.state == source.opened.state:
                source.quiet_until_s = source.looked_s + QUIET_S
                return False
        source.opened, source.reason = opened, None
        return True

    def _put_off(self, source: _Source, failure: Exception, reason: str) -> bool:
        """Schedule the next attempt, early if a file was being written; return whether the state has changed.

        It has if the source was available or had not failed before, if it has become wrong or stopped being so, or if
        its server refuses it with a new status.
        """
        before, had_failed, was_wrong = _refusal(source), source.failure is not None, source.is_wrong
        is_written = isinstance(origin_of(failure), BeingWritten)
        source.failures = 1 if is_written else source.failures + 1
        source.failure = failure
        source.is_routine, source.quiet_until_s = False, 0.0
        source.due_s = monotonic() + delay_s(source.failures, random.random())
        was_available, source.reason = source.reason is None, reason
        is_new_refusal = _refusal(source) not in {None, before}
        return was_available or not had_failed or was_wrong != source.is_wrong or is_new_refusal

    def _notify(self) -> None:
        self._changes += 1
        self.on_change()


def delay_s(failures: int, chance: float) -> float:
    """Return the delay after a number of consecutive failures; `chance`, from 0 to 1, shortens it randomly."""
    longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 16))
    return longest * (1 - JITTER * chance)


def _refusal(source: _Source) -> int | None:
    # HTTP status of the last attempt if the server refused it.
    away = away_of(source.failure)
    return away.status if isinstance(away, Refused) else None


def _is_unknown(source: _Source) -> bool:
    return source.opened is None and source.reason is None


def _is_late(source: _Source, now_s: float) -> bool:
    # An open source that takes too long to open again after a failed read.
    return _is_suspect(source) and source.begun_s is not None and now_s - source.begun_s >= LOOK_S


def _is_suspect(source: _Source) -> bool:
    return source.opened is not None and source.reason is None and not source.is_routine


def _events(source: _Source, now_s: float) -> Iterator[float]:
    """Times when the scheduler must wake for a source; none if it is due already and waits for a free thread."""
    if source.due_s is not None and source.due_s > now_s:
        yield source.due_s
    if source.begun_s is not None and _is_suspect(source):
        yield source.begun_s + LOOK_S
