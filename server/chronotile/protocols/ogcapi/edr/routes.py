"""`/ogcapi/collections/{collectionId}/…`: data queries."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.model.cancellation import IsActive
from chronotile.pipeline.coverage.deliver import CoverageDelivery, deliver_coverage
from chronotile.pipeline.series.fields import FieldsPayload, deliver_fields
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.job_offer import JobOffer, offer_job
from chronotile.protocols.common.query.form import discard_body
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.respond import known_etags
from chronotile.protocols.common.responses.unanswered import warned_of_live
from chronotile.protocols.common.state import make_for_client, state_of
from chronotile.protocols.ogcapi.coverages.file_response import file_conditions, respond_with_file
from chronotile.protocols.ogcapi.edr.cells import CellsRequest, area_request, cube_request, radius_request
from chronotile.protocols.ogcapi.edr.data_request import DataRequest, data_response, parse_data_query
from chronotile.protocols.ogcapi.edr.faults import area_fault, edr_fault
from chronotile.protocols.ogcapi.edr.formats import OF_CELLS
from chronotile.protocols.ogcapi.edr.job_offers import cells_offer, location_offer, position_offer
from chronotile.protocols.ogcapi.edr.list_routes import list_routes
from chronotile.protocols.ogcapi.edr.queries import LOCATIONS, POSITION
from chronotile.protocols.ogcapi.edr.response_formats import cells_formats, fields_format
from chronotile.protocols.ogcapi.edr.series import SeriesQuery, location_query, position_query

COLLECTION = "/ogcapi/collections/{collectionId}"


async def get_position(request: Request) -> Response:
    """Return the series of the native cells that hold the points of `coords`."""
    return await _series(request, POSITION.formats, position_query, position_offer)


async def get_location(request: Request) -> Response:
    """Return the means of the native cells in one place, or in each of several."""
    names = request.path_params["locationId"]
    resolve, offer = partial(location_query, names=names), partial(location_offer, names=names)
    return await _series(request, LOCATIONS.formats, resolve, offer)


async def get_area(request: Request) -> Response:
    """Return the cells in the polygon of `coords`."""
    return await _cells(request, area_request)


async def get_cube(request: Request) -> Response:
    """Return the cells in `bbox`."""
    return await _cells(request, cube_request)


async def get_radius(request: Request) -> Response:
    """Return the cells round the point of `coords`."""
    return await _cells(request, radius_request)


async def _series(
    request: Request,
    formats: tuple[str, ...],
    resolve: Callable[[DataRequest, IsActive], SeriesQuery],
    offer: Callable[[DataRequest], JobOffer | None],
) -> Response:
    data_request = parse_data_query(request)
    offer_job(request, partial(offer, data_request))
    name, known = data_request.format_among(formats), known_etags(request)

    def work(is_active: IsActive) -> FieldsPayload:
        series = resolve(data_request, is_active)
        return deliver_fields(series.target, fields_format(name, data_request, series.crs), known=known)

    limiter, layer = state_of(request).limiters.series, data_request.offered.main_field
    await discard_body(request)
    payload = await make_for_client(request, limiter, layer.id, work, services=data_request.services)
    response = data_response(payload, name, data_request)
    return warned_of_live(response, [data_request.offered.main_field], data_request.services)


async def _cells(request: Request, requested: Callable[[Offered, Kvp, Catalogue], CellsRequest]) -> Response:
    data_request = parse_data_query(request)
    name, services = data_request.format_among(OF_CELLS), data_request.services
    options, media_type = data_request.csv_options(name), data_request.media_type(name)
    written, key = cells_formats(data_request, options)[name], f"{name} {media_type} {data_request.address} {options}"
    conditions = file_conditions(request)

    def cells() -> CellsRequest:
        return requested(data_request.offered, data_request.query, services.catalogue)

    offer_job(request, lambda: cells_offer(cells(), name, data_request))

    def work(is_active: IsActive) -> CoverageDelivery:
        return deliver_coverage(
            cells().settled(services),
            key,
            services,
            formats={key: written},
            conditions=conditions,
            is_active=is_active,
        )

    limiter, layer = state_of(request).limiters.coverages, data_request.offered.main_field
    await discard_body(request)
    delivery = await make_for_client(request, limiter, layer.id, work, services=services)
    return respond_with_file(replace(delivery, media_type=media_type))


routes: list[BaseRoute] = [
    Route(f"{COLLECTION}/position", endpoint(get_position, edr_fault)),
    Route(f"{COLLECTION}/area", endpoint(get_area, area_fault)),
    Route(f"{COLLECTION}/cube", endpoint(get_cube, edr_fault)),
    Route(f"{COLLECTION}/radius", endpoint(get_radius, area_fault)),
    *list_routes(COLLECTION),
    Route(f"{COLLECTION}/locations/{{locationId:path}}", endpoint(get_location, edr_fault)),
]
