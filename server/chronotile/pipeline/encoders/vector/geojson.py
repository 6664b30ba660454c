"""Places as GeoJSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import shapely

from chronotile.core.model.crs import CRS84
from chronotile.core.model.places import PlaceSet, Shapes

DECIMALS = 7
"""Of degrees that were computed from another CRS: a centimetre. Those of the file stay as they are."""


def encode_places_geojson(
    places: PlaceSet, shapes: Shapes, numbers: Sequence[int], *, members: Mapping[str, Any]
) -> bytes:
    """Return places as a FeatureCollection (RFC 7946), outer rings anticlockwise (§3.1.6).

    Args:
        places: The set.
        shapes: (place,): all of its places in CRS84.
        numbers: Those that are written.
        members: Other members of the collection.
    """
    oriented = shapely.orient_polygons(shapes[list(numbers)], exterior_cw=False)
    if places.crs != CRS84:
        oriented = shapely.transform(oriented, lambda degrees: degrees.round(DECIMALS))
    columns = places.columns
    features = [
        {
            "type": "Feature",
            "id": places.ids[number],
            "properties": {name: column[number] for name, column in columns.items()},
            "geometry": orjson.Fragment(geometry),
        }
        for number, geometry in zip(numbers, shapely.to_geojson(oriented).tolist(), strict=True)
    ]
    return orjson.dumps({"type": "FeatureCollection", **members, "features": features})
