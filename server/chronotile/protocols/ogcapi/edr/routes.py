"""`/ogcapi/collections/{collectionId}/…`: data queries."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.encoders.coverage_strips import IsWanted
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.pipeline.deliver_coverage import CoverageDelivery, deliver_coverage
from chronotile.pipeline.extract_fields import (
    FieldsPayload,
    FieldsTarget,
    deliver_fields,
    resolve_areas,
    resolve_positions,
)
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.form import body_of
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.respond import known_etags, respond_with_content
from chronotile.protocols.common.state import for_client, in_documents, in_thread, state_of, while_wanted
from chronotile.protocols.common.texts import language_of
from chronotile.protocols.ogcapi.coverages.sending import respond_with_file
from chronotile.protocols.ogcapi.edr.asked import Asked, asked_of, data_response
from chronotile.protocols.ogcapi.edr.cells import CellsRequest, area_request, cube_request, radius_request
from chronotile.protocols.ogcapi.edr.faults import area_fault, edr_fault
from chronotile.protocols.ogcapi.edr.features import features_query
from chronotile.protocols.ogcapi.edr.formats import GEOJSON, MEDIA_TYPES, OF_CELLS, OF_FEATURES
from chronotile.protocols.ogcapi.edr.items import Items, item_document, items_document
from chronotile.protocols.ogcapi.edr.locations import Locations, areas_of_locations, require_sets
from chronotile.protocols.ogcapi.edr.params import areas_request, check_query, crs_of_query, position_request
from chronotile.protocols.ogcapi.edr.queries import LOCATIONS, POSITION
from chronotile.protocols.ogcapi.edr.writing import cells_formats, fields_format

COLLECTION = "/ogcapi/collections/{collectionId}"


async def get_position(request: Request) -> Response:
    """Return the series of the native cells that hold the points of `coords`."""
    asked = asked_of(request)
    name = asked.format_among(POSITION.formats)
    wanted = position_request(asked.offered, asked.query, asked.services.catalogue)
    resolve = partial(resolve_positions, wanted, asked.services)
    return await _series(request, asked, resolve, layers=wanted.layers, name=name, crs=wanted.points[0].crs)


async def get_area(request: Request) -> Response:
    """Return the cells in the polygon of `coords`."""
    return await _cells(request, area_request)


async def get_cube(request: Request) -> Response:
    """Return the cells in `bbox`."""
    return await _cells(request, cube_request)


async def get_radius(request: Request) -> Response:
    """Return the cells round the point of `coords`."""
    return await _cells(request, radius_request)


async def _cells(request: Request, requested: Callable[[Offered, Kvp, Catalogue], CellsRequest]) -> Response:
    asked = asked_of(request)
    name, services = asked.format_among(OF_CELLS), asked.services
    gate, formats = state_of(request).gates.coverages, cells_formats(asked)
    known, with_body = known_etags(request), request.method != "HEAD"
    wanted = await in_thread(gate, requested, asked.offered, asked.query, services.catalogue)

    def work(is_wanted: IsWanted) -> CoverageDelivery:
        return deliver_coverage(
            wanted.settled(services),
            name,
            services,
            formats=formats,
            known=known,
            with_body=with_body,
            is_wanted=is_wanted,
        )

    await body_of(request)
    async with while_wanted(request) as is_wanted:
        layer = wanted.coverage.layers[0]
        delivery = await for_client(request, gate, layer, partial(work, is_wanted), services=services)
    return respond_with_file(replace(delivery, media_type=asked.media_type(name)), with_body=with_body)


async def get_location(request: Request) -> Response:
    """Return the means of the native cells in one place, or in each of several."""
    asked = asked_of(request)
    name = asked.format_among(LOCATIONS.formats)
    catalogue = asked.services.catalogue
    require_sets(asked.offered, catalogue)
    areas = areas_of_locations(request.path_params["locationId"], catalogue)
    wanted = areas_request(asked.offered, areas, asked.query)
    crs = crs_of_query(asked.query, asked.offered.main_field, catalogue) or CRS84
    resolve = partial(resolve_areas, wanted, asked.services)
    return await _series(request, asked, resolve, layers=wanted.layers, name=name, crs=crs)


async def get_locations(request: Request) -> Response:
    """Return a page of the places that there are."""
    asked = asked_of(request)
    asked.format_among(OF_FEATURES)
    catalogue = asked.services.catalogue
    sets = require_sets(asked.offered, catalogue)
    wanted = features_query(asked.offered, asked.query, catalogue)
    locations = Locations(
        offered=asked.offered,
        sets=sets,
        root=base_url(request),
        address=asked.address,
        language=language_of(request, asked.query),
    )
    return await _features(request, partial(locations.document, wanted, asked.services.clock))


async def get_items(request: Request) -> Response:
    """Return a page of the times that there are."""
    asked = asked_of(request)
    asked.format_among(OF_FEATURES)
    wanted = features_query(asked.offered, asked.query, asked.services.catalogue)
    items = _items(request, asked, wanted.layers)
    return await _features(request, partial(items_document, items, wanted, asked.services.clock))


async def get_item(request: Request) -> Response:
    """Return one of them."""
    asked = asked_of(request)
    asked.format_among(OF_FEATURES)
    check_query(asked.query, ("f", "lang"))
    items = _items(request, asked, tuple(asked.offered.fields.values()))
    return await _features(request, partial(item_document, items, request.path_params["itemId"]))


def _items(request: Request, asked: Asked, layers: tuple[Layer, ...]) -> Items:
    language = language_of(request, asked.query)
    return Items(offered=asked.offered, layers=layers, address=asked.address, language=language)


async def _features(request: Request, make: Callable[[], bytes]) -> Response:
    body = await in_documents(request, make)
    response = respond_with_content(body, MEDIA_TYPES[GEOJSON], request)
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


async def _series(
    request: Request,
    asked: Asked,
    resolve: Callable[..., FieldsTarget],
    *,
    layers: tuple[str, ...],
    name: str,
    crs: Crs,
) -> Response:
    written = fields_format(name, asked, crs)
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


routes = [
    Route(f"{COLLECTION}/position", endpoint(get_position, edr_fault)),
    Route(f"{COLLECTION}/area", endpoint(get_area, area_fault)),
    Route(f"{COLLECTION}/cube", endpoint(get_cube, edr_fault)),
    Route(f"{COLLECTION}/radius", endpoint(get_radius, area_fault)),
    Route(f"{COLLECTION}/locations", endpoint(get_locations, edr_fault)),
    Route(f"{COLLECTION}/locations/{{locationId:path}}", endpoint(get_location, edr_fault)),
    Route(f"{COLLECTION}/items", endpoint(get_items, edr_fault)),
    Route(f"{COLLECTION}/items/{{itemId}}", endpoint(get_item, edr_fault)),
]
