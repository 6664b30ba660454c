"""`/stac`: the landing page, collections, and what describes them."""

from collections.abc import Callable
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.respond import respond_with_content
from chronotile.protocols.common.state import in_documents, in_searches, state_of
from chronotile.protocols.stac import counting_routes, item_routes, writing_routes
from chronotile.protocols.stac.collection_search import collection_search_of, collections_document
from chronotile.protocols.stac.collections import collection_document
from chronotile.protocols.stac.conformance import conformance
from chronotile.protocols.stac.context import JSON_TYPE, SCHEMA_TYPE, Json, StacContext, stac_collection, stac_context
from chronotile.protocols.stac.faults import stac_problem
from chronotile.protocols.stac.landing import landing_document
from chronotile.protocols.stac.queryables import queryables_document


async def get_landing(request: Request) -> Response:
    """Return the landing page."""
    context, classes = _context(request), _classes(request)
    return await _described(request, context, partial(landing_document, context, classes), key=("landing", *classes))


async def get_conformance(request: Request) -> Response:
    """Return the classes of standards that hold."""
    return respond_with_content(orjson.dumps({"conformsTo": _classes(request)}), JSON_TYPE, request)


async def get_collections(request: Request) -> Response:
    """Return collections, page by page."""
    pairs = request.query_params.multi_items()
    query = Kvp(pairs)
    context, search = stac_context(request, query), collection_search_of(query)
    make = partial(collections_document, search, dict(pairs), context)
    if not pairs:
        return await _described(request, context, make, key=("collections",))
    body = await in_documents(request, lambda: orjson.dumps(make()))
    return _in_language(respond_with_content(body, JSON_TYPE, request), context)


async def get_collection(request: Request) -> Response:
    """Return a collection."""
    context = _context(request)
    offered = stac_collection(request.path_params["collection"], context)
    make = partial(collection_document, offered, context)
    return await _described(request, context, make, key=("collection", offered.id))


async def get_queryables(request: Request) -> Response:
    """Return which properties filters compare, of all collections or of one."""
    context, name = _context(request), request.path_params.get("collection")
    collection = None if name is None else stac_collection(name, context).id
    document = await in_searches(request, partial(queryables_document, collection, context))
    return respond_with_content(orjson.dumps(document), SCHEMA_TYPE, request)


def _context(request: Request) -> StacContext:
    query = Kvp(request.query_params.multi_items())
    query.check_spelling((LANG.name,))
    return stac_context(request, query)


def _classes(request: Request) -> list[str]:
    writer = state_of(request).items
    return list(conformance(may_write=writer is not None and bool(writer.tokens)))


async def _described(
    request: Request, context: StacContext, make: Callable[[], Json], *, key: tuple[str, ...]
) -> Response:
    """The answer with a document of the catalogue, which is made once."""
    response = await respond_with_document(
        request,
        context.services,
        lambda: orjson.dumps(make()),
        key=("stac", context.base, context.language, *key),
        media_type=JSON_TYPE,
    )
    return _in_language(response, context)


def _in_language(response: Response, context: StacContext) -> Response:
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Encoding, Accept-Language"})
    return response


routes = [
    Route("/stac", endpoint(get_landing, stac_problem)),
    Route("/stac/conformance", endpoint(get_conformance, stac_problem)),
    Route("/stac/queryables", endpoint(get_queryables, stac_problem)),
    Route("/stac/collections", endpoint(get_collections, stac_problem)),
    Route("/stac/collections/{collection}", endpoint(get_collection, stac_problem)),
    Route("/stac/collections/{collection}/queryables", endpoint(get_queryables, stac_problem)),
    *counting_routes.routes,
    *item_routes.routes,
    *writing_routes.routes,
]
