"""`/ogcapi` and its documents: landing page, conformance, collections, OpenAPI."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.offered import offered_collection
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core.model.types import Json
from chronotile.http.cache_headers import CACHE_CHANGING, CACHE_STABLE
from chronotile.http.document_answers import answer_document
from chronotile.http.endpoint import endpoint
from chronotile.http.problems import dated_problem
from chronotile.http.request_services import services_of
from chronotile.http.server_state import ServerState, state_of
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import OBJECT, REFUSALS_OF_TREE, TEXT, omit_empty, ref
from chronotile.protocols.common.operation import Operation, routes_of
from chronotile.protocols.common.operations_page import set_operations_policy
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.document_pages import add_page_policy
from chronotile.protocols.ogcapi.document_requests import context_for, document_query
from chronotile.protocols.ogcapi.documents.api_definition import openapi_document
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext
from chronotile.protocols.ogcapi.documents.collections import (
    JSON_LD,
    collection_documents,
    list_collections,
    listing_document,
    listing_page,
)
from chronotile.protocols.ogcapi.documents.pages import PageName, page_of
from chronotile.protocols.ogcapi.documents.params import SELECTION, collections_query
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.operation_parts import COLLECTION, JSON_OR_HTML

HTML = "text/html"
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
OPENAPI_ALIASES: Mapping[str, str] = {"application/json": "json", "application/vnd.oai.openapi+json": "json"}

WriteCollection = Callable[[CollectionContext], bytes]


class DocumentForms(NamedTuple):
    """A document, and the way to write it."""

    key: Hashable
    """Everything that determines the document except catalogue, URL and language."""
    as_json: WriteCollection
    as_page: WriteCollection
    media_type: str = "application/json"
    """Media type of the JSON form."""
    cache_control: str = CACHE_CHANGING
    has_scripts: bool = False
    """Whether the page runs scripts from the folder of the viewer."""


async def get_landing(request: Request) -> Response:
    """Return the landing page."""
    return await _answer(request, document_query(request), _document("landing", landing_document))


async def get_conformance(request: Request) -> Response:
    """Return the conformance classes."""
    state = state_of(request)
    document = _document("conformance", lambda _telling: conformance_document(state))._replace(
        cache_control=CACHE_STABLE
    )
    return await _answer(request, document_query(request), document)


async def get_collections(request: Request) -> Response:
    """Return a page of the list of collections."""
    query = Kvp(request.query_params.multi_items())
    collections = collections_query(query)
    document = DocumentForms(
        key=("collections", collections.paging),
        as_json=lambda context: orjson.dumps(listing_document(list_collections(collections, context), context)),
        as_page=lambda context: listing_page(list_collections(collections, context), context),
    )
    return await _answer(request, query, document)


async def get_collection(request: Request) -> Response:
    """Return a collection."""
    name = request.path_params["collectionId"]
    offered = offered_collection(services_of(request).catalogue, name)  # checked before the name becomes a cache key
    document = _document("collection", lambda context: next(collection_documents(context, [offered])), name)
    return await _answer(request, document_query(request), document._replace(has_scripts=True))


async def get_openapi(request: Request) -> Response:
    """Return the API definition."""
    document = _document("openapi", lambda context: openapi_document(context.document, OPERATIONS, BLOCKS))._replace(
        media_type=OPENAPI
    )
    response = await _answer(request, document_query(request), document, aliases=OPENAPI_ALIASES)
    if response.headers.get("content-type", "").startswith(HTML):
        return set_operations_policy(response, has_forms=state_of(request).viewer.is_complete)
    return response


def _document(page: PageName, make: Callable[[CollectionContext], Json], *key: Hashable) -> DocumentForms:
    return DocumentForms(
        key=(page, *key),
        as_json=lambda context: orjson.dumps(make(context)),
        as_page=lambda context: page_of(page, make(context), context),
    )


async def _answer(
    request: Request, query: Kvp, document: DocumentForms, *, aliases: Mapping[str, str] = {}
) -> Response:
    formats = {"json": document.media_type, "html": HTML}
    form = negotiate_format(query, request.headers.get("accept", ""), formats, aliases=aliases)
    services, has_viewer = services_of(request), state_of(request).viewer.is_complete
    document_context = context_for(request, query)
    context = CollectionContext(services=services, document=document_context, has_viewer=has_viewer)
    write = partial(document.as_page if form == "html" else document.as_json, context)
    key = ("ogcapi", document.key, document_context.root, document_context.language, has_viewer)
    response = await answer_document(
        request, services, write, key=key, media_type=formats[form], cache_control=document.cache_control
    )
    response.headers.update(
        {"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": document_context.language}
    )
    return add_page_policy(response, has_scripts=document.has_scripts and has_viewer) if form == "html" else response


def _answers(schema: str) -> Json:
    return {"application/json": ref(schema), HTML: TEXT}


REFUSALS = ("BadRequest", "NotAcceptable", "Unavailable")
describe = partial(Operation, tag="Documents", faults=dated_problem, parameters=JSON_OR_HTML, refusals=REFUSALS)
OWN = (
    describe("/", get_landing, "getLandingPage", "Landing page", answers=_answers("LandingPage")),
    describe(
        "/conformance",
        get_conformance,
        "getConformance",
        "Conformance classes that hold",
        answers=_answers("Conformance"),
    ),
    describe(
        "/collections",
        get_collections,
        "getCollections",
        "All collections",
        parameters=[*SELECTION, *JSON_OR_HTML],
        examples={"bbox": [0, 50, 10, 60], "datetime": "2020-01-01/.."},
        answers=_answers("Collections"),
    ),
    describe(
        "/collections/{collectionId}",
        get_collection,
        "getCollection",
        "One collection",
        parameters=[COLLECTION, *JSON_OR_HTML],
        answers=_answers("Collection"),
        refusals=REFUSALS_OF_TREE,
    ),
    describe("/openapi", get_openapi, "getOpenApi", "This document", answers={OPENAPI: OBJECT, HTML: TEXT}),
)
OF_BLOCKS = tuple(operation for block in BLOCKS for operation in block.operations)
OPERATIONS = (*OWN, *OF_BLOCKS)
"""Operations of the whole OGC API, in the order of the OpenAPI document."""
routes = [Route("/ogcapi", endpoint(get_landing, dated_problem)), *routes_of((*OF_BLOCKS, *OWN), "/ogcapi")]
"""Routes of building blocks come first: they may match collections that are not configured."""


COMMON_1 = "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf"
COMMON_2 = "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf"
CONFORMANCE = (
    *(f"{COMMON_1}/{name}" for name in ("core", "landing-page", "json", "html", "oas30")),
    *(f"{COMMON_2}/{name}" for name in ("collections", "simple-query")),
)
KEPT_RELATIONS = ("self", "alternate", "service-desc", "service-doc", "conformance", "data")
"""Links of pygeoapi's landing page that are valid here; its other links belong to processes and tile matrix sets."""


def landing_document(context: CollectionContext) -> Json:
    """Return the landing page of OGC API."""
    from chronotile.protocols.ogcapi.documents.through_pygeoapi import pygeoapi_landing  # noqa: PLC0415 -- its 70 MB

    document, service = pygeoapi_landing(context), context.document.catalogue.service
    kept_links = [
        {name: member for name, member in item.items() if name != "hreflang"}  # not always the requested language
        for item in document["links"]
        if item["rel"] in KEPT_RELATIONS and item["type"] != JSON_LD
    ]
    blocks = [item for block in BLOCKS for item in block.landing_links(context.document)]
    up = link("up", f"{context.document.root}/", "text/html", "Overview of this server")
    return {
        "title": text_in(service.title, context.document.language),
        "description": text_in(service.abstract, context.document.language),
        **_service_members(service),
        **{name: member for block in BLOCKS for name, member in block.landing_members(context.document).items()},
        "links": [*kept_links, *blocks, up],
    }


def _service_members(service: ServiceInfo) -> Json:
    """Return keywords, provider and contact for the landing page of EDR (OGC 19-086r6, landingPage.yaml)."""
    contact, address = service.contact, service.contact.address
    channels = {
        "email": contact.email,
        "phone": contact.telephone,
        "address": address.street,
        "postalCode": address.postcode,
        "city": address.city,
        "stateorprovince": address.region,
        "country": address.country,
    }
    provider = omit_empty({"name": contact.name})
    members = {"keywords": list(service.keywords), "provider": provider, "contact": omit_empty(channels)}
    return omit_empty(members)


def conformance_document(state: ServerState) -> Json:
    """Return the conformance classes of the core, then of each building block.

    The list of pygeoapi is not used: it has classes that are not implemented here, and in 0.21 grows with each request.
    """
    blocks = (
        conformance_class
        for block in BLOCKS
        for conformance_class in (*block.conformance, *block.allowed_conformance(state))
    )
    return {"conformsTo": list(dict.fromkeys([*CONFORMANCE, *blocks]))}
