"""Sources on other machines, any of which may be away: each is opened in its own thread and retried until it opens."""

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
    """A source elsewhere that is to be opened."""

    spec: SourceSpec
    styled: frozenset[str] = frozenset()
    """Variables for which the configuration names styles; for others a sample of values is read."""

    def is_same(self, other: "PendingSource") -> bool:
        """Return whether both are the same; time domains compare by identity, so their arrays are compared."""
        own, others = (each.spec.times for each in (self, other))
        if own is None or others is None:
            return self == other
        is_same_time = own.starts.tobytes() == others.starts.tobytes() and own.ends.tobytes() == others.ends.tobytes()
        return is_same_time and self == replace(other, spec=replace(other.spec, times=own))


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A source elsewhere that did open."""

    reader: Reader
    info: SourceInfo
    """What it holds, with the range of values of variables that have no style."""
    revisions: tuple[str, ...] = ()
    """The state of its files when it was opened."""
    findings: tuple[Finding, ...] = ()
    """Besides those of `info`."""

    @property
    def state(self) -> str:
        """A text that is another one if the source is in another state, or holds other variables, times or grids."""
        return repr(
            [
                self.revisions,
                *(
                    (name, each.encoding, each.levels, each.times.starts.tobytes(), each.times.ends.tobytes())
                    for name, each in self.info.variables.items()
                ),
            ]
        )

    def is_current(self) -> bool:
        """Request the state of the source; return whether it is the one in which it was opened."""
        try:
            return revisions_of(self.reader) == self.revisions
        except SourceUnavailable:
            return False


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcesSnapshot:
    """What is known of all sources elsewhere at one moment."""

    opened: Mapping[str, Opened]
    """By collection; one that was open once and is away now is here too."""
    unavailable: Mapping[str, str]
    """Why a source cannot be read now, by collection."""
    causes: Mapping[str, str]
    """Of those that are away, what its server did, without the name of the source, where that is known."""
    wrong: Mapping[str, str]
    """Why a source cannot be served though its server answers, by collection: what it holds or its configuration."""
    changes: int
    """How often any of this has changed."""


def open_pending(pending: PendingSource, caches: ReaderCaches | None = None) -> Opened:
    """Return a source opened, with the values of variables that have no style looked at.

    Raises:
        UnsupportedSource: It cannot be served.
        SourceUnavailable: It opens, but its pixels cannot be read.
    """
    reader = open_source(pending.spec, caches)
    variables = {
        name: each
        if each.classes or name in pending.styled
        else replace(each, observed_range=observed_range(reader, name))
        for name, each in reader.info.variables.items()
    }
    return Opened(reader=reader, info=replace(reader.info, variables=variables), revisions=revisions_of(reader))


def revisions_of(reader: Reader) -> tuple[str, ...]:
    """Return the states of the files of a source elsewhere: of each variable one, as all its times are in one file.

    Raises:
        SourceUnavailable: It cannot be read, or is in another state than that in which it was opened.
    """
    return tuple(reader.revision(name, 0) for name in reader.info.variables)


def is_elsewhere(spec: SourceSpec) -> bool:
    """Return whether a source is not on this machine; items are in the index, wherever their files are."""
    return spec.items is None and local_path(spec.href) is None


def is_mistake(failure: Exception) -> bool:
    """Return whether a source did not open for what it holds or how it is configured, not for its server."""
    return away_of(failure) is None and not isinstance(origin_of(failure), BeingWritten | SourceUnavailable)


def away_of(failure: BaseException | None) -> Away | None:
    """Return what a server did that a failure came from; its message has no name of a source."""
    while failure is not None and not isinstance(failure, Away):
        failure = failure.__cause__
    return failure


log = logging.getLogger(__name__)

START_S = 1.2
"""How long a server waits at its start, and for a source that is new in its configuration. The process that starts
workers waits as long before them."""
OPENING_S = 30.0
"""How long a command waits, which opens each source once."""
LOOK_S = 2.0
"""How long a source that was open may take to open again after a read failed; then it counts as away."""
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
"""Between two tries; each failure doubles it."""
JITTER = 0.5
"""The share of that time by which it is shortened at random, so that many servers do not ask at the same moment."""
QUIET_S = 5.0
"""How long failed reads do not open a source again that was opened again and is as it was: what failed is a part of it.
They query its state in this time."""
BETWEEN_LOOKS_S = 1.0
"""The least time between two looks that failed reads start."""
LOOK_EVERY_S = 30.0
"""How often an open source is checked for being in the state in which it was opened."""
MOST_AT_ONCE, MOST_IN_ALL = 8, 64
"""Sources of one host, and of all, that are opened or looked at at the same time, in a thread each."""


@dataclass(slots=True, eq=False)
class _Source:
    pending: PendingSource
    host: str
    opened: Opened | None = None
    reason: str | None = None
    """Why it is away; `None` where it is not, or where nothing is known of it yet."""
    failure: Exception | None = None
    """At the last try, if it failed; without tracebacks."""
    due_s: float | None = 0.0
    """When it is to be opened or looked at; `None` while it is."""
    is_routine: bool = False
    """Whether what is due or under way is a look at a source that is open, of which no read failed."""
    begun_s: float | None = None
    """When the opening began that is under way."""
    failures: int = 0
    """Since it last opened."""
    looked_s: float = 0.0
    """When it was last opened, or found as it was."""
    quiet_until_s: float = 0.0
    """Until then a failed read does not open it again, unless it is in another state."""

    @property
    def is_wrong(self) -> bool:
        """Whether it never opened, and its server answers: trying again helps only once something was corrected."""
        return self.opened is None and self.failure is not None and is_mistake(self.failure)


Opener = Callable[[PendingSource], Opened]


class Elsewhere:
    """The sources elsewhere of an archive, through all its reloads.

    All threads are daemons: a source that hangs keeps no process from ending.

    Args:
        open_: Opens one; may hang.
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
        """Called, in any thread, when a source went away, came back or was found to hold something else."""

    def open(self, pending: Mapping[str, PendingSource], *, patience_s: float) -> SourcesSnapshot:
        """Return what is known of these sources; others are forgotten.

        New sources are opened in parallel and waited for; for others the known state is returned at once.
        """
        with self._changed:
            self._want(pending)
            new = [each for each in self._sources.values() if each.opened is None and each.reason is None]
            self._changed.wait_for(lambda: not any(_is_unknown(each) for each in new) or self._is_closed, patience_s)
            for each in filter(_is_unknown, new):
                each.reason = f"not open yet after {patience_s:g} s; a server serves it as soon as it opens"
            return self.found

    @property
    def found(self) -> SourcesSnapshot:
        """What is known now."""
        with self._changed:
            return SourcesSnapshot(
                opened={name: each.opened for name, each in self._sources.items() if each.opened is not None},
                unavailable={
                    name: each.reason for name, each in self._sources.items() if each.reason and not each.is_wrong
                },
                causes={
                    name: str(away)
                    for name, each in self._sources.items()
                    if each.reason and (away := away_of(each.failure)) is not None
                },
                wrong={name: each.reason for name, each in self._sources.items() if each.reason and each.is_wrong},
                changes=self._changes,
            )

    def __contains__(self, collection: str) -> bool:
        """Return whether the source of a collection is elsewhere."""
        return collection in self._sources

    def __iter__(self) -> Iterator[str]:
        """Iterate over the collections whose sources are elsewhere."""
        return iter(self._sources)

    def is_away(self, collection: str) -> bool:
        """Return whether the source of a collection is elsewhere, and away."""
        source = self._sources.get(collection)
        return source is not None and source.reason is not None and not source.is_wrong

    def require(self, collections: Collection[str]) -> None:
        """Check that none of the collections has a source that is away.

        Raises:
            SourceAway: One has.
        """
        for collection in collections:
            if self.is_away(collection):
                raise SourceAway(f"the source of collection {collection} cannot be read now; try again later")

    def hosts(self, collections: Collection[str]) -> frozenset[str]:
        """Return the hosts on which the sources of these collections lie; none if all are on this machine."""
        found = (self._sources.get(collection) for collection in collections)
        return frozenset(each.host for each in found if each is not None)

    def suspect(self, collections: Collection[str]) -> None:
        """Check sources of which a read failed, a little later if they were checked just now; does not wait."""
        now_s = monotonic()
        with self._changed:
            for collection in collections:
                source = self._sources.get(collection)
                # Whether it is open, and nothing is done or to be done about it but looks.
                if source is not None and source.opened and source.reason is None and source.is_routine:
                    source.is_routine = now_s < source.quiet_until_s
                    if source.due_s is not None:
                        source.due_s = min(source.due_s, max(now_s, source.looked_s + BETWEEN_LOOKS_S))
                    else:
                        source.begun_s = now_s
            self._changed.notify_all()

    def retry(self) -> None:
        """Try to open the sources that are away, without waiting for it; of one host as many at once as ever."""
        now_s = monotonic()
        with self._changed:
            for source in self._sources.values():
                if source.reason is not None and source.due_s is not None:
                    source.due_s = min(source.due_s, now_s)
            self._changed.notify_all()

    def close(self) -> None:
        """Open nothing more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _want(self, pending: Mapping[str, PendingSource]) -> None:
        known = self._sources
        self._sources = {
            name: known[name]
            if name in known and known[name].pending.is_same(each)
            else _Source(each, host_of(each.spec.href))
            for name, each in pending.items()
        }
        if self._sources and self._scheduler is None:
            self._scheduler = threading.Thread(target=self._schedule, name="elsewhere", daemon=True)
            self._scheduler.start()
        self._changed.notify_all()

    def _schedule(self) -> None:
        """Until closed: start attempts that are due, and mark sources that take too long as away."""
        with self._changed:
            while not self._is_closed:
                now_s = monotonic()
                self._begin_what_is_due(now_s)
                for source in self._sources.values():
                    if _is_late(source, now_s):
                        source.reason = f"it does not answer within {LOOK_S:g} s"
                        self._tell()
                due = min((each for source in self._sources.values() for each in _events(source, now_s)), default=None)
                self._changed.wait(None if due is None else max(0.0, due - monotonic()))

    def _begin_what_is_due(self, now_s: float) -> None:
        """Begin in the order in which it became due: sources that hang again and again keep no other from its turn."""
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
        except Exception as error:  # any library may fail in its own way; the reason is a finding
            log.debug("a source elsewhere cannot be opened", exc_info=error)
            failure, reason = drop_frames(error), f"it cannot be opened: {one_line(error)}"
        with self._changed:
            source.begun_s = None
            self._threads -= Counter([source.host])
            is_current = self._sources.get(name) is source and not self._is_closed
            is_news = False
            if is_current and opened is not None:
                is_news = self._take(source, opened)
            elif is_current and failure is not None:
                is_news = self._put_off(source, failure, reason)
            if is_news:
                self._tell()
            self._changed.notify_all()
        if opened is not None and source.opened is not opened:
            opened.reader.close()

    def _take(self, source: _Source, opened: Opened) -> bool:
        """Take what opened, unless it is what is open already; return whether that is news."""
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
        """Try again later, soon if it was written while it was opened; return whether that is news.

        It is if the source was not away, or if it failed in another way or not at all before: by its server's refusal
        with another status, or as it cannot be served though its server answers.
        """
        before, had_failed, was_wrong = _refusal(source), source.failure is not None, source.is_wrong
        is_written = isinstance(origin_of(failure), BeingWritten)
        source.failures = 1 if is_written else source.failures + 1
        source.failure = failure
        source.is_routine, source.quiet_until_s = False, 0.0
        source.due_s = monotonic() + delay_s(source.failures, random.random())
        was_there, source.reason = source.reason is None, reason
        is_refused_anew = _refusal(source) not in {None, before}
        return was_there or not had_failed or was_wrong != source.is_wrong or is_refused_anew

    def _tell(self) -> None:
        self._changes += 1
        self.on_change()


def delay_s(failures: int, chance: float) -> float:
    """Return how long to wait after `failures` in a row, shortened at random by `chance`, from 0 to 1."""
    longest = min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(failures - 1, 16))
    return longest * (1 - JITTER * chance)


def _refusal(source: _Source) -> int | None:
    # With which status its server refused it at the last try.
    away = away_of(source.failure)
    return away.status if isinstance(away, Refused) else None


def _is_unknown(source: _Source) -> bool:
    return source.opened is None and source.reason is None


def _is_late(source: _Source, now_s: float) -> bool:
    # Whether a source that was open takes too long to open again after a read failed.
    return _is_suspect(source) and source.begun_s is not None and now_s - source.begun_s >= LOOK_S


def _is_suspect(source: _Source) -> bool:
    return source.opened is not None and source.reason is None and not source.is_routine


def _events(source: _Source, now_s: float) -> Iterator[float]:
    """When something is to be done about a source; one that is due already waits for another of its host to end."""
    if source.due_s is not None and source.due_s > now_s:
        yield source.due_s
    if source.begun_s is not None and _is_suspect(source):
        yield source.begun_s + LOOK_S
