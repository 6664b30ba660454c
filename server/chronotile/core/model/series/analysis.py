"""Requested analyses of values along time, and their results."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from chronotile.core.model.series.reducers import MEAN, Reducer
from chronotile.core.model.time.periods import Period
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.core.model.types import Float64Array, InstantArray, Int64Array

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
"""Units of anomalies that do not have the units of the values."""
TREND_METHODS: tuple[TrendMethod, ...] = ("theil_sen", "seasonal")
PHENOLOGY_METHODS: tuple[PhenologyMethod, ...] = ("threshold", "derivative")

CONFIDENCE = 0.95
"""Probability that the slope of a trend is in its interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """Values of several series at the same times."""

    times: InstantArray
    """(time,), ascending."""
    values: Float64Array
    """(series, time), NaN if missing."""
    circle: float | None = None
    """Length of a full turn if the values are directions (`Encoding.circle`)."""


@dataclass(frozen=True, slots=True)
class PeriodStep:
    """Periods that are each reduced to one value."""

    period: Period
    text: str
    """Text of the request: `P1M`, `dekad`."""


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
    """Computation of the usual values for parts of the year."""

    reducer: Reducer = MEAN
    """A mean, median or percentile."""
    by: SlotKind | None = None
    """Parts of a year. `None`: months if values are at least four weeks apart, else dekads."""
    reference: TimeSelection = ABSENT
    """Times of the usual values; absent: all times of the layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phenology:
    """Method that finds the seasons of a curve."""

    method: PhenologyMethod = "threshold"
    threshold: float = 0.5
    """Fraction of the rise and fall at which a season starts and ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Requested computations; `None` if not requested."""

    step: PeriodStep | None = None
    smooth: Smoothing | None = None
    fill: FillMethod | None = None
    climatology: Climatology = Climatology()
    """Method of the climatology; `has_climatology` states whether it is requested."""
    has_climatology: bool = False
    anomaly: AnomalyKind | None = None
    trend: TrendMethod | None = None
    phenology: Phenology | None = None

    @property
    def smoothing(self) -> Smoothing | None:
        """Smoothing of the answer's curve, or of the curve whose seasons are searched; `None` without either."""
        return Whittaker() if self.smooth is None and self.phenology is not None else self.smooth

    @property
    def columns(self) -> int:
        """Number of numbers per time in addition to the value."""
        chosen = (self.smoothing, self.fill, self.anomaly, self.needs_normals or None)
        return sum(part is not None for part in chosen)

    @property
    def needs_normals(self) -> bool:
        """Whether any result depends on the usual values of the time of year."""
        return self.has_climatology or self.anomaly is not None or self.fill == "climatology"

    @property
    def is_reference_open(self) -> bool:
        """Whether the usual values come from times that may change soon (`TimeSelection.is_open`)."""
        return self.needs_normals and self.climatology.reference.is_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Normals:
    """Usual values per slot of a year."""

    by: SlotKind
    slots: tuple[str, ...]
    """(slot,): first month and day of each slot, `MM-DD`."""
    reference: tuple[str, str] | None
    """First and last time of the reference; `None` if it has no times."""
    values: Float64Array
    """(series, slot), NaN if the reference has no value."""
    counts: Int64Array
    """(series, slot): number of values in the reference."""
    at_times: Float64Array
    """(series, time): usual values at the times of the series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trends:
    """Straight lines through series, NaN if there are too few values."""

    slope: Float64Array
    """(series,), per year of 365.25 days."""
    low: Float64Array
    """(series,): lower end of the interval of the slope, with probability `CONFIDENCE`."""
    high: Float64Array
    intercept: Float64Array
    """(series,): value of the line at the first time."""
    p: Float64Array
    """(series,): two-sided probability of at least this slope without a trend."""
    count: Int64Array
    """(series,): number of values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seasons:
    """The seasons of one series, in order."""

    start: InstantArray
    """(season,), like all other arrays; whole days."""
    peak: InstantArray
    end: InstantArray
    length_days: Int64Array
    """Days from start to end."""
    amplitude: Float64Array
    """Peak minus the mean of the troughs before and after it."""
    peak_value: Float64Array


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Results of an analysis of several series; `None` if not requested."""

    analysis: Analysis
    """The requested analysis."""
    curves: Curves
    """The analysed curves: values, or means of periods if a step was requested."""
    counts: Int64Array | None = None
    """(series, period): number of values per period, if a step was requested."""
    smoothed: Float64Array | None = None
    """(series, time), NaN if missing; the same for all other arrays."""
    filled: Float64Array | None = None
    normals: Normals | None = None
    anomalies: Float64Array | None = None
    anomaly_counts: Int64Array | None = None
    """(series, period): number of dates compared with usual values, if a step was requested."""
    trends: Trends | None = None
    seasons: tuple[Seasons, ...] | None = None
    """(series,)."""
    reasons: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    """(series,) by name: why a result is missing; `None` if it is not."""
