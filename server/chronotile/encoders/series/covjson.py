"""Series as CoverageJSON (OGC 21-069r2)."""

from functools import partial
from typing import Any

import numpy as np
import orjson

from chronotile.encoders.covjson_parts import (
    ANY_LANGUAGE,
    parameter,
    polygons_axis,
    polygons_domain_type,
    referencing,
    values_along_time,
)
from chronotile.encoders.instants import format_instants
from chronotile.encoders.series.table import VALUE, PlaceSeries, PlacesSeries, outline
from chronotile.model.crs import CRS84


def encode_series_covjson(series: PlacesSeries) -> bytes:
    """Return a CoverageCollection of PointSeries, or of PolygonSeries (§9.11); without times, of points or polygons.

    An area of several polygons is a MultiPolygonSeries whose polygons all have the values of the whole area.
    """
    document = {
        "type": "CoverageCollection",
        **series.credits.told,
        "parameters": _parameters(series),
        "referencing": referencing(CRS84, has_time=series.has_time),
        "coverages": [_coverage(place, series) for place in series.places],
    }
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def _parameters(series: PlacesSeries) -> dict[str, Any]:
    parameters = {
        name: parameter({ANY_LANGUAGE: _label(name, series)}, series.units_of(name)) for name in series.columns
    }
    if series.has_areas:
        parameters["valid"] = parameter({ANY_LANGUAGE: "cells with a value"}, "1")
    return parameters


def _label(name: str, series: PlacesSeries) -> str:
    """The layer alone for the values of points, which are as it has them."""
    return series.layer if name == VALUE else f"{series.layer}, {name}"


def _coverage(place: PlaceSeries, series: PlacesSeries) -> dict[str, Any]:
    identity = {} if place.id is None else {"id": str(place.id)}
    polygons = 1 if place.area is None else len(place.area.polygons)
    write = partial(values_along_time, has_time=series.has_time, polygons=polygons)
    ranges = {name: write(series.texts(name, values).astype(np.float64)) for name, values in place.flat.items()}
    if place.valid is not None:
        ranges["valid"] = write(place.valid)
    return {"type": "Coverage", **identity, "domain": _domain(place, series), "ranges": ranges}


def _domain(place: PlaceSeries, series: PlacesSeries) -> dict[str, Any]:
    axes: dict[str, Any] = {"t": {"values": format_instants(series.times)}} if series.has_time else {}
    if place.area is None:
        longitude, latitude = place.point or (np.nan, np.nan)
        axes |= {"x": {"values": [longitude]}, "y": {"values": [latitude]}}
        return {"type": "Domain", "domainType": "PointSeries" if series.has_time else "Point", "axes": axes}
    polygons = outline(place.area)
    axes["composite"] = polygons_axis(polygons)
    kind = polygons_domain_type(len(polygons), has_time=series.has_time)
    return {"type": "Domain", "domainType": kind, "axes": axes}
