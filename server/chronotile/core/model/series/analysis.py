"""What a client asks to be found out from values along time, and what was found."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.time.periods import Period
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import Float64Array, InstantArray, Int64Array

ReducerKind = Literal["mean", "min", "max", "std", "median", "percentile", "count", "valid_share", "sum", "histogram"]
PLAIN: tuple[ReducerKind, ...] = ("mean", "min", "max", "std", "median", "count", "valid_share", "sum")
"""Those that have no parameters."""

MAX_BINS = 1024
MAX_REDUCERS = 32
"""Of one request; percentiles of a large area take seconds each."""

LOCATOR = "reducers"

_PERCENTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,4})?|100)", re.ASCII)
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?"
_HISTOGRAM = re.compile(rf"histogram:(\d{{1,4}})(?::({_NUMBER}):({_NUMBER}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reducer:
    """How to reduce the values at one time."""

    name: str
    """As written in documents: `mean`, `p10`, `p2.5`, `histogram:16`, `histogram:16:0:1`."""
    kind: ReducerKind
    percent: float | None = None
    """0 to 100, of a percentile; 50 of the median."""
    bins: int | None = None
    """Of a histogram: its number of equal steps."""
    range: tuple[float, float] | None = None
    """Of a histogram: physical values at its ends; `None` is the range of the layer's first style."""


MEAN = Reducer(name="mean", kind="mean")
MIN = Reducer(name="min", kind="min")
MAX = Reducer(name="max", kind="max")
STD = Reducer(name="std", kind="std")
MEDIAN = Reducer(name="median", kind="median", percent=50.0)
COUNT = Reducer(name="count", kind="count")
VALID_SHARE = Reducer(name="valid_share", kind="valid_share")
SUM = Reducer(name="sum", kind="sum")


def parse_reducer(text: str) -> Reducer:
    """Return the reducer that a text names, without regard to case.

    Raises:
        InvalidParameter: There is no such reducer; the message names those that there are.
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
        return _histogram(int(histogram[1]), histogram[2], histogram[3])
    raise InvalidParameter(
        f"reducers {text.strip()[:40]!r} is not accepted; use {', '.join(PLAIN)}, p0 to p100 such as p10 or p2.5, "
        "histogram:BINS or histogram:BINS:LOW:HIGH",
        locator=LOCATOR,
    )


def parse_reducers(texts: Iterable[str]) -> tuple[Reducer, ...]:
    """Return the reducers that texts name, each once, in that order.

    Raises:
        InvalidParameter: One is not accepted.
        LimitExceeded: There are more than `MAX_REDUCERS`.
    """
    reducers = tuple(dict.fromkeys(map(parse_reducer, texts)))
    require_at_most("max_reducers", len(reducers), MAX_REDUCERS, alternative="request fewer at once", locator=LOCATOR)
    return reducers


def _histogram(bins: int, low: str | None, high: str | None) -> Reducer:
    if not 1 <= bins <= MAX_BINS:
        raise InvalidParameter(f"a histogram has 1 to {MAX_BINS} bins, got {bins}", locator=LOCATOR)
    if low is None or high is None:
        return Reducer(name=f"histogram:{bins}", kind="histogram", bins=bins)
    ends = float(low), float(high)
    if not (ends[0] < ends[1] and math.isfinite(ends[1] - ends[0])):
        raise InvalidParameter(f"the range of a histogram must ascend, got {low} to {high}", locator=LOCATOR)
    name = ":".join(("histogram", str(bins), *(repr(end).removesuffix(".0") for end in ends)))
    return Reducer(name=name, kind="histogram", bins=bins, range=ends)


Outliers = Literal["hampel", "upper", "keep"]
FillMethod = Literal["linear", "climatology"]
SlotKind = Literal["day", "dekad", "month"]
AnomalyKind = Literal["abs", "z", "percentile"]
TrendMethod = Literal["theil_sen", "seasonal"]
PhenologyMethod = Literal["threshold", "derivative"]

OUTLIERS: tuple[Outliers, ...] = ("hampel", "upper", "keep")
FILL_METHODS: tuple[FillMethod, ...] = ("linear", "climatology")
SLOT_KINDS: tuple[SlotKind, ...] = ("day", "dekad", "month")
ANOMALY_KINDS: tuple[AnomalyKind, ...] = ("abs", "z", "percentile")
ANOMALY_UNITS: Mapping[AnomalyKind, str] = {"z": "1", "percentile": "percent"}
"""Where they are not those of the values."""
TREND_METHODS: tuple[TrendMethod, ...] = ("theil_sen", "seasonal")
PHENOLOGY_METHODS: tuple[PhenologyMethod, ...] = ("threshold", "derivative")

CONFIDENCE = 0.95
"""That the slope of a trend lies in its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Values of several series at the same times."""

    times: InstantArray
    """(time,), ascending."""
    values: Float64Array
    """(series, time), NaN where there is none."""
    circle: float | None = None
    """Length of a full turn if the values are directions, as `Encoding.circle`."""


@dataclass(frozen=True, slots=True)
class PeriodStep:
    """Periods of which each becomes one value."""

    period: Period
    text: str
    """As it was requested: `P1M`, `dekad`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whittaker:
    """Smoothing by penalised least squares."""

    stiffness: float = 3_000.0
    """Lambda, in cubic days."""
    outliers: Outliers = "hampel"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavitzkyGolay:
    """Smoothing by polynomials over a moving window."""

    window_days: float = 90.0
    order: int = 2


Smoothing = Whittaker | SavitzkyGolay


@dataclass(frozen=True, slots=True, kw_only=True)
class Climatology:
    """What is normal for a time of the year."""

    reducer: Reducer = MEAN
    """A mean, median or percentile."""
    by: SlotKind | None = None
    """Parts of a year; `None` is months for values four weeks and more apart, else dekads."""
    reference: TimeSelection = ABSENT
    """Of which times; all of the layer where none are named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phenology:
    """How the seasons of a curve are found."""

    method: PhenologyMethod = "threshold"
    threshold: float = 0.5
    """Share of the rise, and of the fall, at which a season begins and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What to compute; `None` for what is not requested."""

    step: PeriodStep | None = None
    smooth: Smoothing | None = None
    fill: FillMethod | None = None
    climatology: Climatology = Climatology()
    """How; whether it is requested is `has_climatology`."""
    has_climatology: bool = False
    anomaly: AnomalyKind | None = None
    trend: TrendMethod | None = None
    phenology: Phenology | None = None

    @property
    def smoothing(self) -> Smoothing | None:
        """How the curve of the answer is smoothed, or in which seasons are looked for; `None` without either."""
        return Whittaker() if self.smooth is None and self.phenology is not None else self.smooth

    @property
    def columns(self) -> int:
        """How many numbers there are at each time beside the value."""
        chosen = (self.smoothing, self.fill, self.anomaly, self.needs_normals or None)
        return sum(each is not None for each in chosen)

    @property
    def needs_normals(self) -> bool:
        """Whether anything is held against what is normal for the time of the year."""
        return self.has_climatology or self.anomaly is not None or self.fill == "climatology"

    @property
    def is_reference_open(self) -> bool:
        """Whether what is normal is made of times that may be others soon (`TimeSelection.is_open`)."""
        return self.needs_normals and self.climatology.reference.is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Normals:
    """What is normal for each slot of a year."""

    by: SlotKind
    slots: tuple[str, ...]
    """(slot,): month and day each begins with, `MM-DD`."""
    reference: tuple[str, str] | None
    """First and last time they are taken from; `None` without any."""
    values: Float64Array
    """(series, slot), NaN where the reference has no value."""
    counts: Int64Array
    """(series, slot): values of the reference."""
    at_times: Float64Array
    """(series, time): those of the times of the series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Straight lines through series, NaN where there are too few values."""

    slope: Float64Array
    """(series,), per year of 365.25 days."""
    low: Float64Array
    """(series,): lower end of the slope's interval of `CONFIDENCE`."""
    high: Float64Array
    intercept: Float64Array
    """(series,): the line's value at the first time."""
    p: Float64Array
    """(series,): probability of so much rise or fall where there is no trend; two-sided."""
    count: Int64Array
    """(series,): values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seasons:
    """The seasons of one series, in order."""

    start: InstantArray
    """(season,), as all others; whole days."""
    peak: InstantArray
    end: InstantArray
    length_days: Int64Array
    """From start to end."""
    amplitude: Float64Array
    """The peak less the mean of the troughs before and after it."""
    peak_value: Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What was found out about several series; `None` where it was not requested."""

    analysis: Analysis
    """The analysis."""
    curves: Curves
    """What it was found from: the values, or with a step the means of the periods."""
    counts: Int64Array | None = None
    """(series, period): values of each period, where there is a step."""
    smoothed: Float64Array | None = None
    """(series, time), as all others with NaN where there is none."""
    filled: Float64Array | None = None
    normals: Normals | None = None
    anomalies: Float64Array | None = None
    anomaly_counts: Int64Array | None = None
    """(series, period): dates of each period that were compared with their normals, where there is a step."""
    trends: Trends | None = None
    seasons: tuple[Seasons, ...] | None = None
    """(series,)."""
    reasons: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    """(series,) by name: why nothing could be found out; `None` where it could."""
