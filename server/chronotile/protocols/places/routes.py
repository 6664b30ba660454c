"""`/places`: sets of named geometries, their vector tiles, and their values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlencode

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.cancellation import IsActive
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import Payload, TimeUsed
from chronotile.core.model.places import PlaceSet, PlaceTileRequest, PlaceValues, PlaceValuesRequest
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content, answer_payload
from chronotile.http.base_urls import base_url
from chronotile.http.byte_ranges import accept_ranges
from chronotile.http.cache_headers import CACHE_STABLE
from chronotile.http.if_none_match import client_etags
from chronotile.http.meter import OF_REQUEST, Meter, processes_time
from chronotile.http.problems import TILED_SPELLING, problem_response
from chronotile.http.request_bodies import discard_body, read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS, PICTURES, SERIES_OF_MANY, UPLOADS
from chronotile.pipeline.cached_answer import mark_missing
from chronotile.pipeline.encoders.series.csv import encode_place_values_csv
from chronotile.pipeline.encoders.series.json import encode_place_values_json
from chronotile.pipeline.encoders.vector.geojson import encode_places_geojson
from chronotile.pipeline.encoders.vector.mvt import MEDIA_TYPE
from chronotile.pipeline.features.values import note_on_cells
from chronotile.pipeline.place_shapes import choose_places, places_revision
from chronotile.pipeline.place_tiles import render_place_tile
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.places import extract_place_values, resolve_place_values
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import negotiate_language, text_in
from chronotile.protocols.common.openapi import FILE, REFUSALS_OF_BODIES, TEXT, ref
from chronotile.protocols.common.operation import TILE, Operation, language, routes_of, segment
from chronotile.protocols.common.query.areas import MIN_VALID, REDUCER, WEIGHTS
from chronotile.protocols.common.query.csv_options import OF_LAYERS, csv_options
from chronotile.protocols.common.query.immutable_answers import REV
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, Parameter, choice, datetime, names_of, text, whole
from chronotile.protocols.common.query.tile_address import tile_grid_of
from chronotile.readers.places.convert import MEMORY_BYTES
from chronotile.readers.places.isolated import MAX_FILE_BYTES, geojson_of_file

FORMAT = choice("format", "How the page is written; default: JSON", ("json", "geojson"), default="json")
MAX_LIMIT = 10_000
LIMIT = whole(
    "limit", f"Maximum number of places; default: 1000, of GeoJSON {MAX_LIMIT}", least=1, most=MAX_LIMIT, default=1000
)
OFFSET = whole("offset", "How many places come before the first one", least=0, default=0)
OF_SET: tuple[Parameter[object], ...] = (FORMAT, LIMIT, OFFSET)
"""Parameters of a set in addition to `lang`."""
LAYER = text("layer", "Id or alias")
DATETIME = datetime("An instant, interval or list; default: the whole time domain")
FORMAT_OF_VALUES = choice("format", "How the matrix is written; default: JSON", ("json", "csv"), default="json")
LIMIT_OF_VALUES = whole("limit", "Maximum number of places; default: all", least=1)
OF_VALUES: tuple[Parameter[object], ...] = (
    *(LAYER, DATETIME, REDUCER, WEIGHTS, MIN_VALID, FORMAT_OF_VALUES, LIMIT_OF_VALUES, OFFSET),
    *OF_LAYERS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacesQuery:
    """The requested page of a set, and its format."""

    format: str
    limit: int
    is_limited: bool
    """Whether the client chose the limit."""
    offset: int

    def numbers(self, places: PlaceSet) -> range:
        """Return the indexes of the places on the page."""
        return range(len(places))[self.offset : self.offset + self.limit]


def places_query(query: Kvp) -> PlacesQuery:
    """Return the query of `/places/{set}`.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_names((LANG.name, *names_of(OF_SET)))
    name, limit = FORMAT.value(query), LIMIT.optional(query)
    usual = MAX_LIMIT if name == "geojson" else LIMIT.value(query)
    return PlacesQuery(format=name, limit=limit or usual, is_limited=limit is not None, offset=OFFSET.value(query))


def values_request(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> PlaceValuesRequest:
    """Return the matrix that `/places/{set}/values` requests.

    Raises:
        ChronotileError: A name is unknown, or a parameter is missing or not accepted.
    """
    query.check_names(names_of(OF_VALUES))
    return PlaceValuesRequest(
        places=catalogue.place_set(path["set"]).id,
        layer=catalogue.layer(LAYER.value(query)).id,
        time=DATETIME.value(query),
        reducer=REDUCER.value(query),
        weights=WEIGHTS.value(query),
        min_valid=MIN_VALID.value(query),
        offset=OFFSET.value(query),
        limit=LIMIT_OF_VALUES.optional(query),
    )


# Errors of `/places`.

place_fault = partial(problem_response, spelling={**TILED_SPELLING, "place": "set", "reducers": "reducer"})
"""Problem documents with the names of parameters in path and query."""


JSON = "application/json"
GEOJSON = "application/geo+json"
UPLOADED = ("application/geopackage+sqlite3", "application/zip")


async def get_sets(request: Request) -> Response:
    """Return all sets of places."""
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    context = _context(request, query)
    sets = context.services.catalogue.places.values()
    body = await run(
        request, DOCUMENTS, lambda: orjson.dumps({"places": [place_set(places, context) for places in sets]})
    )
    return _add_language(answer_content(body, JSON, request, cache_control=CACHE_STABLE), context)


async def get_set(request: Request) -> Response:
    """Return one set, with a page of its places as JSON or GeoJSON."""
    query = Kvp(request.query_params.multi_items())
    places = services_of(request).catalogue.place_set(request.path_params["set"])
    selection, context = places_query(query), _context(request, query)
    write, media_type = (_geojson, GEOJSON) if selection.format == "geojson" else (place_page, JSON)
    body = await run(request, DOCUMENTS, partial(write, places, selection, context))
    response = _add_language(answer_content(body, media_type, request, cache_control=CACHE_STABLE), context)
    if media_type == GEOJSON:
        response.headers.update(_geojson_headers(places, selection, context))
    return accept_ranges(response)


async def post_shapes(request: Request) -> Response:
    """Return the shapes of an uploaded file as GeoJSON."""
    Kvp(request.query_params.multi_items()).check_names(())
    content = await read_body(request, at_most=MAX_FILE_BYTES, is_file=True)
    body = await run(request, UPLOADS, partial(_shapes, content, services_of(request)))
    return answer_content(body, GEOJSON, request, cache_control="no-store")


async def get_tile(request: Request) -> Response:
    """Return one vector tile, immutable if its URL contains the current revision."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    query.check_names((REV.name,))
    places, path = services.catalogue.place_set(request.path_params["set"]), request.path_params
    tile = PlaceTileRequest(places=places.id, grid=tile_grid_of(path, services.catalogue))
    payload = await run(
        request, PICTURES, partial(render_place_tile, tile, services, client_etags=client_etags(request))
    )
    return accept_ranges(answer_payload(payload, is_immutable=REV.optional(query) == payload.revision))


async def get_values(request: Request) -> Response:
    """Return the values of the places of a set, one number per place and instant."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    series_request = values_request(request.path_params, query, services.catalogue)
    written = _matrix_format(query, services.catalogue.layer(series_request.layer))
    await discard_body(request)
    work = partial(_values, series_request, services, written=written, client_etags=client_etags(request))
    response = answer_payload(await run(request, SERIES_OF_MANY, work, layers=[series_request.layer]))
    response.headers.update(written.headers(series_request))
    return accept_ranges(response)


@dataclass(frozen=True, slots=True, kw_only=True)
class _MatrixFormat:
    """Format of a matrix of values."""

    name: str
    """The name, part of the ETag."""
    media_type: str
    encode: Callable[[PlaceValues], bytes]
    is_file: bool = False
    """Whether browsers save the answer as a file."""

    def headers(self, series_request: PlaceValuesRequest) -> dict[str, str]:
        name = f"{series_request.places}-{series_request.layer}.csv"
        return {"Content-Disposition": f'attachment; filename="{name}"'} if self.is_file else {}


def _matrix_format(query: Kvp, layer: Layer) -> _MatrixFormat:
    is_csv = FORMAT_OF_VALUES.value(query) == "csv"
    options = csv_options(query, [layer], is_csv=is_csv)
    if not is_csv:
        return _MatrixFormat(name="json", media_type=JSON, encode=encode_place_values_json)
    encode = partial(encode_place_values_csv, options=options)
    return _MatrixFormat(name=f"csv {options}", media_type="text/csv", encode=encode, is_file=True)


def _values(
    series_request: PlaceValuesRequest,
    services: Services,
    is_active: IsActive,
    *,
    written: _MatrixFormat,
    client_etags: frozenset[str],
) -> Payload:
    target = resolve_place_values(series_request, services)
    payload = Payload(
        body=b"",
        media_type=written.media_type,
        etag=fingerprint(target.etag, written.name),
        time=TimeUsed(is_open=target.is_open),
    )
    if payload.etag in client_etags:
        return replace(payload, unchanged=True)
    values = extract_place_values(target, series_request, services, is_active=is_active)
    note = note_on_cells({values.layer: values.without_cells} if values.without_cells else {}, len(values.ids))
    return mark_missing(replace(payload, body=written.encode(values)), values.missing, note=note)


def _shapes(content: bytes, services: Services, is_active: IsActive) -> bytes:
    read = partial(geojson_of_file, content, max_vertices=services.catalogue.limits.max_vertices, is_active=is_active)
    meter = OF_REQUEST.get() or Meter()
    with services.memory.taking(MEMORY_BYTES, alternative="use a server with more memory", is_active=is_active):
        return meter.measure(read, processes_time)  # all child processes, as only one upload is read at a time


def _geojson(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> bytes:
    numbers, following = np.array(selection.numbers(places), dtype=np.int64), next_page(places, selection, context)
    links = [{"rel": "next", "href": following, "type": GEOJSON}] if following else []
    counts = {"numberMatched": len(places), "numberReturned": len(numbers)}
    return encode_places_geojson(choose_places(places, numbers), members={"name": places.id, **counts, "links": links})


def _geojson_headers(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> dict[str, str]:
    """Return file name, link to the next page, and a warning if the client did not request an incomplete answer."""
    headers = {"Content-Disposition": f'inline; filename="{places.id}.geojson"'}
    following = next_page(places, selection, context)
    if following is not None:
        headers["Link"] = f'<{following}>; rel="next"; type="{GEOJSON}"'
        if not selection.is_limited:
            message = f"incomplete: {selection.limit} of {len(places)} places; the link next has those that follow"
            headers["Warning"] = f'199 - "{message}"'
    return headers


def _context(request: Request, query: Kvp) -> CapabilitiesContext:
    language = negotiate_language(request, query)
    return CapabilitiesContext(services=services_of(request), base=base_url(request), language=language)


def _add_language(response: Response, context: CapabilitiesContext) -> Response:
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Language"})
    return response


SET = segment("set", "A set of places", example=lambda of: of.place_set or None)
describe = partial(Operation, tag="Places", faults=place_fault)
operations = (
    describe(
        "/places",
        get_sets,
        "getPlaceSets",
        "All sets of named places",
        parameters=[language],
        answers={"application/json": ref("PlaceSets")},
        refusals=("BadRequest", "Unavailable"),
    ),
    describe(
        "/places/{set}",
        get_set,
        "getPlaceSet",
        "One set with its places, in pages",
        parameters=[SET, *OF_SET, language],
        examples={"limit": 2},
        answers={"application/json": ref("PlaceSet"), "application/geo+json": ref("FeatureCollection")},
    ),
    describe(
        "/places/{set}/values",
        get_values,
        "getPlaceValues",
        "The values of all places of a set: one matrix, places by times",
        parameters=[SET, *OF_VALUES],
        examples={"layer": lambda of: of.layer, "datetime": lambda of: of.times, "reducer": "mean", "limit": 2},
        required=["layer"],
        answers={"application/json": ref("PlaceValues"), "text/csv": TEXT},
    ),
    describe(
        "/places/shapes",
        post_shapes,
        "postShapes",
        "The shapes of a GeoPackage or a zipped shapefile as GeoJSON; nothing is kept",
        method="POST",
        body={"required": True, "content": {media_type: {"schema": FILE} for media_type in UPLOADED}},
        answers={GEOJSON: ref("FeatureCollection")},
        refusals=REFUSALS_OF_BODIES,
    ),
    describe(
        "/places/{set}/tiles/{tms}/{z}/{x}/{y}.mvt",
        get_tile,
        "getPlaceTile",
        "The outlines of a set as a vector tile",
        parameters=[SET, *TILE, REV],
        answers={MEDIA_TYPE: FILE},
    ),
)
routes = routes_of(operations)


def place_set(places: PlaceSet, context: CapabilitiesContext) -> Json:
    """Return the description of a set: title, extent, fields and links."""
    return {
        "id": places.id,
        "title": text_in(places.spec.title, context.language),
        "count": len(places),
        "bbox": [round(edge, 7) for edge in places.bbox],
        "attribution": places.spec.attribution,
        "fields": list(places.columns),
        "revision": places_revision(places),
        "links": _links(places, context),
    }


def place_page(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> bytes:
    """Return a set with one page of its places; each place has its number in the vector tiles."""
    columns = places.columns
    page = [
        {"number": number, **{name: column[number] for name, column in columns.items()}}
        for number in selection.numbers(places)
    ]
    next_url = next_page(places, selection, context)
    return orjson.dumps({**place_set(places, context), "places": page, "next": next_url})


def next_page(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> str | None:
    """Return the URL of the next page, `None` on the last page."""
    offset = selection.offset + selection.limit
    if offset >= len(places):
        return None
    query = urlencode({"format": selection.format, "limit": selection.limit, "offset": offset})
    return f"{_path(places, context)}?{query}"


def _path(places: PlaceSet, context: CapabilitiesContext) -> str:
    return f"{context.base}/places/{quote(places.id)}"


def _links(places: PlaceSet, context: CapabilitiesContext) -> list[Json]:
    path, revision = _path(places, context), places_revision(places)
    templates = {set_.id: f"{path}/tiles/{quote(set_.id)}" for set_ in context.services.catalogue.tile_matrix_sets}
    tiles = [
        link("tiles", f"{tiles}/{{z}}/{{x}}/{{y}}.mvt?rev={revision}", MEDIA_TYPE, id_, is_template=True)
        for id_, tiles in templates.items()
    ]
    values = f"{path}/values{{?layer,datetime,reducer,weights,min_valid,limit,offset}}"
    return [
        link("self", path, JSON, "this set"),
        link("items", f"{path}?format=geojson", GEOJSON, "its places as GeoJSON"),
        *tiles,
        link("values", values, JSON, "values of all places", is_template=True),
    ]
