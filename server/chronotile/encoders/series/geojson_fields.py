"""Series of several variables as GeoJSON features of EDR (OGC 19-086r6 §8.2.3)."""

from collections.abc import Callable, Generator, Mapping
from typing import Any

import orjson

from chronotile.encoders.covjson_parts import ANY_LANGUAGE, Json, layer_parameter
from chronotile.encoders.credits import Credits
from chronotile.encoders.document_parts import with_list
from chronotile.encoders.instants import JSON_OPTIONS, json_instants
from chronotile.encoders.series.table import PlaceSeries, geometry_json
from chronotile.model.geometry.area import Area
from chronotile.model.grid import WHOLE_CIRCLE
from chronotile.model.number_text import numbers_json
from chronotile.model.request import Point
from chronotile.model.series.fields import FieldSeries, FieldsSeries, FloatArray
from chronotile.model.time.instants import InstantArray, format_instant

UNBOUNDED = "../.."
"""The time of what has none."""


def encode_fields_geojson(
    series: FieldsSeries, *, endpoint_of: Callable[[Point | Area], str], credits: Credits
) -> Generator[bytes]:
    """Yield a FeatureCollection with a feature a place, in pieces; in CRS84, as RFC 7946 has it.

    Its property `values` has a list for each variable with a value, or `null`, for each of `times`; there are no
    features where there are no times to tell of.

    Args:
        series: What is written.
        endpoint_of: Gives the URL that answers for one of the places.
        credits: Whom the document names.
    """
    parameters = [_parameter(each, series.method) for each in series.fields]
    head = {"type": "FeatureCollection", **credits.told, "parameters": parameters}
    columns, shared = series.columns, _shared(series)
    features = (
        _dumps(_feature(place, endpoint_of(place), shared, _listed(series, columns, row)))
        for row, place in enumerate(series.places if series.times.size else ())
    )
    yield from with_list(_dumps(head), "features", features)


def interval_text(times: InstantArray) -> str:
    """Return from when to when some instants reach, in the words of `datetime`."""
    return f"{format_instant(times[0])}/{format_instant(times[-1])}" if times.size > 1 else format_instant(times[0])


def _parameter(field: FieldSeries, method: str | None) -> Json:
    """A parameter of CoverageJSON with plain texts, as the descriptions of collections have them (§8.1.4)."""
    parameter = {"id": field.name, **layer_parameter(field.layer, method=method)}
    observed = parameter["observedProperty"]
    parameter["observedProperty"] = {**observed, "label": _text(observed["label"])}
    if "categories" in observed:
        labelled = [{**each, "label": _text(each["label"])} for each in observed["categories"]]
        parameter["observedProperty"]["categories"] = labelled
    if "description" in parameter:
        parameter["description"] = _text(parameter["description"])
    return parameter


def _text(texts: Mapping[str, str]) -> str:
    """That for any language, else the first."""
    return texts.get(ANY_LANGUAGE) or next(iter(texts.values()))


def _shared(series: FieldsSeries) -> Json:
    """What properties of all features have."""
    names = [field.name for field in series.fields]
    if not series.has_time:
        return {"datetime": UNBOUNDED, "parameter-name": names}
    told = {"datetime": interval_text(series.times)} if series.times.size else {}
    return {**told, "parameter-name": names, "times": json_instants(series.times)}


def _listed(series: FieldsSeries, columns: Mapping[str, FloatArray], row: int) -> dict[str, orjson.Fragment]:
    """The values of one place by variable."""
    return {name: numbers_json(series.texts(name, column[row])) for name, column in columns.items()}


def _feature(place: Point | Area, endpoint: str, shared: Json, values: Mapping[str, orjson.Fragment]) -> Json:
    if isinstance(place, Point):
        longitude, latitude = place.degrees
        told = PlaceSeries(id=None, point=(longitude - _turns(longitude), latitude), columns={})
        label = f"{place.x:.10g} {place.y:.10g}"
    else:
        told = PlaceSeries(id=place.id, area=place, columns={})
        label = str((place.properties or {}).get("label", place.id))
    identity: dict[str, Any] = {} if told.id is None else {"id": told.id}
    return {
        "type": "Feature",
        **identity,
        "geometry": geometry_json(told),
        "properties": {**shared, "label": label, "edrqueryendpoint": endpoint, "values": values},
    }


def _turns(longitude: float) -> float:
    """Whole circles by which a longitude is beyond -180 to 180 (RFC 7946 §4)."""
    half = WHOLE_CIRCLE / 2
    return 0.0 if -half <= longitude <= half else (longitude + half) // WHOLE_CIRCLE * WHOLE_CIRCLE


def _dumps(document: Json) -> bytes:
    return orjson.dumps(document, option=JSON_OPTIONS)
