"""`/ogcapi` and its documents: landing page, conformance, collections, OpenAPI."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.catalog.offered import offered_collection, offered_collections
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.kept_documents import respond_with_document
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.state import services_of
from chronotile.protocols.common.texts import language_of
from chronotile.protocols.ogcapi.asked_format import asked_format
from chronotile.protocols.ogcapi.block import Json, Told
from chronotile.protocols.ogcapi.documents.collections import collection_documents
from chronotile.protocols.ogcapi.documents.faults import document_fault
from chronotile.protocols.ogcapi.documents.landing import conformance_document, landing_document
from chronotile.protocols.ogcapi.documents.openapi import MEDIA_TYPE as OPENAPI
from chronotile.protocols.ogcapi.documents.openapi import openapi_document
from chronotile.protocols.ogcapi.documents.pages import Page, page_of, with_policy_of
from chronotile.protocols.ogcapi.documents.params import PARAMETERS, CollectionsQuery, collections_query
from chronotile.protocols.ogcapi.documents.telling import Telling

FORMATS: Mapping[str, str] = {"json": "application/json", "html": "text/html"}
OPENAPI_FORMATS: Mapping[str, str] = {"json": OPENAPI, "html": "text/html"}
OPENAPI_ALIASES: Mapping[str, str] = {"application/json": "json", "application/vnd.oai.openapi+json": "json"}


def document_routes(has_viewer: Callable[[], bool]) -> Sequence[BaseRoute]:
    """Return the routes; `has_viewer` says whether there is a viewer to lead to."""
    tell = partial(_answer, has_viewer=has_viewer)

    async def get_landing(request: Request) -> Response:
        query = _query(request)
        return await tell(request, query, "landing", (), landing_document)

    async def get_conformance(request: Request) -> Response:
        query = _query(request)
        return await tell(request, query, "conformance", (), lambda _telling: conformance_document())

    async def get_collections(request: Request) -> Response:
        query = Kvp(request.query_params.multi_items())
        asked = collections_query(query)
        key = (asked.written, asked.limit, asked.offset)
        return await tell(request, query, "collections", key, partial(_collections, asked))

    async def get_collection(request: Request) -> Response:
        query = _query(request)
        name = request.path_params["collectionId"]
        offered_collection(services_of(request).catalogue, name)  # before a key is made of its name
        return await tell(request, query, "collection", (name,), partial(_collection, name))

    async def get_openapi(request: Request) -> Response:
        query = _query(request)
        return await tell(request, query, "openapi", (), lambda telling: openapi_document(telling.told))

    return [
        Route("/ogcapi", endpoint(get_landing, document_fault)),
        Route("/ogcapi/", endpoint(get_landing, document_fault)),
        Route("/ogcapi/conformance", endpoint(get_conformance, document_fault)),
        Route("/ogcapi/collections", endpoint(get_collections, document_fault)),
        Route("/ogcapi/collections/{collectionId}", endpoint(get_collection, document_fault)),
        Route("/ogcapi/openapi", endpoint(get_openapi, document_fault)),
    ]


def _query(request: Request) -> Kvp:
    query = Kvp(request.query_params.multi_items())
    query.check_spelling(PARAMETERS)
    return query


async def _answer(  # noqa: PLR0917 -- all that a document is
    request: Request,
    query: Kvp,
    page: Page,
    key: tuple[Any, ...],
    make: Callable[[Telling], Json],
    *,
    has_viewer: Callable[[], bool],
) -> Response:
    """Return what `make` gives, as JSON or as a page; `key` is what it depends on besides page, catalogue, language."""
    is_openapi = page == "openapi"
    formats, aliases = (OPENAPI_FORMATS, OPENAPI_ALIASES) if is_openapi else (FORMATS, {})
    format_name = asked_format(query, request.headers.get("accept", ""), formats, aliases=aliases)
    language, services = language_of(request, query), services_of(request)
    told = Told(catalogue=services.catalogue, root=base_url(request), language=language)
    telling = Telling(services=services, told=told, has_viewer=has_viewer())

    def body() -> bytes:
        document = make(telling)
        return orjson.dumps(document) if format_name == "json" else page_of(page, document, telling)

    whole_key = ("ogcapi", page, told.root, language, telling.has_viewer, key)
    response = await respond_with_document(request, services, body, key=whole_key, media_type=formats[format_name])
    response.headers.update({"Vary": "Accept, Accept-Encoding, Accept-Language", "Content-Language": language})
    return with_policy_of(page, response) if format_name == "html" else response


def _collection(name: str, telling: Telling) -> Json:
    return collection_documents(telling, [offered_collection(telling.told.catalogue, name)])[0]


def _collections(asked: CollectionsQuery, telling: Telling) -> Json:
    matched = [each for each in offered_collections(telling.told.catalogue) if asked.takes(each)]
    listed = matched[asked.offset : asked.offset + asked.limit]
    following = asked.offset + asked.limit
    return {
        "links": [
            _page_link("self", asked.address(asked.offset), "json", telling),
            _page_link("alternate", asked.address(asked.offset), "html", telling),
            *([_page_link("next", asked.address(following), "json", telling)] if following < len(matched) else []),
        ],
        "numberMatched": len(matched),
        "numberReturned": len(listed),
        "collections": collection_documents(telling, listed),
    }


def _page_link(rel: str, query: str, format: str, telling: Telling) -> Json:
    address = f"{telling.told.base}/collections?{query}{'&' if query else ''}f={format}"
    title = {"self": "This document", "alternate": "This document as HTML", "next": "The collections that follow"}[rel]
    return {"rel": rel, "href": address, "type": FORMATS[format], "title": title}
