"""`/ogcapi/collections/{collectionId}/…`: data queries."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.crs import CRS84, Crs
from chronotile.core.model.geometry.circle import MOST_M
from chronotile.core.model.request import IsActive
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import add_live_warning
from chronotile.http.endpoint import Endpoint, Faults
from chronotile.http.etags import client_etags
from chronotile.http.job_offers import JobOffer, offer_job
from chronotile.http.request_bodies import discard_body
from chronotile.http.run import run
from chronotile.http.work_kinds import COVERAGES, DOCUMENTS, SERIES_OF_MANY
from chronotile.pipeline.answer import FilePayload
from chronotile.pipeline.coverage.deliver import CoveragePayload, deliver_coverage
from chronotile.pipeline.series.fields import (
    FieldsTarget,
    deliver_fields,
    resolve_areas,
    resolve_positions,
)
from chronotile.protocols.common.coverage_files import export_offer, file_conditions, respond_with_file
from chronotile.protocols.common.extent import crossing_box, longitude_latitude_box
from chronotile.protocols.common.job_offer import OF_SERIES, datetime_input, names_input, places_input
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.openapi import BINARY, TEXT, Examples, enum_of, ref
from chronotile.protocols.common.operation import Operation, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, NO_EXAMPLES, F, Parameter, documents
from chronotile.protocols.ogcapi.block import collection_in_path, describe, has_values
from chronotile.protocols.ogcapi.edr import queries
from chronotile.protocols.ogcapi.edr.data_request import (
    DataRequest,
    area_fault,
    cells_formats,
    data_response,
    edr_fault,
    fields_format,
    parse_data_query,
)
from chronotile.protocols.ogcapi.edr.features import (
    BETWEEN,
    TIMELESS,
    Items,
    Locations,
    areas_of_locations,
    features_query,
    item_document,
    items_document,
    require_sets,
)
from chronotile.protocols.ogcapi.edr.params import (
    CellsRequest,
    area_request,
    areas_request,
    check_query,
    crs_of_query,
    cube_request,
    position_request,
    radius_request,
)

# Queries whose answer goes along time, resolved: positions and locations. Texts are read here, in threads.


SeriesQuery = tuple[FieldsTarget, Crs]
"""Series, and the CRS of the coordinates in the answer."""


def position_query(data_request: DataRequest, is_active: IsActive) -> SeriesQuery:
    """Return the series of the points of `coords`.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    request = position_request(data_request.offered, data_request.query, data_request.services.catalogue)
    target = resolve_positions(request, data_request.services, is_active=is_active)
    return target, request.points[0].crs


def location_query(data_request: DataRequest, is_active: IsActive, *, names: str) -> SeriesQuery:
    """Return the series of the places of the path.

    Raises:
        ChronotileError: There is no such place, or a parameter is not accepted.
    """
    catalogue = data_request.services.catalogue
    require_sets(data_request.offered, catalogue)
    request = areas_request(data_request.offered, areas_of_locations(names, catalogue), data_request.query)
    crs = crs_of_query(data_request.query, data_request.offered.main_field, catalogue) or CRS84
    return resolve_areas(request, data_request.services, is_active=is_active), crs


async def get_locations(request: Request) -> Response:
    """Return a page of the places that there are."""
    data_request = parse_data_query(request)
    data_request.format_among(queries.OF_FEATURES)
    catalogue = data_request.services.catalogue
    sets = require_sets(data_request.offered, catalogue)
    selection = features_query(data_request.offered, data_request.query, catalogue)
    locations = Locations(
        offered=data_request.offered,
        sets=sets,
        root=base_url(request),
        address=data_request.address,
        language=language_of(request, data_request.query),
    )
    return await _features(request, partial(locations.document, selection, data_request.services.clock))


async def get_items(request: Request) -> Response:
    """Return a page of the times that there are."""
    data_request = parse_data_query(request)
    data_request.format_among(queries.OF_FEATURES)
    selection = features_query(data_request.offered, data_request.query, data_request.services.catalogue)
    items = _items(request, data_request, selection.layers)
    return await _features(request, partial(items_document, items, selection, data_request.services.clock))


async def get_item(request: Request) -> Response:
    """Return one of them."""
    data_request = parse_data_query(request)
    data_request.format_among(queries.OF_FEATURES)
    check_query(data_request.query, (F, LANG))
    items = _items(request, data_request, tuple(data_request.offered.fields.values()))
    return await _features(request, partial(item_document, items, request.path_params["itemId"]))


def _items(request: Request, data_request: DataRequest, layers: tuple[Layer, ...]) -> Items:
    language = language_of(request, data_request.query)
    return Items(offered=data_request.offered, layers=layers, address=data_request.address, language=language)


async def _features(request: Request, make: Callable[[], bytes]) -> Response:
    body = await run(request, DOCUMENTS, make)
    response = answer_content(body, queries.MEDIA_TYPES[queries.GEOJSON], request)
    response.headers["Vary"] = "Accept, Accept-Language"
    return response


async def get_location(request: Request) -> Response:
    """Return the means of the native cells in one place, or in each of several."""
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
    name, known = data_request.format_among(query.formats), client_etags(request)

    def work(is_active: IsActive) -> FilePayload:
        target, crs = resolve(data_request, is_active)
        return deliver_fields(target, fields_format(name, data_request, crs), client_etags=known)

    layer = data_request.offered.main_field
    await discard_body(request)
    payload = await run(request, SERIES_OF_MANY, work, layers=[layer.id])
    return add_live_warning(data_response(payload, name, data_request), [layer], data_request.services)


async def get_cells(
    requested: Callable[[OfferedCollection, Kvp, Catalogue], CellsRequest], request: Request
) -> Response:
    """Return the cells of an area, a cube or a circle."""
    data_request = parse_data_query(request)
    name, services = data_request.format_among(queries.OF_CELLS), data_request.services
    options, media_type = data_request.csv_options(name), data_request.media_type(name)
    written, key = cells_formats(data_request, options)[name], f"{name} {media_type} {data_request.address} {options}"
    conditions = file_conditions(request)

    def cells() -> CellsRequest:
        return requested(data_request.offered, data_request.query, services.catalogue)

    exported = {queries.GEOTIFF: "GTiff"}.get(name, name)  # as the process calls it
    offer_job(request, lambda: export_offer(cells().settled(services), exported, services.catalogue))

    def work(is_active: IsActive) -> CoveragePayload:
        return deliver_coverage(
            cells().settled(services), key, services, formats={key: written}, conditions=conditions, is_active=is_active
        )

    await discard_body(request)
    delivery = await run(request, COVERAGES, work, layers=[data_request.offered.main_field.id])
    return respond_with_file(replace(delivery, media_type=media_type))


def position_offer(data_request: DataRequest) -> JobOffer | None:
    """Return the job that does what a position query is too large for; `None` of points in another CRS than CRS84.

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
    """Return the job that does what the data of locations are too large for; `None` of several parameters.

    Raises:
        ChronotileError: There is no such place, or a parameter is not accepted.
    """
    catalogue = data_request.services.catalogue
    request = areas_request(data_request.offered, areas_of_locations(names, catalogue), data_request.query)
    places = places_input(request.areas, catalogue.layer(request.layers[0]), catalogue)
    if places is None or len(request.layers) > 1 or len({area.crs for area in request.areas}) > 1:
        return None
    inputs = {"layer": request.layers[0], **places, **datetime_input(request.time), "format": "geojson"}
    notes = ["the file is GeoJSON, as /timeseries/{layer}/areas has it"]
    return JobOffer(process="zonal-statistics", inputs=inputs, limits=OF_SERIES, notes=notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a collection has data, as parameters say it: small, so that examples are quick."""

    point: str
    polygon: str
    box: list[float]
    within: float
    """In km."""

    @classmethod
    def of(cls, offered: OfferedCollection) -> "_Place":
        grid = offered.main_field.main_variable.grid
        west, south, east, north = crossing_box(grid) or longitude_latitude_box(offered.main_field)
        if west > east:  # the larger part of what the antimeridian divides
            west, east = (west, 180.0) if 180 - west > east + 180 else (-180.0, east)
        x, y = (west + east) / 2, (south + north) / 2
        part = min(1.0, max(0.01, 3 / min(grid.width, grid.height))) / 2
        width, height = part * (east - west), part * (north - south)
        within = min(max(1.0, 111 * max(width, height)), MOST_M / 1000)
        x, y, left, bottom, right, top = (
            float(f"{each:.6f}") for each in (x, y, x - width, y - height, x + width, y + height)
        )
        corners = ((left, bottom), (right, bottom), (right, top), (left, top), (left, bottom))
        ring = ",".join(f"{each[0]!r} {each[1]!r}" for each in corners)
        return cls(
            point=f"POINT({x!r} {y!r})", polygon=f"POLYGON(({ring}))", box=[left, bottom, right, top], within=within
        )


def _examples(offered: Sequence[OfferedCollection]) -> Mapping[str, object]:
    instants = offered[0].main_field.times.instants
    return {
        "datetime": f"{format_instant(instants[-1])}/.." if len(instants) else None,
        "parameter-name": next(iter(offered[0].fields)),
        "crs": CRS84.uri,
    }


def _query(
    parameters: Sequence[Parameter[object]],
    formats: Sequence[str],
    examples: Mapping[str, object] = NO_EXAMPLES,
    *,
    required: Collection[str] = (),
) -> list[Json]:
    """Parameters of the query, with all that OGC's suite looks for, which knows no defaults."""
    of_formats = replace(F, schema=enum_of(formats))
    documented = documents([of_formats if each is F else each for each in parameters], examples, required=required)
    return [{"required": False, **each, "style": "form", "explode": False} for each in documented]


def _placed(examples: Examples) -> list[OfferedCollection]:
    return [each for each in examples.with_values if queries.sets_of(each, examples.catalogue)]


WITH_VALUES = "Id of a collection, or id or alias of a layer, with values"
COLLECTION, PLACED = collection_in_path(WITH_VALUES, has_values), collection_in_path(WITH_VALUES, _placed)
described = partial(describe, tag="Environmental data retrieval", is_offered=has_values)
features = partial(
    described, faults=edr_fault, answers={queries.MEDIA_TYPES[queries.GEOJSON]: ref("EdrFeatureCollection")}
)
AT = "/collections/{collectionId}"


def _answers(query: queries.DataQuery) -> dict[str, Json]:
    schemas = {
        queries.COVERAGE_JSON: ref("EdrCoverageJson"),
        queries.GEOJSON: ref("EdrFeatureCollection"),
        queries.CSV: TEXT,
    }
    others = [(media_type, name) for media_type, name in queries.OTHER_MEDIA_TYPES.items() if name in query.formats]
    types = [*((queries.MEDIA_TYPES[name], name) for name in query.formats), *others]
    return {media_type: schemas.get(name, BINARY) for media_type, name in types}


def _data(
    query: queries.DataQuery,
    handler: Endpoint,
    name: str,
    given: Callable[[_Place], Mapping[str, object]],
    *,
    faults: Faults = edr_fault,
) -> Operation:
    """An operation that gives data; parameters with an example that is not of all queries must be there."""

    def parameters(examples: Examples) -> list[Json]:
        own = given(_Place.of(examples.with_values[0]))
        return _query(query.parameters, query.formats, {**_examples(examples.with_values), **own}, required=own)

    return described(
        f"{AT}/{query.name}",
        handler,
        name,
        query.description,
        faults=faults,
        parameters=[COLLECTION, parameters],
        answers=_answers(query),
    )


def _example_item(examples: Examples) -> str:
    times = examples.with_values[0].times
    return format_instant(times.instants[-1]) if len(times) else TIMELESS


def _example_location(examples: Examples) -> str:
    places = queries.sets_of(_placed(examples)[0], examples.catalogue)[0]
    return f"{places.id}{BETWEEN}{places.ids[0]}"


operations = (
    _data(
        queries.POSITION,
        partial(get_series, queries.POSITION, position_query, position_offer),
        "GetDataForPoint",
        lambda place: {"coords": place.point},
    ),
    _data(
        queries.AREA,
        partial(get_cells, area_request),
        "GetDataForArea",
        lambda place: {"coords": place.polygon},
        faults=area_fault,
    ),
    _data(queries.CUBE, partial(get_cells, cube_request), "GetDataForCube", lambda place: {"bbox": place.box}),
    _data(
        queries.RADIUS,
        partial(get_cells, radius_request),
        "GetDataForRadius",
        lambda place: {"coords": place.point, "within": round(place.within), "within-units": "km"},
        faults=area_fault,
    ),
    features(
        f"{AT}/items",
        get_items,
        "ListDataItems",
        f"{queries.ITEMS.description}, page by page",
        parameters=[
            COLLECTION,
            lambda of: _query(queries.ITEMS.parameters, queries.OF_FEATURES, _examples(of.with_values)),
        ],
    ),
    described(
        f"{AT}/items/{{itemId}}",
        get_item,
        "GetDataForItem",
        "One of the times",
        faults=edr_fault,
        parameters=[
            COLLECTION,
            segment("itemId", f"A time, or `{TIMELESS}` where data have none", example=_example_item),
            lambda _of: _query([F], queries.OF_FEATURES),
        ],
        answers={queries.MEDIA_TYPES[queries.GEOJSON]: ref("EdrFeature")},
    ),
    features(
        f"{AT}/locations",
        get_locations,
        "ListCollectionDataLocations",
        f"{queries.LOCATIONS.description}, page by page",
        parameters=[
            PLACED,
            lambda of: _query(queries.LOCATIONS.parameters, queries.OF_FEATURES, _examples(_placed(of))),
        ],
        is_offered=_placed,
    ),
    described(
        f"{AT}/locations/{{locationId:path}}",
        get_location,
        "GetCollectionDataForLocation",
        queries.LOCATIONS.description,
        faults=edr_fault,
        parameters=[
            PLACED,
            segment("locationId", f"`set{BETWEEN}place`; several with commas", example=_example_location),
            lambda of: _query(queries.OF_DATA, queries.LOCATIONS.formats, _examples(_placed(of))),
        ],
        answers=_answers(queries.LOCATIONS),
        is_offered=_placed,
    ),
)
