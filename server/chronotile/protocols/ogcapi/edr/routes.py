"""`/ogcapi/collections/{collectionId}/…`: data queries."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.cancellation import IsActive
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import add_live_warning
from chronotile.http.if_none_match import client_etags
from chronotile.http.job_offers import JobOffer, offer_job
from chronotile.http.request_bodies import discard_body
from chronotile.http.run import run
from chronotile.http.work_kinds import COVERAGES, DOCUMENTS, SERIES_OF_MANY
from chronotile.pipeline.cached_answer import FilePayload
from chronotile.pipeline.coverage.deliver import CoveragePayload, deliver_coverage
from chronotile.pipeline.series.fields import FieldsTarget, deliver_fields, resolve_areas, resolve_positions
from chronotile.protocols.common.coverage_files import file_conditions, respond_with_file
from chronotile.protocols.common.export_offer import export_offer
from chronotile.protocols.common.job_inputs import OF_SERIES, datetime_input, names_input, places_input
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F
from chronotile.protocols.ogcapi.edr import formats, queries
from chronotile.protocols.ogcapi.edr.data_request import (
    DataRequest,
    cells_formats,
    data_response,
    fields_format,
    parse_data_query,
)
from chronotile.protocols.ogcapi.edr.features import select_features
from chronotile.protocols.ogcapi.edr.items import Items, item_document, items_document
from chronotile.protocols.ogcapi.edr.locations import Locations, areas_of_locations, require_sets
from chronotile.protocols.ogcapi.edr.params import (
    CellsRequest,
    areas_request,
    check_query,
    crs_of_query,
    position_request,
)

SeriesQuery = tuple[FieldsTarget, Crs]
"""The series to deliver, and the CRS of coordinates in the response."""


def position_query(data_request: DataRequest, is_active: IsActive) -> SeriesQuery:
    """Resolve a position query. Runs in a thread, as it parses texts of any length.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    request = position_request(data_request.offered, data_request.query, data_request.services.catalogue)
    target = resolve_positions(request, data_request.services, is_active=is_active)
    return target, request.points[0].crs


def location_query(data_request: DataRequest, is_active: IsActive, *, names: str) -> SeriesQuery:
    """Resolve a query for one or several locations. Runs in a thread.

    Raises:
        ChronotileError: A place does not exist, or a parameter is not accepted.
    """
    catalogue = data_request.services.catalogue
    require_sets(data_request.offered, catalogue)
    request = areas_request(data_request.offered, areas_of_locations(names, catalogue), data_request.query)
    crs = crs_of_query(data_request.query, data_request.offered.main_field, catalogue) or CRS84
    return resolve_areas(request, data_request.services, is_active=is_active), crs


async def get_locations(request: Request) -> Response:
    """Return a page of the list of locations."""
    data_request = parse_data_query(request)
    data_request.format_among(formats.FEATURE_FORMATS)
    catalogue = data_request.services.catalogue
    sets = require_sets(data_request.offered, catalogue)
    selection = select_features(data_request.offered, data_request.query, catalogue)
    locations = Locations(
        offered=data_request.offered,
        sets=sets,
        root=base_url(request),
        address=data_request.address,
        language=negotiate_language(request, data_request.query),
    )
    return await _features(request, partial(locations.document, selection, data_request.services.clock))


async def get_items(request: Request) -> Response:
    """Return a page of the list of items, one per time."""
    data_request = parse_data_query(request)
    data_request.format_among(formats.FEATURE_FORMATS)
    selection = select_features(data_request.offered, data_request.query, data_request.services.catalogue)
    items = _items(request, data_request, selection.layers)
    return await _features(request, partial(items_document, items, selection, data_request.services.clock))


async def get_item(request: Request) -> Response:
    """Return one item."""
    data_request = parse_data_query(request)
    data_request.format_among(formats.FEATURE_FORMATS)
    check_query(data_request.query, (F, LANG))
    items = _items(request, data_request, tuple(data_request.offered.fields.values()))
    return await _features(request, partial(item_document, items, request.path_params["itemId"]))


def _items(request: Request, data_request: DataRequest, layers: tuple[Layer, ...]) -> Items:
    language = negotiate_language(request, data_request.query)
    return Items(
        offered=data_request.offered,
        layers=layers,
        address=data_request.address,
        language=language,
        max_json_values=data_request.services.catalogue.limits.max_series_values,
    )


async def _features(request: Request, make: Callable[[], bytes]) -> Response:
    body = await run(request, DOCUMENTS, make)
    response = answer_content(body, formats.MEDIA_TYPES[formats.GEOJSON], request)
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


async def get_location(request: Request) -> Response:
    """Return the means of the native cells in one or several places."""
    names = request.path_params["locationId"]
    resolve, offer = partial(location_query, names=names), partial(location_offer, names=names)
    return await get_series(queries.LOCATIONS, resolve, offer, request)


async def get_series(
    query: queries.DataQuery,
    resolve: Callable[[DataRequest, IsActive], SeriesQuery],
    offer: Callable[[DataRequest], JobOffer | None],
    request: Request,
) -> Response:
    """Return series of points or places."""
    data_request = parse_data_query(request)
    offer_job(request, partial(offer, data_request))
    name, etags = data_request.format_among(query.formats), client_etags(request)

    def work(is_active: IsActive) -> FilePayload:
        target, crs = resolve(data_request, is_active)
        return deliver_fields(target, fields_format(name, data_request, crs), client_etags=etags)

    layer = data_request.offered.main_field
    await discard_body(request)
    payload = await run(request, SERIES_OF_MANY, work, layers=[layer.id])
    return add_live_warning(data_response(payload, name, data_request), [layer], data_request.services)


async def get_cells(
    requested: Callable[[OfferedCollection, Kvp, Catalogue], CellsRequest], request: Request
) -> Response:
    """Return the cells of an area, a cube or a circle."""
    data_request = parse_data_query(request)
    name, services = data_request.format_among(formats.CELL_FORMATS), data_request.services
    options, media_type = data_request.csv_options(name), data_request.media_type(name)
    written, key = cells_formats(data_request, options)[name], f"{name} {media_type} {data_request.address} {options}"
    conditions = file_conditions(request)

    def cells() -> CellsRequest:
        return requested(data_request.offered, data_request.query, services.catalogue)

    exported = {formats.GEOTIFF: "GTiff"}.get(name, name)  # the name in the export process
    offer_job(request, lambda: export_offer(cells().resolve_size(services), exported, services.catalogue))

    def work(is_active: IsActive) -> CoveragePayload:
        return deliver_coverage(
            cells().resolve_size(services),
            key,
            services,
            formats={key: written},
            conditions=conditions,
            is_active=is_active,
        )

    await discard_body(request)
    delivery = await run(request, COVERAGES, work, layers=[data_request.offered.main_field.id])
    return respond_with_file(replace(delivery, media_type=media_type))


def position_offer(data_request: DataRequest) -> JobOffer | None:
    """Return the job that replaces a position query beyond the limits; `None` if points are not in CRS84.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    request = position_request(data_request.offered, data_request.query, data_request.services.catalogue)
    if any(point.crs != CRS84 for point in request.points):
        return None
    inputs = {
        "layers": names_input(request.layers),
        "points": [[point.x, point.y] for point in request.points],
        **datetime_input(request.time),
        "format": "json",
    }
    notes = ["the file is JSON, as /timeseries/points has it"]
    return JobOffer(process="time-series", inputs=inputs, limits=OF_SERIES, notes=notes)


def location_offer(data_request: DataRequest, *, names: str) -> JobOffer | None:
    """Return the job that replaces a location query beyond the limits; `None` for several parameters.

    Raises:
        ChronotileError: A place does not exist, or a parameter is not accepted.
    """
    catalogue = data_request.services.catalogue
    request = areas_request(data_request.offered, areas_of_locations(names, catalogue), data_request.query)
    places = places_input(request.areas, catalogue.layer(request.layers[0]), catalogue)
    if places is None or len(request.layers) > 1 or len({area.crs for area in request.areas}) > 1:
        return None
    inputs = {"layer": request.layers[0], **places, **datetime_input(request.time), "format": "geojson"}
    notes = ["the file is GeoJSON, as /timeseries/{layer}/areas has it"]
    return JobOffer(process="zonal-statistics", inputs=inputs, limits=OF_SERIES, notes=notes)
