"""`/places`: sets of named geometries, their vector tiles, and their values."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.collection import Layer
from chronotile.core.model.crs import CRS84
from chronotile.core.model.payload import Payload, TimeUsed
from chronotile.core.model.places import PlaceSet, PlaceValues, PlaceValuesRequest
from chronotile.core.model.request import IsActive
from chronotile.http.bodies import in_parts
from chronotile.http.endpoint import TILED, discard_body, problem_response
from chronotile.http.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.http.run import DOCUMENTS, PICTURES, SERIES_OF_MANY, base_url, run, services_of
from chronotile.pipeline.encoders.series.csv import encode_place_values_csv
from chronotile.pipeline.encoders.series.json import encode_place_values_json
from chronotile.pipeline.encoders.vector.geojson import encode_places_geojson
from chronotile.pipeline.encoders.vector.mvt import MEDIA_TYPE
from chronotile.pipeline.place_shapes import places_revision, shapes_in
from chronotile.pipeline.place_tiles import render_place_tile
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.series.places import extract_place_values, resolve_place_values
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import etag_without
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import language_of, text_in
from chronotile.protocols.common.openapi import FILE, TEXT, ref
from chronotile.protocols.common.operation import TILE, Operation, language, routes_of, segment
from chronotile.protocols.common.query.csv_options import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.places.params import (
    FORMAT_OF_VALUES,
    OF_SET,
    OF_VALUES,
    PlacesQuery,
    places_query,
    tile_request,
    values_request,
)

# Errors of `/places` in its own words.

place_fault = partial(problem_response, spelling={**TILED, "place": "set", "reducers": "reducer"})
"""Problem documents whose parameters are named as the path and query do."""


JSON = "application/json"
GEOJSON = "application/geo+json"


async def get_sets(request: Request) -> Response:
    """Return all sets of places."""
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    context = _context(request, query)
    body = await run(request, DOCUMENTS, lambda: orjson.dumps(place_sets(context)))
    return _with_language(respond_with_content(body, JSON, request, cache_control=SHORT), context)


async def get_set(request: Request) -> Response:
    """Return one set, with a page of its places as JSON or GeoJSON."""
    query = Kvp(request.query_params.multi_items())
    places = services_of(request).catalogue.place_set(request.path_params["set"])
    selection, context = places_query(query), _context(request, query)
    write = _geojson if selection.format == "geojson" else _json
    body = await run(request, DOCUMENTS, partial(write, places, selection, context))
    media_type = GEOJSON if selection.format == "geojson" else JSON
    return in_parts(_with_language(respond_with_content(body, media_type, request, cache_control=SHORT), context))


async def get_tile(request: Request) -> Response:
    """Return one vector tile; for good, where its address carries the revision of now."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    tile = tile_request(request.path_params, query, services.catalogue)
    payload = await run(request, PICTURES, partial(render_place_tile, tile, services, known=known_etags(request)))
    return in_parts(respond(payload, is_immutable=REV.given(query) == payload.revision))


async def get_values(request: Request) -> Response:
    """Return the values of the places of a set, one number a place and instant."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    series_request = values_request(request.path_params, query, services.catalogue)
    written = _matrix_format(query, services.catalogue.layer(series_request.layer))
    await discard_body(request)
    work = partial(_values, series_request, services, written=written, known=known_etags(request))
    response = respond(await run(request, SERIES_OF_MANY, work, layers=[series_request.layer]))
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
    is_active: IsActive,
    *,
    written: _MatrixFormat,
    known: frozenset[str],
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
        "/places/{set}/tiles/{tms}/{z}/{x}/{y}.mvt",
        get_tile,
        "getPlaceTile",
        "The outlines of a set as a vector tile",
        parameters=[SET, *TILE, REV],
        answers={MEDIA_TYPE: FILE},
    ),
)
routes = routes_of(operations)


Document = dict[str, Any]


def place_sets(context: CapabilitiesContext) -> Document:
    """Return all sets in short."""
    return {"places": [place_set(places, context) for places in context.services.catalogue.places.values()]}


def place_set(places: PlaceSet, context: CapabilitiesContext) -> Document:
    """Return what a choice among sets needs."""
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


def place_page(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> Document:
    """Return a set with one page of its places, each with its number in the vector tiles."""
    columns = places.columns
    return {
        **place_set(places, context),
        "places": [
            {"number": number, **{name: column[number] for name, column in columns.items()}}
            for number in page_numbers(places, selection)
        ],
        "next": next_page(places, selection, context),
    }


def page_numbers(places: PlaceSet, selection: PlacesQuery) -> range:
    """Return the numbers of the places of a page."""
    return range(len(places))[selection.offset : selection.offset + selection.limit]


def next_page(places: PlaceSet, selection: PlacesQuery, context: CapabilitiesContext) -> str | None:
    """Return the URL of the page after this one, if there is one."""
    offset = selection.offset + selection.limit
    if offset >= len(places):
        return None
    query = urlencode({"format": selection.format, "limit": selection.limit, "offset": offset})
    return f"{_path(places, context)}?{query}"


def _path(places: PlaceSet, context: CapabilitiesContext) -> str:
    return f"{context.base}/places/{quote(places.id)}"


def _links(places: PlaceSet, context: CapabilitiesContext) -> list[Document]:
    path, revision = _path(places, context), places_revision(places)
    tiles = [
        link(
            "tiles",
            f"{path}/tiles/{quote(each.id)}/{{z}}/{{x}}/{{y}}.mvt?rev={revision}",
            MEDIA_TYPE,
            each.id,
            is_template=True,
        )
        for each in context.services.catalogue.tile_matrix_sets
    ]
    values = link(
        "values",
        f"{path}/values{{?layer,datetime,reducer,weights,min_valid,limit,offset}}",
        "application/json",
        "values of all places",
        is_template=True,
    )
    return [
        link("self", path, "application/json", "this set"),
        link("items", f"{path}?format=geojson", "application/geo+json", "its places as GeoJSON"),
        *tiles,
        values,
    ]
