"""`/stac`: landing page, conformance, collections and queryables."""

from collections.abc import Callable
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.types import Json
from chronotile.http.answers import answer_content
from chronotile.http.document_answers import answer_document
from chronotile.http.run import run
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import DOCUMENTS, SEARCHES
from chronotile.protocols.catalogue.stac import search_routes, writing_routes
from chronotile.protocols.catalogue.stac.collection_search import (
    OF_COLLECTIONS,
    collection_search_of,
    collections_document,
)
from chronotile.protocols.catalogue.stac.collections import (
    collection_document,
    conformance,
    landing_document,
    queryables_document,
)
from chronotile.protocols.catalogue.stac.context import (
    IN_COLLECTION,
    JSON_TYPE,
    SCHEMA_TYPE,
    StacContext,
    collection_id,
    stac_collection,
    stac_context,
)
from chronotile.protocols.catalogue.stac.faults import stac_problem
from chronotile.protocols.catalogue.stac.schemas import CATALOG_SCHEMA, COLLECTION_SCHEMA, COLLECTIONS_SCHEMA
from chronotile.protocols.common.openapi import ADDRESS, OBJECT, list_of, object_of
from chronotile.protocols.common.operation import Operation, language, routes_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG


async def get_landing(request: Request) -> Response:
    """Return the landing page."""
    context, classes = _context(request), _classes(request)
    return await _answer_document(
        request, context, partial(landing_document, context, classes), key=("landing", *classes)
    )


async def get_conformance(request: Request) -> Response:
    """Return the conformance classes."""
    return answer_content(orjson.dumps({"conformsTo": _classes(request)}), JSON_TYPE, request)


async def get_collections(request: Request) -> Response:
    """Return a page of collections."""
    pairs = request.query_params.multi_items()
    query = Kvp(pairs)
    context, search = stac_context(request, query), collection_search_of(query)
    make = partial(collections_document, search, dict(pairs), context)
    if not pairs:
        return await _answer_document(request, context, make, key=("collections",))
    body = await run(request, DOCUMENTS, lambda: orjson.dumps(make()))
    return _add_language(answer_content(body, JSON_TYPE, request), context)


async def get_collection(request: Request) -> Response:
    """Return a collection."""
    context, name = _context(request), request.path_params["collection"]
    return await _answer_document(
        request, context, lambda: collection_document(stac_collection(name, context), context), key=("collection", name)
    )


async def get_queryables(request: Request) -> Response:
    """Return the properties that filters can compare, of all collections or of one."""
    context, name = _context(request), request.path_params.get("collection")
    collection = None if name is None else collection_id(name, context)
    document = await run(request, SEARCHES, partial(queryables_document, collection, context))
    return answer_content(orjson.dumps(document), SCHEMA_TYPE, request)


def _context(request: Request) -> StacContext:
    query = Kvp(request.query_params.multi_items())
    query.check_spelling((LANG.name,))
    return stac_context(request, query)


def _classes(request: Request) -> list[str]:
    writer = state_of(request).items
    return list(conformance(may_write=writer is not None and bool(writer.tokens)))


async def _answer_document(
    request: Request, context: StacContext, make: Callable[[], Json], *, key: tuple[str, ...]
) -> Response:
    """Return the answer with a document of the catalogue, cached once all collections are open."""
    if context.services.catalogue.unopened:  # their items may be added to the index at this time
        body = await run(request, DOCUMENTS, lambda: orjson.dumps(make()))
        return _add_language(answer_content(body, JSON_TYPE, request), context)
    response = await answer_document(
        request,
        context.services,
        lambda: orjson.dumps(make()),
        key=("stac", context.base, context.language, *key),
        media_type=JSON_TYPE,
    )
    return _add_language(response, context)


def _add_language(response: Response, context: StacContext) -> Response:
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Encoding, Accept-Language"})
    return response


describe = partial(Operation, tag="STAC", faults=stac_problem)
operations = (
    describe(
        "/stac",
        get_landing,
        "getStac",
        "Landing page of the STAC API: a catalogue of all collections",
        parameters=[language],
        answers={JSON_TYPE: CATALOG_SCHEMA},
    ),
    describe(
        "/stac/conformance",
        get_conformance,
        "getStacConformance",
        "Classes of standards that the STAC API conforms to",
        answers={JSON_TYPE: object_of({"conformsTo": list_of(ADDRESS)})},
    ),
    describe(
        "/stac/collections",
        get_collections,
        "getStacCollections",
        "Collections, in pages",
        parameters=[*OF_COLLECTIONS, language],
        answers={JSON_TYPE: COLLECTIONS_SCHEMA},
    ),
    describe(
        "/stac/collections/{collection}",
        get_collection,
        "getStacCollection",
        "A collection",
        parameters=[IN_COLLECTION, language],
        answers={JSON_TYPE: COLLECTION_SCHEMA},
    ),
    describe(
        "/stac/queryables",
        get_queryables,
        "getStacQueryables",
        "Properties that filters compare",
        parameters=[language],
        answers={SCHEMA_TYPE: OBJECT},
    ),
    describe(
        "/stac/collections/{collection}/queryables",
        get_queryables,
        "getStacQueryablesOfCollection",
        "Those of a collection",
        parameters=[IN_COLLECTION, language],
        answers={SCHEMA_TYPE: OBJECT},
    ),
    *search_routes.operations,
    *writing_routes.operations,
)
routes = routes_of(operations)
