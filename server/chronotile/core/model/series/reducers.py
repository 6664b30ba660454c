"""Reducers of many values to one, and their text in requests."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from chronotile.core.errors import InvalidParameter, require_at_most

ReducerKind = Literal["mean", "min", "max", "std", "median", "percentile", "count", "valid_share", "sum", "histogram"]

PLAIN: tuple[ReducerKind, ...] = ("mean", "min", "max", "std", "median", "count", "valid_share", "sum")
"""Reducers without parameters."""

COUNT_KINDS = frozenset({"count", "histogram"})
"""Kinds whose results are counts of cells; a histogram with area weights has square metres instead."""
CELL_KINDS = COUNT_KINDS | {"valid_share"}
"""Kinds whose results are counts or fractions of cells, not values."""

MAX_BINS = 1024

MAX_REDUCERS = 32
"""Maximum per request; a percentile of a large area takes seconds."""

LOCATOR = "reducers"

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)", re.ASCII)

_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?"

_HISTOGRAM = re.compile(rf"histogram:(\d{{1,4}})(?::({_NUMBER}):({_NUMBER}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reducer:
    """Function that reduces the values at one time to a number or histogram."""

    name: str
    """Name in documents: `mean`, `p10`, `p2.5`, `histogram:16`, `histogram:16:0:1`."""
    kind: ReducerKind
    percent: float | None = None
    """0 to 100 for a percentile; 50 for the median."""
    bins: int | None = None
    """Number of equal steps of a histogram."""
    range: tuple[float, float] | None = None
    """Physical values at the ends of a histogram; `None`: the range of the layer's first style."""


MEAN = Reducer(name="mean", kind="mean")

STD = Reducer(name="std", kind="std")


def parse_reducer(text: str, *, locator: str = "reducer") -> Reducer:
    """Return the reducer with this name, in any case.

    Args:
        text: The name.
        locator: The parameter, for the message.

    Raises:
        InvalidParameter: No reducer has this name; the message lists the names.
    """
    name = text.strip().lower()
    for kind in PLAIN:
        if name == kind:
            return Reducer(name=name, kind=kind, percent=50.0 if kind == "median" else None)
    percentile = _PERCENTILE.fullmatch(name)
    if percentile:
        percent = float(percentile[1])
        return Reducer(name=f"p{percent:.10g}", kind="percentile", percent=percent)
    histogram = _HISTOGRAM.fullmatch(name)
    if histogram:
        return _histogram(int(histogram[1]), histogram[2], histogram[3], locator)
    raise InvalidParameter(
        f"{locator} {text.strip()[:40]!r} is not accepted; use {', '.join(PLAIN)}, p0 to p100 such as p10 or p2.5, "
        "histogram:BINS or histogram:BINS:LOW:HIGH",
        locator=locator,
    )


def parse_reducers(texts: Iterable[str]) -> tuple[Reducer, ...]:
    """Return the reducers with these names, without duplicates, in order.

    Raises:
        InvalidParameter: A name is not accepted.
        LimitExceeded: There are more than `MAX_REDUCERS`.
    """
    reducers = tuple(dict.fromkeys(parse_reducer(text, locator=LOCATOR) for text in texts))
    require_at_most("max_reducers", len(reducers), MAX_REDUCERS, alternative="request fewer at once", locator=LOCATOR)
    return reducers


def _histogram(bins: int, low: str | None, high: str | None, locator: str) -> Reducer:
    if not 1 <= bins <= MAX_BINS:
        raise InvalidParameter(f"a histogram has 1 to {MAX_BINS} bins, got {bins}", locator=locator)
    if low is None or high is None:
        return Reducer(name=f"histogram:{bins}", kind="histogram", bins=bins)
    ends = float(low), float(high)
    if not (ends[0] < ends[1] and math.isfinite(ends[1] - ends[0])):
        raise InvalidParameter(f"the range of a histogram must ascend, got {low} to {high}", locator=locator)
    name = ":".join(("histogram", str(bins), *(repr(end).removesuffix(".0") for end in ends)))
    return Reducer(name=name, kind="histogram", bins=bins, range=ends)
