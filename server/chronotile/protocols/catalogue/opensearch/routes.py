"""`/opensearch`, the description of the search; `/opensearch/collections` and `/opensearch/products`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import MAX_SHOWN, ChronotileError, UnknownCollection
from chronotile.core.model.items import ItemPage, ItemSearch
from chronotile.http.answers import answer_content
from chronotile.http.base_urls import base_url
from chronotile.http.cache_headers import add_missing_warning
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import SEARCHES
from chronotile.pipeline.search import search_items as items
from chronotile.protocols.catalogue.opensearch import documents, params
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.item_collections import item_collections
from chronotile.protocols.common.links import ATOM, OSDD
from chronotile.protocols.common.localised_text import negotiate_language
from chronotile.protocols.common.openapi import FILE, OBJECT
from chronotile.protocols.common.operation import Operation, routes_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter

FindPage = Callable[[params.SearchQuery, CapabilitiesContext], documents.FeaturePage]


async def get_description(request: Request) -> Response:
    """Return the description of the search of all products, or of the products of a collection."""
    query, context = _parse_request(request)
    query.check_names((params.COLLECTION.name,))
    name = params.COLLECTION.optional(query)

    def make() -> bytes:
        collections = {collection.id: collection for collection in item_collections(context.services)}
        if name is not None and name not in collections:
            raise UnknownCollection(f"there is no collection {name[:MAX_SHOWN]!r}", locator="collection")
        return documents.description_document(name, collections, context)

    return answer_content(await run(request, SEARCHES, make), OSDD, request)


def _parse_request(request: Request) -> tuple[Kvp, CapabilitiesContext]:
    query = Kvp(request.query_params.multi_items())
    services, language = services_of(request), negotiate_language(request, query)
    return query, CapabilitiesContext(services=services, base=base_url(request), language=language)


async def _get_page(find: FindPage, parameters: Sequence[Parameter[Any]], request: Request) -> Response:
    """Return a page of products or collections."""
    options, context = _parse_request(request)
    query, is_atom = params.search_query(options, parameters), "application/atom" in request.headers.get("accept", "")
    media_type = params.FORMAT.optional(options) or (ATOM if is_atom else params.GEOJSON)
    document = partial(documents.page_document, url=f"{context.base}{request.url.path}", media_type=media_type)

    def make() -> Response:
        feature_page = find(query, context)
        response = answer_content(document(feature_page, query, context), media_type, request)
        response.headers.add_vary_header("Accept")
        return add_missing_warning(response, feature_page[0].unanswered)

    return await run(request, SEARCHES, make)


def find_products(query: params.SearchQuery, context: CapabilitiesContext) -> documents.FeaturePage:
    """Return a page of products; `query.count` 0 requests only their number.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        IndexIncomplete: Products are to be counted before the first pass over a source has ended.
        SourceUnavailable: The index does not answer.
    """
    services, search = context.services, query.search
    if query.count == 0:
        items.require_filled(search.collections, services)
    page = items.search_items(search, services)
    if page.matched is None and search.cursor is None and not (page.unanswered or items.live_names(services)):
        page = replace(page, matched=sum(count for _month, count in items.count_by_month(search, services)))
    return page, [documents.product_feature(item, context) for item in page.items[: query.count]]


def find_collections(query: params.SearchQuery, context: CapabilitiesContext) -> documents.FeaturePage:
    """Return a page of the collections with products that match; raises the errors of `find_products`."""
    search, services = replace(query.search, ids=(), skip=0, cursor=None, limit=1), context.services
    ids, live = query.search.ids, items.live_names(services)
    matches = tuple(offered for offered in item_collections(services) if not ids or offered.id in ids)
    if search != ItemSearch(limit=1):
        searches = {offered.id: replace(search, collections=(offered.id,)) for offered in matches}
        matches = tuple(
            offered
            for offered in matches
            if offered.id in live or items.search_index(searches[offered.id], services).items
        )
    page = ItemPage(items=(), next=None, matched=len(matches), unanswered=items.list_unanswered(search, services))
    offered_page = matches[query.start - 1 :][: query.count]
    return page, [documents.collection_feature(offered, context) for offered in offered_page]


SPELLING = {"limit": "count", "skip": "startIndex", "datetime": "start", "intersects": "geometry"}


def opensearch_problem(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error, with the member `exceptions` (OGC 17-047r1 §8)."""
    response = problem_response(error, request, spelling=SPELLING)
    if response.body:
        members = orjson.loads(response.body)
        located = {"locator": members["parameter"]} if "parameter" in members else {}
        members["exceptions"] = [{"exceptionCode": error.code, **located, "exceptionText": error.message}]
        return Response(orjson.dumps(members), status_code=response.status_code, media_type=response.media_type)
    return response


describe = partial(Operation, tag="OpenSearch", faults=opensearch_problem)
page = partial(describe, answers={params.GEOJSON: OBJECT, ATOM: FILE})
operations = (
    describe(
        "/opensearch",
        get_description,
        "getOpenSearch",
        "How collections and products are searched",
        parameters=[params.COLLECTION],
        answers={OSDD: FILE},
    ),
    page(
        "/opensearch/collections",
        partial(_get_page, find_collections, params.OF_COLLECTIONS),
        "getOpenSearchCollections",
        "The collections with matching products",
        parameters=params.OF_COLLECTIONS,
    ),
    page(
        "/opensearch/products",
        partial(_get_page, find_products, params.OF_PRODUCTS),
        "getOpenSearchProducts",
        "A page of products",
        parameters=params.OF_PRODUCTS,
    ),
)
routes = routes_of(operations)
