"""Show me the outlines of these places, of one set or several: a vector tile."""

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
    """Return one vector tile in which each set is a layer; of one set that of `render_place_tile`.

    Tiles one after the other are one with all their layers (Protocol Buffers, Last One Wins, of repeated fields).

    Args:
        requests: One or more, all of one tile.
        services: What is served.
        client_etags: ETags of answers that the client has.

    Raises:
        UnknownPlace: There is no such set.
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
    """Return the vector tile of a set of places; without a byte where the tile has none of them.

    Args:
        request: Which set and tile.
        services: What is served.
        client_etags: ETags of answers that the client has; the tile is cut only if none of them is current.

    Raises:
        UnknownPlace: There is no such set.
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
