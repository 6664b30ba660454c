"""`/cubes`: all dates of a tile in one answer (docs/reference/cube-tiles.md)."""

import zlib
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.cancellation import IsActive
from chronotile.model.payload import Payload
from chronotile.pipeline.cube_tiles.extract import find_cube, make_cube
from chronotile.pipeline.cube_tiles.target import CubeTarget
from chronotile.pipeline.named_state import NamedState
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.accept import takes_gzip
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.common.responses.problem import tile_problem
from chronotile.protocols.common.responses.respond import known_etags, respond
from chronotile.protocols.common.state import for_client, in_thread, make_for_client, services_of, state_of
from chronotile.protocols.cubes.params import cube_request

GZIP_WRAPPER = 16 + zlib.MAX_WBITS


async def get_cube(request: Request) -> Response:
    """Return the numbers of one tile at many times; nothing where no time has a pixel there."""
    services, limiters = services_of(request), state_of(request).limiters
    query = Kvp(request.query_params.multi_items())
    cube = cube_request(request.path_params, query, services.catalogue)
    known, revision = known_etags(request), REV.given(query)

    def find() -> tuple[Payload | CubeTarget, NamedState, bool]:
        named = NamedState(revision, cube.layer, services)
        found = find_cube(cube, services, known=known)
        return found, named, isinstance(found, Payload) and named.holds((found.time, found.states))

    target, named, is_current = await for_client(request, limiters.pictures, cube.layer, find, services=services)
    if isinstance(target, Payload):
        found = target
    else:
        # One time of a tile takes no longer than a picture of it.
        limiter = limiters.pictures if len(target.times.indexes) == 1 else limiters.cubes
        found, is_current = await make_for_client(
            request, limiter, cube.layer, partial(_made, target, named), services=services
        )
    if not found.body and not found.unchanged:
        return _without_content(respond(found, is_immutable=is_current))
    if takes_gzip(request.headers.get("accept-encoding", "")) or found.unchanged:
        response = respond(found, is_immutable=is_current)
        response.headers["Vary"] = "Accept-Encoding"
        if found.body:
            response.headers["Content-Encoding"] = "gzip"
        return response
    body = await in_thread(limiters.cubes, zlib.decompress, found.body, GZIP_WRAPPER)
    return respond(replace(found, body=body), is_immutable=is_current)


def _made(target: CubeTarget, named: NamedState, is_active: IsActive) -> tuple[Payload, bool]:
    cube = make_cube(target, is_active=is_active)
    return cube, named.holds((cube.time, cube.states))


def _without_content(response: Response) -> Response:
    """The answer that there is nothing, with the validators of what there would be (RFC 9110 §15.3.5)."""
    headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    headers["Vary"] = "Accept-Encoding"
    return Response(status_code=204, headers=headers)


routes = [Route("/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc", endpoint(get_cube, tile_problem))]
