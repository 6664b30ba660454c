"""Maps for a client: small ones use the threads of tiles, large ones separate threads."""

from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import MapRequest
from chronotile.core.warp.approximation import is_separable
from chronotile.http.disconnects import connection_check
from chronotile.http.if_none_match import client_etags
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import LARGE_PICTURES, PICTURES
from chronotile.pipeline.maps.render import find_overlay, overlay_maps

Maps = Sequence[MapRequest]


async def draw_maps(request: Request, layers: Sequence[str], maps_of_layer: Callable[[], Maps]) -> tuple[Maps, Payload]:
    """Return an overlay of maps as one picture, and the map requests.

    Errors and cached large maps do not wait for large maps of other requests.

    Args:
        request: HTTP request.
        layers: Names of the layers, the first at the bottom.
        maps_of_layer: Returns one map request per layer; called in a thread.

    Raises:
        ChronotileError: The request is invalid, a source fails, or the server is busy.
    """
    services = services_of(request)
    etags, is_active = client_etags(request), connection_check(request)

    def draw_unless_large() -> tuple[Maps, Payload | None]:
        requests = maps_of_layer()
        if is_large(requests, services.catalogue):
            return requests, find_overlay(requests, services, client_etags=etags)
        return requests, overlay_maps(requests, services, client_etags=etags, is_active=is_active)

    requests, overlay = await run(request, PICTURES, draw_unless_large, layers=layers)
    if overlay is None:
        draw = partial(overlay_maps, requests, services, client_etags=etags, is_active=is_active)
        overlay = await run(request, LARGE_PICTURES, draw, layers=layers)
    return requests, overlay


QUICK_PIXELS = 1 << 22
"""Limit of small maps, all layers together: 2048 by 2048."""
TRANSFORMED = 2
"""Factor of the counted pixels for maps not aligned with the native grid: each pixel may need a transformation."""


def is_large(requests: Sequence[MapRequest], catalogue: Catalogue) -> bool:
    """Return whether an overlay of maps may take seconds; reads no pixels and transforms no coordinates.

    Raises:
        UnknownLayer: A layer does not exist.
        SourceUnavailable: A source is unavailable.
    """
    return sum(_counted_pixels(request, catalogue) for request in requests) > QUICK_PIXELS


def _counted_pixels(request: MapRequest, catalogue: Catalogue) -> int:
    grid, native = request.grid, catalogue.layer(request.layer).main_variable.grid
    return grid.width * grid.height * (1 if is_separable(grid.crs, native.crs) else TRANSFORMED)
