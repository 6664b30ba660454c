"""The jobs that do what series are too large for."""

import math
from collections.abc import Mapping
from typing import Any

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.geometry.geojson import document_of, listed_members
from chronotile.model.request import SeriesRequest
from chronotile.model.time.parsing import parse_time
from chronotile.processes.times_and_places import MOST_CONTAINERS, MOST_FEATURES, MOST_VERTICES
from chronotile.protocols.common.job_offer import (
    MOST_REPEATED_BYTES,
    JobInstead,
    datetime_input,
    format_input,
    names_input,
    object_input,
    places_input,
)
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.query.reduction import MIN_VALID
from chronotile.protocols.timeseries.analysis_params import ANALYSIS
from chronotile.protocols.timeseries.area_params import area_request
from chronotile.protocols.timeseries.pages import PAGING
from chronotile.protocols.timeseries.params import DATETIME
from chronotile.protocols.timeseries.points_params import requested_datetime

Json = dict[str, Any]

OF_AREAS: Mapping[str, float] = {
    "max_series_values": math.inf,
    "max_area_values": math.inf,
    "max_features": MOST_FEATURES,
    "max_vertices": MOST_VERTICES,
    "max_containers": MOST_CONTAINERS,
}
OF_POINTS: Mapping[str, float] = {
    "max_series_values": math.inf,
    "max_features": MOST_FEATURES,
    "max_containers": MOST_CONTAINERS,
}
STATISTICS, SERIES = "zonal-statistics", "time-series"
NO_PROCESS_TAKES = names_of((*ANALYSIS, *PAGING))


def statistics_instead(
    layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue, *, is_one: bool, name: str
) -> JobInstead | None:
    """Return the job that does what a series of areas is too large for.

    There is none where it is an analysis or a page, or of a place with too many vertices.

    Args:
        layer: Of the path.
        query: Of the request.
        body: With the geometries, if there is one.
        catalogue: All that is served.
        is_one: Whether the body is one area, whatever it holds.
        name: Of the format.

    Raises:
        ChronotileError: A parameter or the body is not accepted.
    """
    if _has_more(query):
        return None
    reducers, weights = query.optional("reducers"), query.optional("weights")
    least, (format_, notes) = MIN_VALID.of(query), format_input(STATISTICS, name, otherwise="csv")
    inputs = {
        "layer": layer.id,
        **datetime_input(DATETIME.of(query)),
        **({} if reducers is None else {"reducers": [each.strip() for each in reducers.split(",")]}),
        **({} if weights is None else {"weights": weights}),
        **({} if least == 0 else {"min_valid": least}),
        **format_,
    }
    if len(body) > MOST_REPEATED_BYTES:
        crs = query.optional("crs")
        told = "" if crs is None else f" whose member crs names {crs[:MAX_SHOWN]}"
        return _job(STATISTICS, inputs, OF_AREAS, [*notes, f"inputs.places is the body, as a FeatureCollection{told}"])
    if body.strip():
        places = _collection_of(document_of(body), query.optional("crs"), is_one=is_one)
        return _job(STATISTICS, {**inputs, "places": object_input(places)}, OF_AREAS, notes)
    named = places_input(area_request(layer, query, body, catalogue).areas, layer, catalogue)
    return None if named is None else _job(STATISTICS, {**inputs, **named}, OF_AREAS, notes)


def points_instead(query: Kvp, body: bytes, *, name: str) -> JobInstead | None:
    """Return the job that does what series of points are too large for; `None` where they are analysed.

    Raises:
        ChronotileError: A parameter or the body is not accepted.
    """
    if _has_more(query):
        return None
    if len(body) > MOST_REPEATED_BYTES:
        format_, notes = format_input(SERIES, name, otherwise="json")
        inputs = {**datetime_input(DATETIME.of(query)), **format_}
        told = "inputs.layers and inputs.points are those of the body, points as [lon, lat] or a FeatureCollection"
        return _job(SERIES, inputs, OF_POINTS, [*notes, told])
    document = document_of(body)
    layers, points = (given if isinstance(given := document.get(each), list) else [] for each in ("layers", "points"))
    format_, notes = format_input(SERIES, name, otherwise="json")
    is_plain = all(isinstance(each, list) for each in points)
    inputs = {
        "layers": names_input(layers),
        "points": points if is_plain else object_input(_features(points)),
        **datetime_input(parse_time(requested_datetime(document, query))),
        **format_,
    }
    return _job(SERIES, inputs, OF_POINTS, notes)


def point_instead(asked: SeriesRequest, query: Kvp, *, name: str) -> JobInstead | None:
    """Return the job that does what the series of a point is too large for.

    There is none where it is analysed, a page, or in another CRS: processes take longitudes and latitudes, and rounding
    may lead to the next cell.
    """
    if _has_more(query) or asked.point.crs != CRS84:
        return None
    format_, notes = format_input(SERIES, name, otherwise="json")
    points = [[asked.point.x, asked.point.y]]
    inputs = {"layers": asked.layer, "points": points, **datetime_input(asked.time), **format_}
    return _job(SERIES, inputs, OF_POINTS, [*notes, "the file is as /timeseries/points has it"])


def _has_more(query: Kvp) -> bool:
    return any(query.optional(name) is not None for name in NO_PROCESS_TAKES)


def _job(process: str, inputs: Json, limits: Mapping[str, float], notes: list[str]) -> JobInstead:
    return JobInstead(process=process, inputs=inputs, limits=limits, notes=notes)


def _collection_of(document: Json, crs: str | None, *, is_one: bool) -> Json:
    """The areas of a body as features; a CRS stands beside them, where processes look for it.

    Raises:
        InvalidParameter: Its members are no list.
    """
    kind, own = document.get("type"), document.get("crs")
    if kind == "Feature":
        geometry = document.get("geometry")
        own = own or (geometry.get("crs") if isinstance(geometry, dict) else None)
        features = [document]
    elif kind == "FeatureCollection":
        features = listed_members(document, "features")
    elif kind == "GeometryCollection" and not is_one:
        features = [_of_geometry(each) for each in listed_members(document, "geometries")]
    else:
        features = [_of_geometry(document)]
    named = {"type": "name", "properties": {"name": crs}} if crs is not None else own
    return {"type": "FeatureCollection", "features": features, **({} if named is None else {"crs": named})}


def _of_geometry(geometry: Any) -> Json:  # noqa: ANN401 -- as the client sent it
    return {"type": "Feature", "properties": {}, "geometry": geometry}


def _features(points: list[Any]) -> Json:
    return {"type": "FeatureCollection", "features": [_feature(each) for each in points]}


def _feature(point: Any) -> Json:  # noqa: ANN401 -- as the client sent it
    """A position, or `{"id": …, "lon": …, "lat": …}`."""
    if not isinstance(point, dict):
        return _of_geometry({"type": "Point", "coordinates": point})
    feature = _of_geometry({"type": "Point", "coordinates": [point.get("lon"), point.get("lat")]})
    return feature if point.get("id") is None else {**feature, "id": point["id"]}
