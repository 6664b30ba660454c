"""The documents of Terrascope's time-series service: the same keys, JSON types and order."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson

from chronotile.catalog.catalogue import Catalogue
from chronotile.encoders.instants import format_instants
from chronotile.model.collection import Layer
from chronotile.model.series import Series
from chronotile.model.time import InstantArray, TimeDomain, format_day, format_instant
from chronotile.protocols.common.extent import longitude_latitude_box


def layer_list(catalogue: Catalogue) -> dict[str, Any]:
    """Return every layer that has series, under its id and under each alias; composites have none."""
    layers = (layer for layer in catalogue.layers if not layer.is_composite)
    return {"layers": [entry for layer in layers for entry in _entries(layer)]}


def _entries(layer: Layer) -> Iterable[dict[str, Any]]:
    dates = format_instants(layer.times.instants)
    xmin, ymin, xmax, ymax = longitude_latitude_box(layer)
    bounds = {"xmin": xmin, "ymin": ymin, "xmax": xmax, "ymax": ymax}
    for name in (layer.id, *(alias.name for alias in layer.aliases)):
        yield {"name": name, "dates": dates, "bounds": bounds}


def encode_terrascope_series(series: Series, domain: TimeDomain) -> bytes:
    """Return one result a date, dates without a valid value included.

    Args:
        series: Of one native cell.
        domain: All times of the layer, which tell where a day alone does not name one.
    """
    if len(domain) == 0:
        return orjson.dumps({"results": []})
    values = [value if np.isfinite(value) else None for value in series.values.tolist()]
    dates = _dates(series.times, domain)
    return orjson.dumps({"results": [_result(date, value) for date, value in zip(dates, values, strict=True)]})


def _result(date: str, value: float | None) -> dict[str, Any]:
    return {"date": date, "result": {"totalCount": 1, "validCount": int(value is not None), "average": value}}


def _dates(instants: InstantArray, domain: TimeDomain) -> list[str]:
    """`YYYY-MM-DD`, or the full instant on days that have several."""
    days, counts = np.unique(domain.instants.astype("datetime64[D]"), return_counts=True)
    shared = set(days[counts > 1].tolist())
    return [
        format_instant(instant) if day in shared else format_day(instant)
        for instant, day in zip(instants, instants.astype("datetime64[D]").tolist(), strict=True)
    ]
