"""`/ogcapi/…/map`: maps of a collection or of the dataset, in the default or in a named style."""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.protocols.common.drawn_maps import draw_maps
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.responses.respond import respond
from chronotile.protocols.common.state import services_of
from chronotile.protocols.ogcapi.maps.faults import picture_fault
from chronotile.protocols.ogcapi.maps.params import parse_map
from chronotile.protocols.ogcapi.maps.response_headers import grid_headers, time_headers
from chronotile.protocols.ogcapi.subset import query_of


async def get_map(request: Request) -> Response:
    """Return a map; its headers have its place and time."""
    catalogue = services_of(request).catalogue
    query = query_of(request.query_params.multi_items())
    map_query = parse_map(request.path_params, query, request.headers.get("accept", ""), catalogue)
    drawing = map_query.drawing
    layers = [layer.id for layer in drawing.layers]
    maps, found = await draw_maps(request, layers, lambda: drawing.requests(map_query.grid(catalogue)))
    response = respond(replace(found.payload, media_type=drawing.media_type))
    response.headers.update({**grid_headers(maps[0].grid), **time_headers(found.payload.time), "Vary": "Accept"})
    return response


PATHS = (
    "/map",
    "/styles/{styleId}/map",
    "/collections/{collectionId}/map",
    "/collections/{collectionId}/styles/{styleId}/map",
)
routes = [Route(f"/ogcapi{path}", endpoint(get_map, picture_fault)) for path in PATHS]
