"""Results of analyses of series, as members of JSON documents."""

from typing import Any

import numpy as np
import orjson

from chronotile.core.model.number_text import number_texts, numbers_json, statistics, text_values
from chronotile.core.model.series.analysis import CONFIDENCE, Findings, Normals, Seasons, Trends, Whittaker
from chronotile.core.model.types import AnyArray, InstantArray

UNITS = {"z": "1", "percentile": "%"}
"""Units of anomalies that differ from the units of the values."""


def methods_document(findings: Findings) -> dict[str, Any]:
    """Return the parameters of each requested analysis, including defaults."""
    analysis = findings.analysis
    methods = {
        "step": analysis.step and {"period": analysis.step.text, "reducer": "mean"},
        "smooth": _smoothing(findings),
        "fill": analysis.fill,
        "climatology": findings.normals and _climatology(findings, findings.normals),
        "anomaly": analysis.anomaly,
        "trend": analysis.trend and {"method": analysis.trend, "per": "year", "confidence": CONFIDENCE},
        "phenology": _phenology(findings),
    }
    return {name: method for name, method in methods.items() if method is not None}


def findings_document(findings: Findings, row: int) -> dict[str, Any]:
    """Return the results for one series; a missing result is `null`, and `reasons` explains it."""
    columns = {name: np.ascontiguousarray(column[row]) for name, column in _columns(findings).items()}
    members = {
        "counts": columns.pop("count", None),
        "anomaly_counts": columns.pop("anomaly_count", None),
        **{name: numbers_json(text_values(column, None)) for name, column in columns.items()},
        "normals": findings.normals and _normals(findings.normals, row),
        "trend": findings.trends and _trend(findings.trends, row),
        "phenology": None if findings.seasons is None else _seasons(findings.seasons[row]),
        "reasons": {name: reasons[row] for name, reasons in findings.reasons.items() if reasons and reasons[row]},
    }
    return {
        name: value for name, value in members.items() if value is not None and not (name == "reasons" and not value)
    }


def findings_columns(findings: Findings) -> dict[str, AnyArray]:
    """Return the results of each series at each time (series, time), by name."""
    columns = {name: np.ascontiguousarray(column) for name, column in _columns(findings).items()}
    kind = findings.analysis.anomaly
    return {
        f"{name}_{kind}" if name == "anomaly" and kind in UNITS else name: column for name, column in columns.items()
    }


def units_of_column(name: str, units: str) -> str:
    """Return the units of a column of `findings_columns`; `units` are the units of the values."""
    return "1" if name in {"count", "anomaly_count"} else UNITS.get(name.removeprefix("anomaly_"), units)


def _columns(findings: Findings) -> dict[str, AnyArray]:
    columns = {
        "count": findings.counts,
        "smooth": findings.smoothed,
        "fill": findings.filled,
        "climatology": None if findings.normals is None else findings.normals.at_times,
        "anomaly": findings.anomalies,
        "anomaly_count": findings.anomaly_counts,
    }
    return {name: column for name, column in columns.items() if column is not None}


def _smoothing(findings: Findings) -> dict[str, Any] | None:
    how = findings.analysis.smoothing
    if how is None:
        return None
    if isinstance(how, Whittaker):
        return {"method": "whittaker", "lambda": how.stiffness, "outliers": how.outliers}
    return {"method": "savgol", "window": how.window_days, "order": how.order}


def _climatology(findings: Findings, normals: Normals) -> dict[str, Any]:
    return {"reducer": findings.analysis.climatology.reducer.name, "by": normals.by, "reference": normals.reference}


def _phenology(findings: Findings) -> dict[str, Any] | None:
    how = findings.analysis.phenology
    if how is None:
        return None
    return {"method": how.method} | ({"threshold": how.threshold} if how.method == "threshold" else {})


def _normals(normals: Normals, row: int) -> dict[str, Any]:
    return {
        "slots": normals.slots,
        "values": numbers_json(statistics(normals.values[row])),
        "counts": np.ascontiguousarray(normals.counts[row]),
    }


def _trend(trends: Trends, row: int) -> dict[str, orjson.Fragment]:
    columns = {
        "slope": trends.slope,
        "low": trends.low,
        "high": trends.high,
        "intercept": trends.intercept,
        "p": trends.p,
        "count": trends.count,
    }
    texts = {name: number_texts(text_values(column[row : row + 1], None))[0] for name, column in columns.items()}
    return {name: orjson.Fragment(text or "null") for name, text in texts.items()}


def _seasons(seasons: Seasons) -> dict[str, Any]:
    return {
        "start": _days(seasons.start),
        "peak": _days(seasons.peak),
        "end": _days(seasons.end),
        "length": seasons.length_days,
        "amplitude": numbers_json(statistics(seasons.amplitude)),
        "peak_value": numbers_json(statistics(seasons.peak_value)),
    }


def _days(instants: InstantArray) -> list[str]:
    return [str(day) for day in instants.astype("datetime64[D]")]
