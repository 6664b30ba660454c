"""Repeated checks of sources, so that new, replaced and removed items reach the index soon."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from time import monotonic

from chronotile.archive.index.fill import FillSummary, IndexStore, Interrupted, fill
from chronotile.archive.index.source import ItemSource
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of
from chronotile.core.errors import ChronotileError
from chronotile.core.model.source import SourceSpec

log = logging.getLogger(__name__)


TICK_S = 0.5
"""Interval of checks of local sources."""
MAX_FILES = 10_000
"""Files that each check compares with their stored state; folders show all other changes."""
EVERY_S = 60.0
"""Default interval of requests to remote sources."""
WHOLE_S = 86_400.0
"""Interval of complete passes, which find removed items."""
LATEST_S = 600.0
"""Longest wait after failures; each failure doubles the wait."""


@dataclass(slots=True)
class _WatchedSource:
    spec: SourceSpec
    source: ItemSource | None = None
    due_s: float = 0.0
    failures: int = 0
    has_begun: bool = False
    whole_due_s: float = 0.0
    """When the whole source is read again, with or without changes."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Checks the sources of some collections until it is stopped."""

    specs: InitVar[Sequence[SourceSpec]]
    access: SourceAccess
    store: IndexStore
    every_s: float = EVERY_S
    report: Callable[[FillSummary], None] = lambda _summary: None
    """Called after each pass that changed something or was incomplete."""
    is_stopped: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = monotonic
    _watched: list[_WatchedSource] = field(default_factory=list)

    def __post_init__(self, specs: Sequence[SourceSpec]) -> None:
        self.follow(specs)

    def follow(self, specs: Sequence[SourceSpec]) -> None:
        """Check the sources of these collections from now on; unchanged collections keep their state."""
        before = {w.spec.collection: w for w in self._watched}
        self._watched = [
            before[spec.collection]
            if spec.collection in before and before[spec.collection].spec == spec
            else _WatchedSource(spec)
            for spec in specs
        ]

    def look(self) -> None:
        """Check each source that is due; an unreadable source is logged and retried later.

        Raises:
            Interrupted: The watch was stopped.
        """
        for watched in self._watched:
            if self.clock() >= watched.due_s:
                self._look_at(watched)
            if self.is_stopped():
                raise Interrupted

    def _look_at(self, watched: _WatchedSource) -> None:
        try:
            if watched.source is None:
                watched.source = source_of(watched.spec, self.access)
            watched.due_s = self.clock() + (TICK_S if watched.source.is_here else self.every_s)
            is_whole = self._is_whole_due(watched, watched.source)
            if not is_whole and not watched.source.has_changed(most_files=MAX_FILES):
                return
            watched.has_begun = False  # if the pass fails, the source is read completely next time
            is_forced = is_whole and not watched.source.state
            collection, stopped = indexed_collection(watched.spec), self.is_stopped
            summary = fill(collection, watched.source, self.store, is_whole=is_forced, is_stopped=stopped)
            watched.has_begun, watched.failures = summary.is_complete, 0
            if summary.is_whole and summary.is_complete:
                watched.whole_due_s = self.clock() + WHOLE_S
            if not summary.is_complete:
                watched.due_s = self.clock() + self.every_s
            if summary.is_news:
                self.report(summary)
        except ChronotileError as error:
            watched.failures += 1
            watched.due_s = self.clock() + min(LATEST_S, self.every_s * 2 ** min(watched.failures - 1, 10))
            if watched.failures == 1:
                log.warning("%s: %s", watched.spec.collection, error.message)

    def _is_whole_due(self, watched: _WatchedSource, source: ItemSource) -> bool:
        """Return whether a source is read completely: a local source at first, and every source after `WHOLE_S`."""
        if not watched.has_begun and source.is_here:
            return True
        if not watched.has_begun:
            age_s = self.store.passes.whole_age_s(watched.spec.collection, source=source.identity)
            watched.whole_due_s = self.clock() + (0.0 if age_s is None else WHOLE_S - age_s)
        return self.clock() >= watched.whole_due_s
