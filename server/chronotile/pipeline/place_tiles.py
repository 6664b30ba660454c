"""Vector tiles with the outlines of places, of one set or several."""

from collections.abc import Collection, Sequence

from chronotile.core.model.payload import Payload
from chronotile.core.model.places import PlaceTileRequest
from chronotile.pipeline.encoders.vector.mvt import MEDIA_TYPE, cut_to_tile, encode_mvt
from chronotile.pipeline.place_shapes import places_revision, shapes_in
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services


def overlay_place_tiles(
    requests: Sequence[PlaceTileRequest], services: Services, *, client_etags: Collection[str] = ()
) -> Payload:
    """Return one vector tile in which each set is a layer.

    Concatenated tiles are one tile with all their layers, as Protocol Buffers concatenates repeated fields.

    Args:
        requests: One or more requests for the same tile.
        services: The services with the places.
        client_etags: ETags of answers that the client has.

    Raises:
        UnknownPlace: A set does not exist.
    """
    if len(requests) == 1:
        return render_place_tile(requests[0], services, client_etags=client_etags)
    tiles = [render_place_tile(request, services) for request in requests]
    etag = fingerprint("place tiles", *(tile.etag for tile in tiles))
    is_unchanged = etag in client_etags
    return Payload(
        body=b"" if is_unchanged else b"".join(tile.body for tile in tiles),
        media_type=tiles[0].media_type,
        etag=etag,
        revision=fingerprint(*(tile.revision for tile in tiles))[:12],
        unchanged=is_unchanged,
    )


def render_place_tile(request: PlaceTileRequest, services: Services, *, client_etags: Collection[str] = ()) -> Payload:
    """Return the vector tile of a set of places; its body is empty if the tile contains no place.

    Args:
        request: The set and the tile.
        services: The services with the places.
        client_etags: ETags of answers that the client has; the tile is made if none of them is current.

    Raises:
        UnknownPlace: The set does not exist.
    """
    places = services.catalogue.place_set(request.places)
    grid = request.grid
    revision = places_revision(places)
    etag = fingerprint("place tile", revision, grid.crs.name, grid.bbox)
    if etag in client_etags:
        return Payload(body=b"", media_type=MEDIA_TYPE, etag=etag, revision=revision, unchanged=True)

    def make() -> bytes:
        projected = shapes_in(places, grid.crs)
        return encode_mvt(places.id, cut_to_tile(projected.shapes, projected.bounds, grid.bbox), places.columns)

    body = services.caches.payloads.get_or_make(etag, make)
    return Payload(body=body, media_type=MEDIA_TYPE, etag=etag, revision=revision)
