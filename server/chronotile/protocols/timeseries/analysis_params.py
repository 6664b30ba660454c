"""Query parameters of what is to be found out about a series."""

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
from chronotile.model.time.calendar_step import requested_period
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, choice, custom, names_of, number, times, whole

KINDS_OF_NORMALS = {"mean", "median", "percentile"}


def _step(given: str) -> Step:
    period = requested_period(given)
    return Step(period, "dekad" if period.is_dekad else given.upper())


def _normal(given: str) -> Reducer:
    accepted = "use mean, median, or p0 to p100 such as p10"
    try:
        reducer = parse_reducer(given)
    except InvalidParameter as error:
        message = f"climatology {given[:MAX_SHOWN]!r} is not accepted; {accepted}"
        raise InvalidParameter(message, locator="climatology") from error
    if reducer.kind not in KINDS_OF_NORMALS:
        raise InvalidParameter(f"climatology {reducer.name!r} is not accepted; {accepted}", locator="climatology")
    return reducer


STEP = custom("step", "`dekad`, or a period such as `P1M`: reduces the series to one value per period first", _step)
SMOOTH = choice("smooth", "A smooth curve through the values", ("whittaker", "savgol"))
# Beyond these bounds gaps, and curves, are lost to rounding.
LAMBDA = number("lambda", "Of Whittaker: stiffness in cubic days", least=1e-3, most=1e9)
OUTLIER_RULE = choice("outliers", "Of Whittaker: treatment of outliers", OUTLIERS)
WINDOW = number("window", "Of Savitzky-Golay: days", above=0, most=3660)
ORDER = whole("order", "Of Savitzky-Golay: order of the polynomial", least=0, most=5)
FILL = choice("fill", "The values with their gaps filled", FILL_METHODS)
CLIMATOLOGY = custom(
    "climatology", "Normal value for the time of the year: `mean`, `median`, or `p0` to `p100`", _normal, default=MEAN
)
CLIMATOLOGY_BY = choice("climatology_by", "Parts of a year", SLOT_KINDS)
REFERENCE = times("reference", "Reference times of the normals, in any form of `datetime`; default: all")
ANOMALY = choice("anomaly", "Anomaly of each value", ANOMALY_KINDS)
TREND = choice("trend", "Slope per year and its significance", TREND_METHODS)
PHENOLOGY = choice("phenology", "Start, peak and end of each season", PHENOLOGY_METHODS)
# Below the least share the day after a trough is lost to rounding.
THRESHOLD = number("threshold", "Of `phenology=threshold`: share of the rise and of the fall", least=0.01, below=1)
ANALYSIS: tuple[Parameter[object], ...] = (
    *(STEP, SMOOTH, LAMBDA, OUTLIER_RULE, WINDOW, ORDER, FILL, CLIMATOLOGY, CLIMATOLOGY_BY, REFERENCE),
    *(ANOMALY, TREND, PHENOLOGY, THRESHOLD),
)


def analysis_of(query: Kvp) -> Analysis | None:
    """Return the analysis; `None` where none is requested.

    Raises:
        InvalidParameter: A value is not accepted, or a parameter is an option of an analysis that is not requested.
    """
    if not any(name in query for name in names_of(ANALYSIS)):
        return None
    fill, anomaly, trend, phenology = (
        FILL.given(query),
        ANOMALY.given(query),
        TREND.given(query),
        PHENOLOGY.given(query),
    )
    has_climatology = query.optional(CLIMATOLOGY.name) is not None
    has_normals = has_climatology or anomaly is not None or fill == "climatology"
    _only_with(query, (REFERENCE,), has_normals, "climatology=, anomaly= or fill=climatology")
    _only_with(query, (CLIMATOLOGY_BY,), has_normals or trend == "seasonal", "climatology=, anomaly= or trend=seasonal")
    _only_with(query, (THRESHOLD,), phenology == "threshold", "phenology=threshold")
    climatology = Climatology(
        reducer=CLIMATOLOGY.of(query), by=CLIMATOLOGY_BY.given(query), reference=REFERENCE.of(query)
    )
    threshold = THRESHOLD.given(query) or Phenology().threshold
    if anomaly == "z" and climatology.reducer != MEAN:
        raise InvalidParameter("anomaly=z is relative to the mean; use climatology=mean with it", locator="anomaly")
    return Analysis(
        step=STEP.given(query),
        smooth=_smoothing(query),
        fill=fill,
        climatology=climatology,
        has_climatology=has_climatology,
        anomaly=anomaly,
        trend=trend,
        phenology=None if phenology is None else Phenology(method=phenology, threshold=threshold),
    )


def refuse_in_columns(analysis: Analysis | None) -> None:
    """Refuse what has no place among columns of one row a time.

    Raises:
        InvalidParameter: It is requested.
    """
    for name in ("trend", "phenology"):
        if analysis is not None and getattr(analysis, name) is not None:
            raise InvalidParameter(f"{name} has more than one value per time; use format=json with it", locator=name)


def _smoothing(query: Kvp) -> Smoothing | None:
    method = SMOOTH.given(query)
    _only_with(query, (LAMBDA, OUTLIER_RULE), method == "whittaker", "smooth=whittaker")
    _only_with(query, (WINDOW, ORDER), method == "savgol", "smooth=savgol")
    if method == "whittaker":
        default = Whittaker()
        return Whittaker(
            stiffness=LAMBDA.given(query) or default.stiffness,
            outliers=OUTLIER_RULE.given(query) or default.outliers,
        )
    if method == "savgol":
        window, order = WINDOW.given(query), ORDER.given(query)
        default_curve = SavitzkyGolay()
        return SavitzkyGolay(
            window_days=default_curve.window_days if window is None else window,
            order=default_curve.order if order is None else order,
        )
    return None


def _only_with(query: Kvp, parameters: tuple[Parameter[object], ...], is_given: bool, method: str) -> None:
    for name in names_of(parameters):
        if query.optional(name) is not None and not is_given:
            raise InvalidParameter(f"{name} belongs to {method}", locator=name)
