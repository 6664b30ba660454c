"""Places as GeoJSON."""

from collections.abc import Mapping
from typing import Any

import orjson
import shapely

from chronotile.core.model.places import ChosenPlaces
from chronotile.core.model.space.crs import is_north_first

DECIMALS = 7
"""Decimals of degrees transformed from another CRS, about a centimetre; degrees from the file are unchanged."""
DECIMALS_OF_LENGTHS = 3
"""Decimals of coordinates in metres or feet transformed from another CRS."""

AT_ONCE = 200
"""The number of geometries written without giving other threads a turn."""


def encode_places_geojson(chosen: ChosenPlaces, *, members: Mapping[str, Any]) -> bytes:
    """Return places as a FeatureCollection with additional members."""
    return orjson.dumps({"type": "FeatureCollection", **members, "features": place_features(chosen)})


def place_features(chosen: ChosenPlaces) -> list[dict[str, Any]]:
    """Return places as features (RFC 7946) for orjson, with outer rings anticlockwise (§3.1.6).

    Coordinates are in the axis order of the CRS (OGC 18-058r1 §7.5).
    """
    oriented = shapely.orient_polygons(chosen.shapes, exterior_cw=False)
    decimals = DECIMALS if chosen.crs.is_geographic else DECIMALS_OF_LENGTHS
    if chosen.places.crs != chosen.crs:
        oriented = shapely.transform(oriented, lambda vertices: vertices.round(decimals))
    if is_north_first(chosen.crs):
        oriented = shapely.transform(oriented, lambda vertices: vertices[:, ::-1])
    oriented[shapely.is_empty(oriented)] = None
    parts = (oriented[start : start + AT_ONCE] for start in range(0, len(oriented), AT_ONCE))
    geometries = [text for part in parts for text in shapely.to_geojson(part).tolist()]
    rows = zip(*chosen.columns.values(), strict=True)
    return [
        {
            "type": "Feature",
            "id": chosen.places.ids[number],
            "properties": dict(zip(chosen.columns, row, strict=True)),
            "geometry": None if geometry is None else orjson.Fragment(geometry),
        }
        for number, geometry, row in zip(chosen.numbers.tolist(), geometries, rows, strict=True)
    ]
