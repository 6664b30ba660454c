"""The shapes of a set of places in a CRS, and their state."""

import numpy as np
import shapely

from chronotile.core.model.crs import Crs, transformer
from chronotile.core.model.places import PlaceSet, ProjectedShapes
from chronotile.pipeline.encoders.vector.mvt import MVT_VERSION
from chronotile.pipeline.revision import fingerprint


def places_revision(places: PlaceSet) -> str:
    """Return the state of a set, for `rev=`: another one whenever its tiles or values may be others."""
    return fingerprint("places", places.digest, MVT_VERSION)[:12]


def shapes_in(places: PlaceSet, crs: Crs) -> ProjectedShapes:
    """Return the places in another CRS, vertex by vertex; what has no coordinates there is empty."""
    found = places.projected.get(crs)
    if found is None:
        found = places.projected[crs] = _projected(places, crs)
    return found


def _projected(places: PlaceSet, crs: Crs) -> ProjectedShapes:
    if places.crs == crs:
        return ProjectedShapes(places.shapes, shapely.bounds(places.shapes))
    turn = transformer(places.crs, crs).transform
    x, y = turn(*shapely.get_coordinates(places.shapes).T)
    vertices = np.column_stack((x, y))
    is_known = np.isfinite(vertices).all(axis=1)
    ends = np.cumsum(shapely.get_num_coordinates(places.shapes))
    lacking = np.diff(np.concatenate(([0], np.cumsum(~is_known)))[np.concatenate(([0], ends))]) > 0
    shapes = shapely.set_coordinates(places.shapes.copy(), np.where(is_known[:, None], vertices, 0.0))
    shapes[lacking] = shapely.Polygon()
    return ProjectedShapes(shapes, shapely.bounds(shapes))
