"""Results of a run, and its goals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.figures import median

LATER_S, SLOWER, TERM_S = 3.0, 1.5, 10.0
"""The goals: seconds that a start takes longer, p95 of local tiles as ratio, seconds from SIGTERM to the end."""


@dataclass
class Seen:
    """Results for one layer."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


@dataclass
class Result:
    """Results of both servers."""

    start_s: dict[str, list[float | None]] = field(default_factory=lambda: {"without": [], "with": []})
    """Seconds until `/health/ready` has 200, `None` if it never had."""
    first_tile_s: dict[str, list[float | None]] = field(default_factory=lambda: {"without": [], "with": []})
    term_s: dict[str, list[float | None]] = field(default_factory=lambda: {"without": [], "with": []})
    p95_ms: dict[str, list[float]] = field(default_factory=lambda: {"without": [], "with": []})
    p50_ms: dict[str, list[float]] = field(default_factory=lambda: {"without": [], "with": []})
    local_statuses: dict[str, dict[int, int]] = field(default_factory=lambda: {"without": {}, "with": {}})
    elsewhere: dict[str, Seen] = field(default_factory=dict)
    first_back_s: dict[str, float | None] = field(default_factory=dict)
    """Seconds until sources that failed from the start recovered, by layer."""
    back_s: dict[str, float | None] = field(default_factory=dict)
    """The same for sources that failed later, and whose files were replaced during the failure."""

    @property
    def wrong(self) -> dict[str, list[str]]:
        """Wrong answers by layer."""
        return {layer: each.wrong for layer, each in self.elsewhere.items()}

    def goals(self) -> dict[str, bool]:
        """Return which goals are met."""
        starts = [] if None in self.start_s["with"] else _pairs(self.start_s)
        ratios = [beside / without for without, beside in _pairs(self.p95_ms)]
        terms = self.term_s["with"]
        backs = [*self.first_back_s.values(), *self.back_s.values()]
        return {
            f"ready at most {LATER_S:g} s later": bool(starts) and median([b - a for a, b in starts]) <= LATER_S,
            f"p95 of local tiles at most {SLOWER:g} times": bool(ratios) and median(ratios) <= SLOWER,
            "all local tiles answered": all(set(each) == {200} for each in self.local_statuses.values()),
            "no wrong pixel and no wrong status": bool(self.elsewhere) and not any(self.wrong.values()),
            "all came back": bool(backs) and None not in backs,
            f"SIGTERM within {TERM_S:g} s": bool(terms) and all(each is not None and each <= TERM_S for each in terms),
        }


def _pairs(found: Mapping[str, Sequence[float | None]]) -> list[tuple[float, float]]:
    """The rounds of both servers, without rounds that lack results of a server."""
    both = zip(found["without"], found["with"], strict=False)
    return [(without, beside) for without, beside in both if without is not None and beside is not None]
