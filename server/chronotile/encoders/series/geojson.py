"""Series as GeoJSON: features that carry them, in one document or one a line."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from chronotile.encoders.instants import format_instants
from chronotile.encoders.series.counts import edges_json, whole_counts
from chronotile.encoders.series.table import PlaceSeries, PlacesSeries, geometry_json
from chronotile.model.number_text import numbers_json

PLACES_A_PIECE = 64


def encode_series_geojson(series: PlacesSeries) -> Iterator[bytes]:
    """Yield a FeatureCollection (RFC 7946) in pieces; `times` and what else all share stand beside `features`."""
    head = {"type": "FeatureCollection", **_shared(series)}
    yield _dumps(head)[:-1] + b',"features":['
    for start, places in _batches(series.places):
        yield (b"," if start else b"") + b",".join(_dumps(_feature(place, series, {})) for place in places)
    yield b"]}"


def encode_series_ndjson(series: PlacesSeries) -> Iterator[bytes]:
    """Yield one feature a line, each whole: its properties have the times and what else all share."""
    shared = _shared(series)
    for _start, places in _batches(series.places):
        yield b"".join(_dumps(_feature(place, series, shared)) + b"\n" for place in places)


def _batches(places: Sequence[PlaceSeries]) -> Iterator[tuple[int, Sequence[PlaceSeries]]]:
    for start in range(0, len(places), PLACES_A_PIECE):
        yield start, places[start : start + PLACES_A_PIECE]


def _shared(series: PlacesSeries) -> dict[str, Any]:
    shared: dict[str, Any] = {"layer": series.layer, "units": series.units, "times": format_instants(series.times)}
    if series.edges:
        shared["edges"] = edges_json(series.edges)
    return shared | series.credits.told


def _feature(place: PlaceSeries, series: PlacesSeries, shared: dict[str, Any]) -> dict[str, Any]:
    """A feature; what the client said of it comes first, so that no name of its own hides a series."""
    area = place.area
    properties: dict[str, Any] = {**((area.properties if area else None) or {}), **shared}
    properties["series"] = {
        name: numbers_json(series.texts(name, whole_counts(name, values))) for name, values in place.columns.items()
    }
    if place.reasons is not None:
        properties["reasons"] = place.reasons
    if place.valid is not None:
        total = (
            place.total if place.total is None or isinstance(place.total, int) else np.ascontiguousarray(place.total)
        )
        properties |= {"valid": np.ascontiguousarray(place.valid), "total": total}
    if place.note is not None:
        properties["note"] = place.note
    identity = {} if place.id is None else {"id": place.id}
    return {"type": "Feature", **identity, "geometry": geometry_json(place), "properties": properties}


def _dumps(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
