"""`/ogcapi` and its documents: landing page, conformance, collections, OpenAPI."""

from collections.abc import Callable, Hashable, Mapping
from functools import partial
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.offered import offered_collection
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.operations_page import with_operations_policy
from chronotile.protocols.common.responses.problem import dated_problem
from chronotile.protocols.common.responses.respond import CURRENT, SHORT
from chronotile.protocols.common.state import services_of, state_of
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.documents.collection_context import CollectionContext
from chronotile.protocols.ogcapi.documents.collection_list import list_collections, listing_document, listing_page
from chronotile.protocols.ogcapi.documents.collections import collection_documents
from chronotile.protocols.ogcapi.documents.landing import conformance_document, landing_document
from chronotile.protocols.ogcapi.documents.openapi import MEDIA_TYPE as OPENAPI
from chronotile.protocols.ogcapi.documents.openapi import openapi_document
from chronotile.protocols.ogcapi.documents.pages import Page, page_of
from chronotile.protocols.ogcapi.documents.params import OF_DOCUMENTS, CollectionsQuery, collections_query
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.pages import with_policy

HTML = "text/html"
OPENAPI_ALIASES: Mapping[str, str] = {"application/json": "json", "application/vnd.oai.openapi+json": "json"}

Write = Callable[[CollectionContext], bytes]


class Document(NamedTuple):
    """A document, and how it is written."""

    key: Hashable
    """All that it depends on but catalogue, address and language."""
    as_json: Write
    as_page: Write
    media_type: str = "application/json"
    """Of the JSON."""
    cache_control: str = CURRENT
    has_scripts: bool = False
    """Whether the page runs scripts of the viewer's folder."""


async def get_landing(request: Request) -> Response:
    """Return the landing page."""
    return await _answer(request, _query(request), _document("landing", landing_document))


async def get_conformance(request: Request) -> Response:
    """Return the conformance classes."""
    state = state_of(request)
    document = _document("conformance", lambda _telling: conformance_document(state))._replace(cache_control=SHORT)
    return await _answer(request, _query(request), document)


async def get_collections(request: Request) -> Response:
    """Return some of the collections."""
    query = Kvp(request.query_params.multi_items())
    return await _answer(request, query, _listing(collections_query(query)))


async def get_collection(request: Request) -> Response:
    """Return a collection."""
    name = request.path_params["collectionId"]
    offered_collection(services_of(request).catalogue, name)  # before a key is made of its name
    document = _document("collection", partial(_collection, name), name)._replace(has_scripts=True)
    return await _answer(request, _query(request), document)


async def get_openapi(request: Request) -> Response:
    """Return the API definition."""
    document = _document("openapi", lambda context: openapi_document(context.document))._replace(media_type=OPENAPI)
    response = await _answer(request, _query(request), document, aliases=OPENAPI_ALIASES)
    if response.headers.get("content-type", "").startswith(HTML):
        return with_operations_policy(response, has_forms=state_of(request).viewer.is_complete)
    return response


def _query(request: Request) -> Kvp:
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_DOCUMENTS))
    return query


def _document(page: Page, make: Callable[[CollectionContext], Json], *key: Hashable) -> Document:
    return Document(
        key=(page, *key),
        as_json=lambda context: orjson.dumps(make(context)),
        as_page=lambda context: page_of(page, make(context), context),
    )


def _listing(query: CollectionsQuery) -> Document:
    return Document(
        key=("collections", query.written, query.limit, query.offset),
        as_json=lambda context: orjson.dumps(listing_document(list_collections(query, context), context)),
        as_page=lambda context: listing_page(list_collections(query, context), context),
    )


def _collection(name: str, context: CollectionContext) -> Json:
    return next(collection_documents(context, [offered_collection(context.document.catalogue, name)]))


async def _answer(
    request: Request,
    query: Kvp,
    document: Document,
    *,
    aliases: Mapping[str, str] = {},
) -> Response:
    formats = {"json": document.media_type, "html": HTML}
    form = negotiate_format(query, request.headers.get("accept", ""), formats, aliases=aliases)
    language, services = language_of(request, query), services_of(request)
    document_context = DocumentContext(catalogue=services.catalogue, root=base_url(request), language=language)
    has_viewer = state_of(request).viewer.is_complete
    context = CollectionContext(services=services, document=document_context, has_viewer=has_viewer)
    write = partial(document.as_page if form == "html" else document.as_json, context)
    key = ("ogcapi", document.key, document_context.root, language, has_viewer)
    response = await respond_with_document(
        request, services, write, key=key, media_type=formats[form], cache_control=document.cache_control
    )
    response.headers.update({"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": language})
    return with_policy(response, has_scripts=document.has_scripts and has_viewer) if form == "html" else response


routes = [
    Route("/ogcapi", endpoint(get_landing, dated_problem)),
    Route("/ogcapi/", endpoint(get_landing, dated_problem)),
    Route("/ogcapi/conformance", endpoint(get_conformance, dated_problem)),
    Route("/ogcapi/collections", endpoint(get_collections, dated_problem)),
    Route("/ogcapi/collections/{collectionId}", endpoint(get_collection, dated_problem)),
    Route("/ogcapi/openapi", endpoint(get_openapi, dated_problem)),
]
