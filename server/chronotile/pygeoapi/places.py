"""Places that the configuration names, as locations of EDR (OGC 19-086r6 §8.2.7)."""

from collections.abc import Iterator

import numpy as np
import shapely

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox
from chronotile.model.places import PlaceSet
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.pipeline.series.places import near_layer
from chronotile.pygeoapi.described import Json

BETWEEN = ":"
"""Set and place in the id of a location, as `/ogcapi` has them: a slash would end the segment of the path."""


def places_document(catalogue: Catalogue, layer: Layer, *, box: BBox | None, limit: int | None) -> Json:
    """Return the places whose boxes meet a layer, and a box in CRS84, as GeoJSON: each a point inside it."""
    found = [(places, number) for places in catalogue.places.values() for number in _near(places, layer, box)]
    return {
        "type": "FeatureCollection",
        "features": [_feature(places, number) for places, number in found[:limit]],
        "numberMatched": len(found),
    }


def _near(places: PlaceSet, layer: Layer, box: BBox | None) -> Iterator[int]:
    bounds = shapes_in(places, CRS84).bounds
    for number in np.flatnonzero(near_layer(places, layer)).tolist():
        if box is None or BBox(*bounds[number].tolist()).intersects(box):
            yield number


def _feature(places: PlaceSet, number: int) -> Json:
    shapes = shapes_in(places, CRS84)
    inside = shapely.point_on_surface(shapes.shapes[number])
    return {
        "type": "Feature",
        "id": f"{places.id}{BETWEEN}{places.ids[number]}",
        "bbox": shapes.bounds[number].tolist(),
        "geometry": {"type": "Point", "coordinates": [inside.x, inside.y]},
        "properties": {"label": places.labels[number]},
    }
