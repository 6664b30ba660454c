"""`/stac/search`, and items of a collection."""

from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.items import Unanswered
from chronotile.pipeline.search.find import find_item
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.form import body_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.respond import respond_with_content
from chronotile.protocols.common.responses.unanswered import warned
from chronotile.protocols.common.state import in_lookups, in_searches
from chronotile.protocols.stac.context import GEOJSON_TYPE, StacContext, collection_id, stac_context
from chronotile.protocols.stac.faults import stac_problem
from chronotile.protocols.stac.items import ItemDocuments
from chronotile.protocols.stac.pages import PageLinks, PostedPageLinks, page_of
from chronotile.protocols.stac.params import search_of_body, search_of_query

Page = tuple[bytes, tuple[Unanswered, ...]]


async def get_search(request: Request) -> Response:
    """Return a page of items of any collections."""
    pairs = request.query_params.multi_items()
    query = Kvp(pairs)
    context = stac_context(request, query)

    def find() -> Response:
        links = PageLinks(context, f"{context.root}/search", pairs)
        return _response(page_of(search_of_query(query), context, links), request)

    return await in_searches(request, find)


async def post_search(request: Request) -> Response:
    """Return a page of items that a body describes."""
    context, body = stac_context(request, Kvp(())), await body_of(request)

    def find() -> Page:
        return page_of(search_of_body(body), context, PostedPageLinks(context, f"{context.root}/search"))

    content, unanswered = await in_searches(request, find)
    response = Response(content, media_type=GEOJSON_TYPE)
    return warned(response, unanswered)


async def get_items(request: Request) -> Response:
    """Return a page of items of a collection."""
    pairs = request.query_params.multi_items()
    query = Kvp(pairs)
    context = stac_context(request, query)
    collection = collection_id(request.path_params["collection"], context)
    links = PageLinks(context, f"{context.collection_url(collection)}/items", pairs, collection=collection)

    def find() -> Response:
        return _response(page_of(search_of_query(query, collection=collection), context, links), request)

    return await in_searches(request, find)


async def get_item(request: Request) -> Response:
    """Return an item."""
    context = stac_context(request, Kvp(request.query_params.multi_items()))
    collection = collection_id(request.path_params["collection"], context)
    find = partial(_item, collection, request.path_params["item"], context)
    body = await in_lookups(request, find)
    return respond_with_content(body, GEOJSON_TYPE, request)


def _item(collection: str, id_: str, context: StacContext) -> bytes:
    found = find_item(collection, id_, context.services)
    return orjson.dumps(ItemDocuments(context).document(found))


def _response(page: Page, request: Request) -> Response:
    content, unanswered = page
    return warned(respond_with_content(content, GEOJSON_TYPE, request), unanswered)


routes = [
    Route("/stac/search", endpoint(get_search, stac_problem)),
    Route("/stac/search", endpoint(post_search, stac_problem), methods=["POST"]),
    Route("/stac/collections/{collection}/items", endpoint(get_items, stac_problem)),
    Route("/stac/collections/{collection}/items/{item:names}", endpoint(get_item, stac_problem)),
]
