"""Series of areas as JSON."""

from collections.abc import Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from chronotile.encoders.instants import format_instants
from chronotile.model.series import AreaSeries


def encode_area_series_json(series: Sequence[AreaSeries]) -> bytes:
    """Return the document of DESIGN 2.4 of areas of one layer at the same times; at least one.

    Numbers are shortest-round-trip, `null` where no cell has a value.
    """
    first = series[0]
    return orjson.dumps(
        {
            "layer": first.layer,
            "units": first.units,
            "times": format_instants(first.times),
            "features": [
                {
                    "id": each.id,
                    "series": {name: _column(name, values) for name, values in each.reduced.items()},
                    "valid": each.valid,
                    "total": each.total,
                }
                for each in series
            ],
        },
        option=orjson.OPT_SERIALIZE_NUMPY,
    )


def _column(name: str, values: NDArray[np.float64]) -> NDArray[np.float64] | NDArray[np.int64]:
    return values.astype(np.int64) if name == "count" else np.ascontiguousarray(values)
