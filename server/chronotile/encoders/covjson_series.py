"""Series as CoverageJSON (OGC 21-069r2)."""

from typing import Any

import numpy as np
import orjson

from chronotile.encoders.covjson_parts import ANY_LANGUAGE, parameter, referencing
from chronotile.encoders.instants import format_instants
from chronotile.encoders.place_series import VALUE, PlaceSeries, PlacesSeries, outline
from chronotile.model.crs import CRS84


def encode_series_covjson(series: PlacesSeries) -> bytes:
    """Return a CoverageCollection of PointSeries, or of PolygonSeries (§9.11); without times, of points or polygons.

    An area of several polygons is a MultiPolygonSeries whose polygons all have the values of the whole area: the
    standard has no domain in which one value belongs to several polygons together.
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
    ranges = {name: _range(values.astype(np.float64), "float", polygons) for name, values in place.flat.items()}
    if place.valid is not None:
        ranges["valid"] = _range(place.valid, "integer", polygons)
    if not series.has_time:
        ranges = {name: _without_time(each) for name, each in ranges.items()}
    return {"type": "Coverage", **identity, "domain": _domain(place, series), "ranges": ranges}


def _domain(place: PlaceSeries, series: PlacesSeries) -> dict[str, Any]:
    axes: dict[str, Any] = {"t": {"values": format_instants(series.times)}} if series.has_time else {}
    suffix = "Series" if series.has_time else ""
    if place.area is None:
        longitude, latitude = place.point or (np.nan, np.nan)
        axes |= {"x": {"values": [longitude]}, "y": {"values": [latitude]}}
        return {"type": "Domain", "domainType": f"Point{suffix}", "axes": axes}
    polygons = [[np.ascontiguousarray(ring) for ring in polygon] for polygon in outline(place.area)]
    axes["composite"] = {"dataType": "polygon", "coordinates": ["x", "y"], "values": polygons}
    kind = "Polygon" if len(polygons) == 1 else "MultiPolygon"
    return {"type": "Domain", "domainType": f"{kind}{suffix}", "axes": axes}


def _range(values: np.ndarray[Any, Any], kind: str, polygons: int) -> dict[str, Any]:
    """One value a time; of several polygons, which share it, one a time and polygon."""
    listed = {"type": "NdArray", "dataType": kind, "axisNames": ["t"], "shape": [len(values)]}
    if polygons == 1:
        return {**listed, "values": np.ascontiguousarray(values)}
    listed |= {"axisNames": ["t", "composite"], "shape": [len(values), polygons]}
    return {**listed, "values": np.repeat(values, polygons)}


def _without_time(listed: dict[str, Any]) -> dict[str, Any]:
    """The same without the axis that there is not."""
    return {**listed, "axisNames": listed["axisNames"][1:], "shape": listed["shape"][1:]}
