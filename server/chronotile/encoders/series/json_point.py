"""A series as JSON."""

from typing import Any

import orjson

from chronotile.encoders.instants import JSON_OPTIONS, json_instants
from chronotile.encoders.series.analysis import findings_document, methods_document
from chronotile.model.number_text import numbers_json, text_values
from chronotile.model.series.series import Series


def encode_series_json(series: Series) -> bytes:
    """Return the document of docs/reference/layers-and-series.md; `null` where there is no value.

    Where an analysis was asked for, `analysis` has what was found and `methods` how.
    """
    document: dict[str, Any] = {
        "layer": series.layer,
        "units": series.units,
        "point": [series.longitude, series.latitude],
        "times": json_instants(series.times),
        "values": numbers_json(text_values(series.values, series.encoding)),
        "reasons": series.reasons,
    }
    if series.findings is not None:
        document["analysis"] = findings_document(series.findings, 0)
        document["methods"] = methods_document(series.findings)
    return orjson.dumps(document, option=JSON_OPTIONS)
