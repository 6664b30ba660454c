"""Maps for a client: small ones drawn beside tiles, large ones in threads of their own."""

from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request

from chronotile.model.payload import LayeredPayload
from chronotile.model.request import MapRequest
from chronotile.pipeline.maps.large import is_large
from chronotile.pipeline.maps.overlay import find_overlay, overlay_maps
from chronotile.protocols.common.responses.respond import known_etags
from chronotile.protocols.common.state import disconnect_check, for_client, services_of, state_of

Maps = Sequence[MapRequest]


async def draw_maps(
    request: Request, layers: Sequence[str], maps_of_layer: Callable[[], Maps]
) -> tuple[Maps, LayeredPayload]:
    """Return maps laid over one another as one picture, and the requests for them.

    Errors, and large maps that the client or the cache has, do not wait for the large maps of other requests.

    Args:
        request: For which they are drawn.
        layers: Names of the layers, the first at the bottom.
        maps_of_layer: Gives one request a layer; called in a thread.

    Raises:
        ChronotileError: As `for_client` and `overlay_maps`.
    """
    services, limiters = services_of(request), state_of(request).limiters
    known, is_active = known_etags(request), disconnect_check(request)
    first, *others = layers

    def draw_unless_large() -> tuple[Maps, LayeredPayload | None]:
        maps = maps_of_layer()
        if is_large(maps, services.catalogue):
            return maps, find_overlay(maps, services, known=known)
        return maps, overlay_maps(maps, services, known=known, is_active=is_active)

    maps, found = await for_client(
        request, limiters.pictures, first, draw_unless_large, services=services, others=others
    )
    if found is None:
        draw = partial(overlay_maps, maps, services, known=known, is_active=is_active)
        found = await for_client(request, limiters.large_pictures, first, draw, services=services, others=others)
    return maps, found
