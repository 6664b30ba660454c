"""Show me the outlines of these places: a vector tile."""

from collections.abc import Collection

import numpy as np
import shapely

from chronotile.encoders.vector.mvt import MEDIA_TYPE, MVT_VERSION, encode_mvt
from chronotile.encoders.vector.tile_polygons import cut_to_tile
from chronotile.model.crs import Crs, transformer
from chronotile.model.payload import Payload
from chronotile.model.places import PlaceSet, PlaceTileRequest, ProjectedShapes
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services


def render_place_tile(request: PlaceTileRequest, services: Services, *, known: Collection[str] = ()) -> Payload:
    """Return the vector tile of a set of places; without a byte where the tile has none of them.

    Args:
        request: Which set and tile.
        services: What is served.
        known: ETags of answers that the client holds; one that still holds is answered without cutting.

    Raises:
        UnknownPlace: There is no such set.
    """
    places = services.catalogue.place_set(request.places)
    grid = request.grid
    revision = places_revision(places)
    etag = fingerprint("place tile", revision, grid.crs.name, grid.bbox)
    if etag in known:
        return Payload(body=b"", media_type=MEDIA_TYPE, etag=etag, revision=revision, unchanged=True)

    def make() -> bytes:
        projected = shapes_in(places, grid.crs)
        return encode_mvt(places.id, cut_to_tile(projected.shapes, projected.bounds, grid.bbox), places.columns)

    body = services.caches.payloads.get_or_make(etag, make)
    return Payload(body=body, media_type=MEDIA_TYPE, etag=etag, revision=revision)


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
