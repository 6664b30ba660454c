"""`/cubes`: all dates of a tile in one answer (docs/reference/cube-tiles.md)."""

import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.cancellation import IsActive
from chronotile.core.model.cube import CUBE_TYPE, CubeRequest, CubeTile, Res
from chronotile.core.model.payload import Payload
from chronotile.http.answers import answer_payload
from chronotile.http.if_none_match import client_etags
from chronotile.http.negotiation import accepts_gzip
from chronotile.http.problems import tile_problem
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import CUBE_BODIES, CUBES, CUBES_OF_ONE_TIME, PICTURES
from chronotile.pipeline.cube_tiles import CubeTarget, find_cube, make_cube
from chronotile.protocols.common.openapi import FILE
from chronotile.protocols.common.operation import TILE, Operation, routes_of, segment
from chronotile.protocols.common.query.immutable_answers import REV, RevisionCheck
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, datetime, names_of
from chronotile.protocols.common.query.tile_address import tile_address

DATETIME = datetime("An instant, interval or list; default: the whole time domain, within the limit")
RES: Parameter[Res] = code("res", "2 is half the resolution, for moving pictures", {"1": 1, "2": 2}, default="1")
CELLS = code(
    "cells",
    "1 for the layer's own cells under the tile, with their places, instead of the tile's pixels",
    {"0": False, "1": True},
    default="0",
)
OF_CUBE: tuple[Parameter[object], ...] = (DATETIME, RES, CELLS, REV)


def cube_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> CubeRequest:
    """Return the cube that `/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc` requests.

    Raises:
        ChronotileError: A name is unknown, the tile is out of range, or a parameter is not accepted.
    """
    query.check_names(names_of(OF_CUBE))
    layer = catalogue.layer(path["layer"])
    address = tile_address(catalogue, tile_matrix_set=path["tms"], matrix=path["z"], row=path["y"], column=path["x"])
    tile = CubeTile(
        tile_matrix_set=address.tile_matrix_set.id,
        matrix=address.matrix.id,
        column=address.column,
        row=address.row,
        grid=address.grid(),
    )
    res = RES.value(query)
    # `CELLS` has no effect at half the resolution, which is for moving pictures.
    is_of_cells = res == 1 and CELLS.value(query)
    return CubeRequest(layer=layer.id, tile=tile, time=DATETIME.value(query), res=res, is_of_cells=is_of_cells)


GZIP_WRAPPER = 16 + zlib.MAX_WBITS


async def get_cube(request: Request) -> Response:
    """Return the digital numbers of one tile at many times; 204 if no time has a pixel in the tile."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    cube = cube_request(request.path_params, query, services.catalogue)
    etags, revision = client_etags(request), REV.optional(query)

    def find() -> tuple[Payload | CubeTarget, RevisionCheck, bool]:
        check = RevisionCheck(revision, cube.layer, services)
        target = find_cube(cube, services, client_etags=etags)
        return target, check, isinstance(target, Payload) and check.is_immutable((target.time, target.states))

    target, check, is_immutable = await run(request, PICTURES, find, layers=[cube.layer])
    if isinstance(target, Payload):
        payload = target
    else:

        def make(is_active: IsActive) -> tuple[Payload, bool]:
            cube_payload = make_cube(target, is_active=is_active)
            return cube_payload, check.is_immutable((cube_payload.time, cube_payload.states))

        kind = CUBES_OF_ONE_TIME if len(target.times.indexes) == 1 else CUBES
        payload, is_immutable = await run(request, kind, make, layers=[cube.layer])
    if not payload.body and not payload.unchanged:
        whole = answer_payload(payload, is_immutable=is_immutable)
        headers = {name: value for name, value in whole.headers.items() if not name.startswith("content-")}
        return Response(status_code=204, headers={**headers, "Vary": "Accept-Encoding"})
    if accepts_gzip(request.headers.get("accept-encoding", "")) or payload.unchanged:
        response = answer_payload(payload, is_immutable=is_immutable)
        response.headers["Vary"] = "Accept-Encoding"
        if payload.body:
            response.headers["Content-Encoding"] = "gzip"
        return response
    body = await run(request, CUBE_BODIES, partial(zlib.decompress, payload.body, GZIP_WRAPPER))
    return answer_payload(replace(payload, body=body), is_immutable=is_immutable)


operations = (
    Operation(
        "/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc",
        get_cube,
        "getCube",
        "All dates of a tile as numbers (CTC1)",
        tag="Cubes",
        faults=tile_problem,
        parameters=[
            segment("layer", "Id or alias of a layer with values", example=lambda of: of.layer),
            *TILE,
            *OF_CUBE,
        ],
        examples={"datetime": lambda of: of.times},
        answers={CUBE_TYPE: FILE},
        responses={"204": {"description": "No date has a pixel in the tile"}},
    ),
)
routes = routes_of(operations)
