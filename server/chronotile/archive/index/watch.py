"""Goes on looking at sources, so that a new, replaced or removed item is in the index soon."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field
from time import monotonic

from chronotile.archive.index.fill import FillSummary, IndexStore, Interrupted, fill
from chronotile.archive.index.source import ItemSource
from chronotile.archive.index.sources import SourceAccess, indexed, source_of
from chronotile.errors import ChronotileError
from chronotile.model.source import SourceSpec

TICK_S = 0.5
"""How often sources on this machine are looked at."""
MOST_FILES = 10_000
"""Files that are looked at each time, to see whether one was written over; folders show all other changes."""
EVERY_S = 60.0
"""By default, how often sources elsewhere are requested."""
WHOLE_S = 86_400.0
"""How often all of a source is looked at, to find items that were removed."""
LATEST_S = 600.0
"""The longest wait after failures; each failure doubles it."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Watched:
    spec: SourceSpec
    source: ItemSource | None = None
    due_s: float = 0.0
    failures: int = 0
    has_begun: bool = False
    whole_due_s: float = 0.0
    """When all of it is looked at again, with or without changes."""


@dataclass(slots=True, kw_only=True)
class Watch:
    """Looks at the sources of some collections until it is stopped."""

    specs: InitVar[Sequence[SourceSpec]]
    access: SourceAccess
    store: IndexStore
    every_s: float = EVERY_S
    report: Callable[[FillSummary], None] = lambda _summary: None
    """Called after each pass that changed something, or could not be completed."""
    is_stopped: Callable[[], bool] = lambda: False
    clock: Callable[[], float] = monotonic
    _watched: list[_Watched] = field(default_factory=list)

    def __post_init__(self, specs: Sequence[SourceSpec]) -> None:
        self.follow(specs)

    def follow(self, specs: Sequence[SourceSpec]) -> None:
        """Look at the sources of these collections from now on; those configured as before go on."""
        before = {each.spec.collection: each for each in self._watched}
        self._watched = [
            before[spec.collection]
            if spec.collection in before and before[spec.collection].spec == spec
            else _Watched(spec)
            for spec in specs
        ]

    def look(self) -> None:
        """Look once at each source that is due; one that cannot be read is logged, and looked at later.

        Raises:
            Interrupted: It was stopped.
        """
        for each in self._watched:
            if self.clock() >= each.due_s:
                self._look_at(each)
            if self.is_stopped():
                raise Interrupted

    def _look_at(self, each: _Watched) -> None:
        try:
            if each.source is None:
                each.source = source_of(each.spec, self.access)
            each.due_s = self.clock() + (TICK_S if each.source.is_here else self.every_s)
            is_whole = self._is_whole_due(each, each.source)
            if not is_whole and not each.source.has_changed(most_files=MOST_FILES):
                return
            each.has_begun = False  # what is not stored now is not seen as a change later
            summary = fill(
                indexed(each.spec),
                each.source,
                self.store,
                is_whole=is_whole and not each.source.state,
                is_stopped=self.is_stopped,
            )
            each.has_begun, each.failures = summary.is_complete, 0
            if summary.is_whole and summary.is_complete:
                each.whole_due_s = self.clock() + WHOLE_S
            if not summary.is_complete:
                each.due_s = self.clock() + self.every_s
            if summary.is_news:
                self.report(summary)
        except ChronotileError as error:
            each.failures += 1
            each.due_s = self.clock() + min(LATEST_S, self.every_s * 2 ** min(each.failures - 1, 10))
            if each.failures == 1:
                log.warning("%s: %s", each.spec.collection, error.message)

    def _is_whole_due(self, each: _Watched, source: ItemSource) -> bool:
        """Whether all of a source is looked at: one of this machine at first, and each from time to time."""
        if not each.has_begun and source.is_here:
            return True
        if not each.has_begun:
            age_s = self.store.passes.whole_age_s(each.spec.collection, source=source.identity)
            each.whole_due_s = self.clock() + (0.0 if age_s is None else WHOLE_S - age_s)
        return self.clock() >= each.whole_due_s
