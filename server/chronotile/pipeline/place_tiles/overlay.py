"""Show me the outlines of these sets of places: several vector tiles to one."""

from collections.abc import Collection, Sequence

from chronotile.model.payload import Payload
from chronotile.model.places import PlaceTileRequest
from chronotile.pipeline.place_tiles.render import render_place_tile
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services


def overlay_place_tiles(
    requests: Sequence[PlaceTileRequest], services: Services, *, known: Collection[str] = ()
) -> Payload:
    """Return one vector tile in which each set is a layer; of one set that of `render_place_tile`.

    Tiles one after the other are one with all their layers (Protocol Buffers, Last One Wins, of repeated fields).

    Args:
        requests: One or more, all of one tile.
        services: What is served.
        known: ETags of answers that the client holds.

    Raises:
        UnknownPlace: There is no such set.
    """
    if len(requests) == 1:
        return render_place_tile(requests[0], services, known=known)
    tiles = [render_place_tile(request, services) for request in requests]
    etag = fingerprint("place tiles", *(tile.etag for tile in tiles))
    is_known = etag in known
    return Payload(
        body=b"" if is_known else b"".join(tile.body for tile in tiles),
        media_type=tiles[0].media_type,
        etag=etag,
        revision=fingerprint(*(tile.revision for tile in tiles))[:12],
        unchanged=is_known,
    )
