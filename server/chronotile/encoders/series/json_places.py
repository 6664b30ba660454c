"""Places and their values as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import shapely

from chronotile.encoders.instants import JSON_OPTIONS, format_instants, json_instants
from chronotile.model.crs import CRS84
from chronotile.model.number_text import numbers_json, statistics
from chronotile.model.places import PlaceSet, PlaceValues, Shapes

DECIMALS = 7
"""Of degrees that were computed from another CRS: a centimetre. Those of the file are told as they are."""


def encode_place_values_json(found: PlaceValues) -> bytes:
    """Return the matrix: a row a place, a number an instant; `null` where there is none."""
    lacking = {"unreadable": format_instants(np.array(found.unreadable))} if found.unreadable else {}
    return orjson.dumps(
        {
            "places": found.places,
            "revision": found.revision,
            "layer": found.layer,
            "units": found.units,
            "reducer": found.reducer,
            "times": json_instants(found.times),
            **lacking,
            "offset": found.offset,
            "total": found.total,
            "ids": found.ids,
            "values": numbers_json(statistics(found.values)),
        },
        option=JSON_OPTIONS,
    )


def encode_places_geojson(
    places: PlaceSet, shapes: Shapes, numbers: Sequence[int], *, members: Mapping[str, Any]
) -> bytes:
    """Return places as a FeatureCollection (RFC 7946), outer rings anticlockwise (§3.1.6).

    Args:
        places: The set.
        shapes: (place,): all of its places in CRS84.
        numbers: Those that are told of.
        members: What else the collection says.
    """
    told = shapely.orient_polygons(shapes[list(numbers)], exterior_cw=False)
    if places.crs != CRS84:
        told = shapely.transform(told, lambda degrees: degrees.round(DECIMALS))
    columns = places.columns
    features = [
        {
            "type": "Feature",
            "id": places.ids[number],
            "properties": {name: column[number] for name, column in columns.items()},
            "geometry": orjson.Fragment(geometry),
        }
        for number, geometry in zip(numbers, shapely.to_geojson(told).tolist(), strict=True)
    ]
    return orjson.dumps({"type": "FeatureCollection", **members, "features": features})
