"""Query parameters of what is to be found out about a series."""

from collections.abc import Sequence
from typing import TypeVar

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.series.analysis import (
    ANOMALY_KINDS,
    FILL_METHODS,
    OUTLIERS,
    PHENOLOGY_METHODS,
    SLOT_KINDS,
    TREND_METHODS,
    Analysis,
    Climatology,
    Phenology,
    SavitzkyGolay,
    Smoothing,
    Step,
    Whittaker,
)
from chronotile.model.series.reducer import MEAN, Reducer, parse_reducer
from chronotile.model.time.calendar_step import asked_period
from chronotile.model.time.instants import TimeSelection
from chronotile.model.time.parsing import parse_time
from chronotile.protocols.common.query.kvp import Kvp, choice, integer, number

ANALYSIS_PARAMETERS = (
    *("step", "smooth", "lambda", "outliers", "window", "order", "fill", "climatology", "climatology_by"),
    *("reference", "anomaly", "trend", "phenology", "threshold"),
)
SMOOTHERS = ("whittaker", "savgol")
MIN_STIFFNESS, MAX_STIFFNESS = 1e-3, 1e9
"""Beyond them gaps, and curves, are lost to rounding."""
MAX_WINDOW_DAYS = 3660.0
LEAST_THRESHOLD = 0.01
"""Below it the day after a trough is lost to rounding."""
MAX_ORDER = 5
KINDS_OF_NORMALS = {"mean", "median", "percentile"}

Option = TypeVar("Option", bound=str)


def analysis_of(query: Kvp) -> Analysis | None:
    """Return what is to be found out; `None` where nothing is asked.

    Raises:
        InvalidParameter: A value is not accepted, or a parameter says how to do what is not asked for.
    """
    if not any(name in query for name in ANALYSIS_PARAMETERS):
        return None
    fill = _option(query, "fill", FILL_METHODS)
    anomaly = _option(query, "anomaly", ANOMALY_KINDS)
    trend = _option(query, "trend", TREND_METHODS)
    phenology = _option(query, "phenology", PHENOLOGY_METHODS)
    has_climatology = query.optional("climatology") is not None
    has_normals = has_climatology or anomaly is not None or fill == "climatology"
    _only_with(query, ("reference",), has_normals, "climatology=, anomaly= or fill=climatology")
    _only_with(
        query, ("climatology_by",), has_normals or trend == "seasonal", "climatology=, anomaly= or trend=seasonal"
    )
    _only_with(query, ("threshold",), phenology == "threshold", "phenology=threshold")
    climatology = _climatology(query)
    if anomaly == "z" and climatology.reducer != MEAN:
        raise InvalidParameter(
            "anomaly=z is the distance from the mean; use climatology=mean with it", locator="anomaly"
        )
    return Analysis(
        step=_step(query),
        smooth=_smoothing(query),
        fill=fill,
        climatology=climatology,
        has_climatology=has_climatology,
        anomaly=anomaly,
        trend=trend,
        phenology=None if phenology is None else Phenology(method=phenology, threshold=_threshold(query)),
    )


def refuse_in_columns(analysis: Analysis | None) -> None:
    """Refuse what has no place among columns of one row a time.

    Raises:
        InvalidParameter: It is asked for.
    """
    for name in ("trend", "phenology"):
        if analysis is not None and getattr(analysis, name) is not None:
            raise InvalidParameter(f"{name} is not one value a time; use format=json with it", locator=name)


def _step(query: Kvp) -> Step | None:
    text = query.optional("step")
    if text is None:
        return None
    period = asked_period(text)
    return Step(period, "dekad" if period.is_dekad else text.upper())


def _smoothing(query: Kvp) -> Smoothing | None:
    method = _option(query, "smooth", SMOOTHERS)
    _only_with(query, ("lambda", "outliers"), method == "whittaker", "smooth=whittaker")
    _only_with(query, ("window", "order"), method == "savgol", "smooth=savgol")
    if method == "whittaker":
        default = Whittaker()
        stiffness = _within(query, "lambda", default.stiffness, most=MAX_STIFFNESS)
        if stiffness < MIN_STIFFNESS:
            raise InvalidParameter(f"lambda must be at least {MIN_STIFFNESS:g}, got {stiffness:g}", locator="lambda")
        return Whittaker(
            stiffness=stiffness,
            outliers=_option(query, "outliers", OUTLIERS) or default.outliers,
        )
    if method == "savgol":
        window = _within(query, "window", SavitzkyGolay().window_days, most=MAX_WINDOW_DAYS)
        return SavitzkyGolay(window_days=window, order=_order(query))
    return None


def _climatology(query: Kvp) -> Climatology:
    return Climatology(
        reducer=_reducer(query.optional("climatology") or "mean"),
        by=_option(query, "climatology_by", SLOT_KINDS),
        reference=_reference(query),
    )


def _reducer(text: str) -> Reducer:
    accepted = "use mean, median, or p0 to p100 such as p10"
    try:
        reducer = parse_reducer(text)
    except InvalidParameter as error:
        message = f"climatology {text[:MAX_SHOWN]!r} is not accepted; {accepted}"
        raise InvalidParameter(message, locator="climatology") from error
    if reducer.kind not in KINDS_OF_NORMALS:
        raise InvalidParameter(f"climatology {reducer.name!r} is not accepted; {accepted}", locator="climatology")
    return reducer


def _reference(query: Kvp) -> TimeSelection:
    try:
        return parse_time(query.optional("reference"))
    except InvalidParameter as error:
        raise InvalidParameter(error.message, locator="reference") from error


def _order(query: Kvp) -> int:
    text = query.optional("order")
    order = SavitzkyGolay().order if text is None else integer(text, locator="order", least=0)
    if order > MAX_ORDER:
        raise InvalidParameter(f"order must be from 0 to {MAX_ORDER}, got {order}", locator="order")
    return order


def _threshold(query: Kvp) -> float:
    threshold = _within(query, "threshold", Phenology().threshold, most=1.0)
    if not LEAST_THRESHOLD <= threshold < 1.0:
        raise InvalidParameter(
            f"threshold must be a share from {LEAST_THRESHOLD} to below 1, got {threshold:g}", locator="threshold"
        )
    return threshold


def _within(query: Kvp, name: str, default: float, *, most: float) -> float:
    """A number above 0."""
    text = query.optional(name)
    value = default if text is None else number(text, locator=name)
    if not 0 < value <= most:
        raise InvalidParameter(f"{name} must be above 0 and at most {most:g}, got {value:g}", locator=name)
    return value


def _option(query: Kvp, name: str, accepted: Sequence[Option]) -> Option | None:
    """One of a few words; an empty parameter is told as absent ones are."""
    text = query.optional(name)
    if text is None:
        return None
    word = choice(text.lower(), accepted, locator=name)
    return next(option for option in accepted if option == word)


def _only_with(query: Kvp, names: Sequence[str], is_asked: bool, method: str) -> None:
    for name in names:
        if query.optional(name) is not None and not is_asked:
            raise InvalidParameter(f"{name} belongs to {method}", locator=name)
