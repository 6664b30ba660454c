"""Maps for a client: small ones drawn beside tiles, large ones in threads of their own."""

from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import MapRequest
from chronotile.core.warp.approximation import is_separable
from chronotile.http.disconnects import disconnect_check
from chronotile.http.etags import client_etags
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import LARGE_PICTURES, PICTURES
from chronotile.pipeline.maps.render import find_overlay, overlay_maps

Maps = Sequence[MapRequest]


async def draw_maps(request: Request, layers: Sequence[str], maps_of_layer: Callable[[], Maps]) -> tuple[Maps, Payload]:
    """Return maps laid over one another as one picture, and the requests for them.

    Errors, and large maps that the client or the cache has, do not wait for the large maps of other requests.

    Args:
        request: For which they are drawn.
        layers: Names of the layers, the first at the bottom.
        maps_of_layer: Gives one request a layer; called in a thread.

    Raises:
        ChronotileError: As `run` and `overlay_maps`.
    """
    services = services_of(request)
    known, is_active = client_etags(request), disconnect_check(request)

    def draw_unless_large() -> tuple[Maps, Payload | None]:
        maps = maps_of_layer()
        if is_large(maps, services.catalogue):
            return maps, find_overlay(maps, services, client_etags=known)
        return maps, overlay_maps(maps, services, client_etags=known, is_active=is_active)

    maps, found = await run(request, PICTURES, draw_unless_large, layers=layers)
    if found is None:
        draw = partial(overlay_maps, maps, services, client_etags=known, is_active=is_active)
        found = await run(request, LARGE_PICTURES, draw, layers=layers)
    return maps, found


# Which maps may take seconds to draw; reads no pixels and transforms no coordinates.

QUICK_PIXELS = 1 << 22
"""Maps of more pixels, all layers together, are large: 2048 by 2048."""
TRANSFORMED = 2
"""Times as many pixels as a map has count where longitudes and latitudes do not give its columns and rows, as each of
its pixels may have to be transformed. A picture of a whole screen is quick in any case."""


def is_large(requests: Sequence[MapRequest], catalogue: Catalogue) -> bool:
    """Return whether maps that are laid over one another may take seconds.

    Raises:
        UnknownLayer: There is no such layer.
        SourceUnavailable: A source cannot be read now.
    """
    return sum(_counted_pixels(request, catalogue) for request in requests) > QUICK_PIXELS


def _counted_pixels(request: MapRequest, catalogue: Catalogue) -> int:
    grid, native = request.grid, catalogue.layer(request.layer).main_variable.grid
    return grid.width * grid.height * (1 if is_separable(grid.crs, native.crs) else TRANSFORMED)
