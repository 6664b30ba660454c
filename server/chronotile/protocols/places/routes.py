"""`/places`: sets of named geometries, their vector tiles, and their values."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.encoders.series.csv import encode_place_values_csv
from chronotile.encoders.series.json import encode_place_values_json
from chronotile.encoders.vector.geojson import encode_places_geojson
from chronotile.model.cancellation import IsActive
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.payload import Payload, TimeUsed
from chronotile.model.places import PlaceSet, PlaceValues, PlaceValuesRequest
from chronotile.pipeline.place_shapes import shapes_in
from chronotile.pipeline.place_tiles.render import render_place_tile
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.places import extract_place_values, resolve_place_values
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import etag_without
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.csv_options import csv_options
from chronotile.protocols.common.query.form import discard_body
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.common.responses.ranges import in_parts
from chronotile.protocols.common.responses.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.protocols.common.state import (
    for_client,
    in_documents,
    in_thread,
    services_of,
    state_of,
    watch_disconnect,
)
from chronotile.protocols.places.documents import next_page, page_numbers, place_page, place_sets
from chronotile.protocols.places.faults import place_fault
from chronotile.protocols.places.params import (
    FORMAT_OF_VALUES,
    PlacesQuery,
    places_query,
    tile_request,
    values_request,
)

JSON = "application/json"
GEOJSON = "application/geo+json"


async def get_sets(request: Request) -> Response:
    """Return all sets of places."""
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    context = _context(request, query)
    body = await in_documents(request, lambda: orjson.dumps(place_sets(context)))
    return _with_language(respond_with_content(body, JSON, request, cache_control=SHORT), context)


async def get_set(request: Request) -> Response:
    """Return one set, with a page of its places as JSON or GeoJSON."""
    query = Kvp(request.query_params.multi_items())
    places = services_of(request).catalogue.place_set(request.path_params["set"])
    selection, context = places_query(query), _context(request, query)
    write = _geojson if selection.format == "geojson" else _json
    body = await in_documents(request, write, places, selection, context)
    media_type = GEOJSON if selection.format == "geojson" else JSON
    return in_parts(_with_language(respond_with_content(body, media_type, request, cache_control=SHORT), context))


async def get_tile(request: Request) -> Response:
    """Return one vector tile; for good, where its address carries the revision of now."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    tile = tile_request(request.path_params, query, services.catalogue)
    limiter = state_of(request).limiters.pictures
    payload = await in_thread(limiter, render_place_tile, tile, services, known=known_etags(request))
    return in_parts(respond(payload, is_immutable=REV.given(query) == payload.revision))


async def get_values(request: Request) -> Response:
    """Return the values of the places of a set, one number a place and instant."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    series_request = values_request(request.path_params, query, services.catalogue)
    written = _matrix_format(query, services.catalogue.layer(series_request.layer))
    limiter = state_of(request).limiters.series
    await discard_body(request)
    async with watch_disconnect(request) as is_active:
        work = partial(
            _values, series_request, services, written=written, known=known_etags(request), is_active=is_active
        )
        response = respond(await for_client(request, limiter, series_request.layer, work, services=services))
        response.headers.update(written.headers(series_request))
        return in_parts(response)


@dataclass(frozen=True, slots=True, kw_only=True)
class _MatrixFormat:
    """How a matrix of values is written."""

    name: str
    """Part of the ETag."""
    media_type: str
    encode: Callable[[PlaceValues], bytes]
    is_file: bool = False
    """Whether a browser saves it."""

    def headers(self, series_request: PlaceValuesRequest) -> dict[str, str]:
        name = f"{series_request.places}-{series_request.layer}.csv"
        return {"Content-Disposition": f'attachment; filename="{name}"'} if self.is_file else {}


def _matrix_format(query: Kvp, layer: Layer) -> _MatrixFormat:
    is_csv = FORMAT_OF_VALUES.of(query) == "csv"
    options = csv_options(query, [layer], is_csv=is_csv)
    if not is_csv:
        return _MatrixFormat(name="json", media_type=JSON, encode=encode_place_values_json)
    encode = partial(encode_place_values_csv, options=options)
    return _MatrixFormat(name=f"csv {options}", media_type="text/csv", encode=encode, is_file=True)


def _values(
    series_request: PlaceValuesRequest,
    services: Services,
    *,
    written: _MatrixFormat,
    known: frozenset[str],
    is_active: IsActive,
) -> Payload:
    target = resolve_place_values(series_request, services)
    etag, time = fingerprint(target.etag, written.name), TimeUsed(is_open=target.is_open)
    if etag in known:
        return Payload(body=b"", media_type=written.media_type, etag=etag, time=time, unchanged=True)
    found = extract_place_values(target, series_request, services, is_active=is_active)
    return Payload(
        body=written.encode(found),
        media_type=written.media_type,
        etag=etag_without(etag, found.unreadable, found.left_out),
        time=time,
        unreadable=found.unreadable,
        left_out=found.left_out,
    )


def _json(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> bytes:
    return orjson.dumps(place_page(places, selection, context))


def _geojson(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> bytes:
    numbers = page_numbers(places, selection)
    members = {
        "numberMatched": len(places),
        "numberReturned": len(numbers),
        "links": [
            {"rel": "next", "href": href, "type": GEOJSON} for href in [next_page(places, selection, context)] if href
        ],
    }
    return encode_places_geojson(places, shapes_in(places, CRS84).shapes, numbers, members=members)


def _context(request: Request, query: Kvp) -> CapabilitiesContext:
    return CapabilitiesContext(
        services=services_of(request), base=base_url(request), language=language_of(request, query)
    )


def _with_language(response: Response, context: CapabilitiesContext) -> Response:
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Language"})
    return response


routes = [
    Route("/places", endpoint(get_sets, place_fault)),
    Route("/places/{set}", endpoint(get_set, place_fault)),
    Route("/places/{set}/values", endpoint(get_values, place_fault)),
    Route("/places/{set}/tiles/{tms}/{z}/{x}/{y}.mvt", endpoint(get_tile, place_fault)),
]
