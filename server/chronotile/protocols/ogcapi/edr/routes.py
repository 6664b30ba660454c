"""`/ogcapi/collections/{collectionId}/…`: data queries."""

from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.crs import Crs
from chronotile.pipeline.extract_fields import FieldsPayload, FieldsTarget, deliver_fields, resolve_positions
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.form import body_of
from chronotile.protocols.common.respond import known_etags
from chronotile.protocols.common.state import for_client, state_of, while_wanted
from chronotile.protocols.ogcapi.edr.asked import Asked, asked_of, data_response
from chronotile.protocols.ogcapi.edr.faults import edr_fault
from chronotile.protocols.ogcapi.edr.formats import OF_POSITION
from chronotile.protocols.ogcapi.edr.params import position_request
from chronotile.protocols.ogcapi.edr.writing import fields_format

COLLECTION = "/ogcapi/collections/{collectionId}"
IsWanted = Callable[[], bool]


async def get_position(request: Request) -> Response:
    """Return the series of the native cells that hold the points of `coords`."""
    asked = asked_of(request)
    name = asked.format_among(OF_POSITION)
    wanted = position_request(asked.offered, asked.query, asked.services.catalogue)
    resolve = partial(resolve_positions, wanted, asked.services)
    return await _series(request, asked, resolve, layers=wanted.layers, name=name, crs=wanted.points[0].crs)


async def _series(
    request: Request,
    asked: Asked,
    resolve: Callable[..., FieldsTarget],
    *,
    layers: tuple[str, ...],
    name: str,
    crs: Crs,
) -> Response:
    written = fields_format(name, asked.media_type(name), offered=asked.offered, crs=crs, address=asked.address)
    known = known_etags(request)

    def work(is_wanted: IsWanted) -> FieldsPayload:
        return deliver_fields(resolve(is_wanted=is_wanted), written, known=known)

    gate = state_of(request).gates.series
    await body_of(request)
    async with while_wanted(request) as is_wanted:
        telling = partial(work, is_wanted)
        payload = await for_client(request, gate, layers[0], telling, services=asked.services, others=layers[1:])
    return data_response(
        payload.pieces,
        name=name,
        media_type=payload.media_type,
        etag=payload.etag,
        time=payload.time,
        offered=asked.offered,
        unchanged=payload.unchanged,
    )


routes = [Route(f"{COLLECTION}/position", endpoint(get_position, edr_fault))]
