"""`/ogcapi/collections/{set}/items`: the places of a set as features."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import is_offered_place_set, offered_places
from chronotile.core.cancellation import IsActive
from chronotile.core.extras import has_extra
from chronotile.core.model.payload import Payload
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_payload
from chronotile.http.bodies import BodyResponse
from chronotile.http.endpoint import endpoint
from chronotile.http.if_none_match import client_etags
from chronotile.http.problems import problem_response
from chronotile.http.request_bodies import discard_body
from chronotile.http.request_services import services_of, services_with
from chronotile.http.run import run
from chronotile.http.work_kinds import COVERAGES, SERIES_OF_MANY
from chronotile.pipeline.cached_answer import mark_missing
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles
from chronotile.pipeline.encoders.vector.place_file import PLACE_FORMATS
from chronotile.pipeline.features.values import extract_place_columns, note_on_cells, place_file, resolve_place_columns
from chronotile.pipeline.place_shapes import choose_places, places_revision
from chronotile.pipeline.revision import fingerprint
from chronotile.protocols.common.openapi import BINARY, OBJECT, REFUSALS_OF_TREE, TEXT, ref
from chronotile.protocols.common.operation import Operation, language, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import format_of, names_of
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.document_pages import add_page_policy, document_page
from chronotile.protocols.ogcapi.document_requests import (
    add_language_headers,
    check_names,
    context_for,
    document_query,
    respond_in_format,
)
from chronotile.protocols.ogcapi.features import documents, params
from chronotile.protocols.ogcapi.features.documents import GEOJSON, HTML, JSON, OF_ITEMS, SetContext
from chronotile.protocols.ogcapi.filters import CQL2, FEATURES_3, SCHEMA
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.operation_parts import JSON_OR_HTML

SPELLING = {"time": "datetime", "layer": "value", "place": "featureId", "reducers": "reducer"}
OF_DOCUMENT: Mapping[str, str] = {"json": JSON, "html": HTML}
OF_SCHEMA: Mapping[str, str] = {"json": SCHEMA, "html": HTML}
OF_FEATURE: Mapping[str, str] = {"json": GEOJSON, "html": HTML}
ALIASES: Mapping[str, str] = {"application/json": "json", "geojson": "json"}

Find = Callable[[SetContext, str], documents.SelectedPlaces]
"""Finds the places of a request, for a format."""

feature_fault = partial(problem_response, spelling=SPELLING)


def _set_of(request: Request) -> PlaceSet:
    return services_of(request).catalogue.place_set(request.path_params["setId"])


async def get_document(make: Callable[[SetContext], Json], formats: Mapping[str, str], request: Request) -> Response:
    """Return the description of a set, or its queryables."""
    places = _set_of(request)

    def write(context: DocumentContext, name: str) -> bytes:
        of = SetContext(places=places, document=context)
        document = make(of)
        if name == "html":
            return document_page(of.title, document, context, above=of.above[:1])
        return orjson.dumps(document)

    return await respond_in_format(request, document_query(request), write, formats, aliases=ALIASES)


async def get_features(request: Request) -> Response:
    """Return a page of features, or all features as a file."""
    query = Kvp(request.query_params.multi_items())
    features_query = params.features_query(query, _set_of(request), services_of(request).catalogue)
    return await _answer(
        request, query, features_query.content, formats=OF_ITEMS, find=partial(documents.find_page, features_query)
    )


async def get_feature(request: Request) -> Response:
    """Return one feature."""
    query = Kvp(request.query_params.multi_items())
    check_names(query, *params.OF_CONTENT)
    content = params.content_query(query, _set_of(request), services_of(request).catalogue)
    written = query.select(names_of(params.OF_CONTENT))
    find = partial(documents.find_feature, request.path_params["featureId"], written)
    return await _answer(request, query, content, formats=OF_FEATURE, find=find)


async def _answer(
    request: Request, query: Kvp, content: params.FeatureContent, *, formats: Mapping[str, str], find: Find
) -> Response:
    places, services, etags = _set_of(request), services_of(request), client_etags(request)
    lacking = () if has_extra("places") else tuple(PLACE_FORMATS)
    name = negotiate_format(query, request.headers.get("accept", ""), formats, aliases=ALIASES, lacking=lacking)
    context = context_for(request, query)
    file, warnings, is_file = list[ConcatenatedFiles](), list[str](), name in PLACE_FORMATS
    if is_file:
        services = services_with(request, "download")
        places = services.catalogue.place_set(places.id)
    of, key = SetContext(places=places, document=context), (name, context.root, context.language, str(request.url))
    crs = content.crs or (places.crs if is_file else CRS84)
    await discard_body(request)

    def work(is_active: IsActive) -> Payload:
        numbers, write = find(of, name)
        target = resolve_place_columns([replace(r, numbers=numbers) for r in content.values], services)
        etag = fingerprint("features", places_revision(places), key, target.etag)
        payload = Payload(body=b"", media_type=formats[name], etag=etag, time=target.time, unchanged=etag in etags)
        if payload.unchanged:
            return payload
        values = extract_place_columns(target, services, is_active=is_active)
        chosen = choose_places(places, numbers, crs=crs, columns=values.columns)
        if count := chosen.no_coordinates_count:
            warnings.append(f'299 - "{count} of {len(numbers)} features have no coordinates in {crs.name}"')
        if is_file:
            file.append(place_file(chosen, name, services, is_active=is_active))
        note = note_on_cells(values.without_cells, len(numbers))
        body = b"" if is_file else write(chosen, note)
        return mark_missing(replace(payload, body=body), values.missing, note=note)

    layers, kind = [r.layer for r in content.values], COVERAGES if is_file else SERIES_OF_MANY
    payload = await run(request, kind, work, layers=layers)
    response = add_language_headers(answer_payload(payload), context)
    if crs.uri is not None and name == "json":  # OGC 18-058r1 §7.6
        response.headers["Content-Crs"] = f"<{crs.uri}>"
    for warning in warnings:
        response.headers.append("Warning", warning)
    if not file:
        return add_page_policy(response) if name == "html" else response
    headers = {
        name: value for name, value in response.headers.items() if name not in {"content-length", "content-type"}
    }
    headers["Content-Disposition"] = f'attachment; filename="{places.id}.{PLACE_FORMATS[name].extension}"'
    return BodyResponse(file[0], media_type=payload.media_type, headers=headers)


# Operations: routes match any place set; the OpenAPI document lists operations per set.


class SetRoute(Route):
    """A route below `/collections/{setId}` that matches only ids of place sets."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether the route matches a request."""
        match, child_scope = super().matches(scope)
        if match is Match.NONE:
            return match, child_scope
        catalogue = services_of(HTTPConnection(scope)).catalogue
        is_set = is_offered_place_set(catalogue, child_scope["path_params"]["setId"])
        return (match, child_scope) if is_set else (Match.NONE, {})


class SetOperation(Operation):
    """An operation on a set of places."""

    def route(self, root: str = "") -> BaseRoute:
        """Return the route of the operation below a path."""
        return SetRoute(root + self.path, endpoint(self.handler, feature_fault), methods=[self.method])


def _operations(id_: str, places: PlaceSet | None = None) -> Iterator[Operation]:
    """Yield the operations of a set; without a set, operations that only serve as routes."""
    described = partial(
        SetOperation, tag="Features", is_offered=lambda _: places is not None, refusals=REFUSALS_OF_TREE
    )
    page_parameters, first = ((), None) if places is None else (params.parameters_of(places), places.ids[0])
    files = {f.media_type: BINARY for f in PLACE_FORMATS.values()}
    path, name = f"/collections/{id_}", f"features.{id_}.get"
    for end, make, formats, called, schema in (
        ("", documents.collection_document, OF_DOCUMENT, "Collection", ref("Collection")),
        ("/queryables", documents.queryables_document, OF_SCHEMA, "Queryables", OBJECT),
    ):
        answers = {formats["json"]: schema, HTML: TEXT}
        get, title = partial(get_document, make, formats), f"{called} of a set of places"
        yield described(f"{path}{end}", get, f"{name}{called}", title, parameters=JSON_OR_HTML, answers=answers)
    yield described(
        f"{path}/items",
        get_features,
        f"{name}Features",
        "Places as features, in pages or as a file",
        parameters=[*page_parameters, format_of(list(OF_ITEMS)), language],
        examples={"value": lambda of: of.layer, "limit": 2},
        answers={GEOJSON: ref("FeaturesPage"), HTML: TEXT, **files},
        refusals=(*REFUSALS_OF_TREE, "Gone"),
    )
    segments = [segment("featureId", "Id of the place", example=lambda _of: first)]
    yield described(
        f"{path}/items/{{featureId:names}}",
        get_feature,
        f"{name}Feature",
        "One place as a feature",
        parameters=[*segments, *params.OF_CONTENT, *JSON_OR_HTML],
        answers={GEOJSON: ref("FeaturesFeature"), HTML: TEXT},
    )


def operations_of(catalogue: Catalogue) -> Sequence[Operation]:
    """Return the operations on each set of a catalogue."""
    return [operation for name, places in offered_places(catalogue).items() for operation in _operations(name, places)]


def further_collections(context: DocumentContext) -> Sequence[Json]:
    """Return the descriptions of all sets of places, for the list of all collections."""
    sets = offered_places(context.catalogue).values()
    return [documents.collection_document(SetContext(places=p, document=context)) for p in sets]


FEATURES_1 = "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf"
SPATIAL = ("basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions")
OF_FILTERS = ("queryables", "queryables-query-parameters", "filter", "features-filter")

block = BuildingBlock(
    operations=tuple(_operations("{setId}")),
    operations_of=operations_of,
    conformance=(
        *(f"{FEATURES_1}/{name}" for name in ("core", "oas30", "html", "geojson")),
        "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
        *(f"{FEATURES_3}/{name}" for name in OF_FILTERS),
        *(f"{CQL2}/{name}" for name in SPATIAL),
    ),
    schemas=documents.SCHEMAS,
    parameters={"limit": params.LIMIT_DESCRIBED},
    further_collections=further_collections,
)
