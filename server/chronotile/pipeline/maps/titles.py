"""Titles on legends and animations."""

from collections.abc import Mapping

from chronotile.core.model.collection import Layer
from chronotile.core.model.request import LegendRequest, ShownLayer
from chronotile.core.model.series.analysis import AnomalyKind
from chronotile.core.model.time.selection_text import words_of

ANOMALY_TITLES: Mapping[AnomalyKind, str] = {
    "abs": "{} minus {}",
    "z": "{} against {}, in standard deviations",
    "percentile": "{}, percent of {} that is less",
}


def anomaly_title(request: ShownLayer | LegendRequest, title: str) -> str:
    """Return a title that states the anomaly, if one is requested: `NDVI: 2024-06 minus usual of 2015 to 2023`."""
    anomaly = request.anomaly
    if anomaly is None:
        return title
    period, usual = words_of(request.time), f"usual of {words_of(anomaly.reference) or 'all years'}"
    return ANOMALY_TITLES[anomaly.kind].format(f"{title}: {period}" if period else title, usual)


def layer_title(layer: Layer) -> str:
    """Return the title of a layer in the default language, or its id."""
    return layer.title.get("") or next(iter(layer.title.values()), layer.id)
