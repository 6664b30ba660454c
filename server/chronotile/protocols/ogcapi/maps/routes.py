"""`/ogcapi/…/map`: maps of a collection or of the dataset, in the default or in a named style."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.grid import Grid
from chronotile.model.payload import Payload
from chronotile.model.request import MapRequest
from chronotile.pipeline.large_maps import is_large
from chronotile.pipeline.overlay_maps import overlay_maps
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.respond import known_etags, respond
from chronotile.protocols.common.state import asking_whether_wanted, for_client, services_of, state_of
from chronotile.protocols.ogcapi.maps.faults import picture_fault
from chronotile.protocols.ogcapi.maps.params import AskedMap, asked_map
from chronotile.protocols.ogcapi.maps.told import told_of_grid, told_of_time
from chronotile.protocols.ogcapi.subset import query_of


async def get_map(request: Request) -> Response:
    """Return a map, whose headers tell where and of which time it is."""
    services = services_of(request)
    query = query_of(request.query_params.multi_items())
    asked = asked_map(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    first, *others = (layer.id for layer in asked.drawing.layers)
    gates, known, is_wanted = state_of(request).gates, known_etags(request), asking_whether_wanted(request)
    small = partial(_draw_small, asked, services, known, is_wanted)
    payload, grid = await for_client(request, gates.pictures, first, small, services=services, others=others)
    if payload is None:
        large = partial(_draw, asked.drawing.requests(grid), services, known, is_wanted)
        payload = await for_client(request, gates.large_pictures, first, large, services=services, others=others)
    response = respond(replace(payload, media_type=asked.drawing.media_type))
    response.headers.update({**told_of_grid(grid), **told_of_time(payload.time), "Vary": "Accept"})
    return response


def _draw_small(
    asked: AskedMap, services: Services, known: Collection[str], is_wanted: Callable[[], bool]
) -> tuple[Payload | None, Grid]:
    """The map, or `None` of a large one, and its grid."""
    grid = asked.grid(services.catalogue)
    if is_large(asked.drawing.requests(grid), services.catalogue):
        return None, grid
    return _draw(asked.drawing.requests(grid), services, known, is_wanted), grid


def _draw(
    asked: Sequence[MapRequest], services: Services, known: Collection[str], is_wanted: Callable[[], bool]
) -> Payload:
    return overlay_maps(asked, services, known=known, is_wanted=is_wanted).payload


PATHS = (
    "/map",
    "/styles/{styleId}/map",
    "/collections/{collectionId}/map",
    "/collections/{collectionId}/styles/{styleId}/map",
)
routes = [Route(f"/ogcapi{path}", endpoint(get_map, picture_fault)) for path in PATHS]
