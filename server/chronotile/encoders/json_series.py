"""A series as JSON."""

import numpy as np
import orjson

from chronotile.encoders.instants import format_instants
from chronotile.model.series import Series


def encode_series_json(series: Series) -> bytes:
    """Return the document of DESIGN 2.4; numbers shortest-round-trip, `null` where there is no value."""
    return orjson.dumps(
        {
            "layer": series.layer,
            "units": series.units,
            "point": [series.longitude, series.latitude],
            "times": format_instants(series.times),
            "values": np.ascontiguousarray(series.values, dtype=np.float64),
            "reasons": series.reasons,
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )
