"""A series as JSON."""

from typing import Any

import numpy as np
import orjson

from chronotile.encoders.findings import findings_document, methods_document
from chronotile.encoders.instants import JSON_OPTIONS, json_instants
from chronotile.model.series import Series


def encode_series_json(series: Series) -> bytes:
    """Return the document of DESIGN 2.4; numbers shortest-round-trip, `null` where there is no value.

    Where an analysis was asked for, `analysis` has what was found and `methods` how.
    """
    document: dict[str, Any] = {
        "layer": series.layer,
        "units": series.units,
        "point": [series.longitude, series.latitude],
        "times": json_instants(series.times),
        "values": np.ascontiguousarray(series.values, dtype=np.float64),
        "reasons": series.reasons,
    }
    if series.findings is not None:
        document["analysis"] = findings_document(series.findings, 0)
        document["methods"] = methods_document(series.findings)
    return orjson.dumps(document, option=JSON_OPTIONS)
