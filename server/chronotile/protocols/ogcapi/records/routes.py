"""`/ogcapi/collections/_collections` and `/ogcapi/collections/_items`: records."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from chronotile.model.items import Unanswered
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.responses.respond import CURRENT, SHORT, respond_with_content
from chronotile.protocols.common.responses.unanswered import warned
from chronotile.protocols.common.state import in_documents, in_lookups, in_searches, services_of, state_of
from chronotile.protocols.ogcapi.block import Json
from chronotile.protocols.ogcapi.document_context import context_for, in_language
from chronotile.protocols.ogcapi.documents.collection_context import CollectionContext
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.pages import with_policy
from chronotile.protocols.ogcapi.records.common_properties import CATALOG, GEOJSON, HTML, JSON
from chronotile.protocols.ogcapi.records.documents import (
    SCHEMA,
    collection_document,
    find_record,
    find_records,
    queryables_document,
    records_document,
    sortables_document,
)
from chronotile.protocols.ogcapi.records.pages import collection_page, record_page, records_page
from chronotile.protocols.ogcapi.records.params import OF_DOCUMENTS, records_query
from chronotile.protocols.ogcapi.records.record_collections import ITEM_RECORDS, RECORD_COLLECTIONS, RecordCollection

SPELLING = {"time": "datetime", "item": "recordId", "id": "recordId"}
OF_COLLECTION: Mapping[str, str] = {"catalog": CATALOG, "json": JSON, "html": HTML}
OF_SCHEMA: Mapping[str, str] = {"json": SCHEMA, "html": HTML}
OF_RECORDS: Mapping[str, str] = {"json": GEOJSON, "html": HTML}
SCHEMA_ALIASES: Mapping[str, str] = {"application/json": "json"}
RECORD_ALIASES: Mapping[str, str] = {"application/json": "json", "geojson": "json"}

Write = Callable[[CollectionContext, bool], bytes]
Run = Callable[[Request, Callable[[], Response]], Awaitable[Response]]
"""In which threads a document is written."""
"""Takes for whom, and whether it is a page, and gives the document."""

record_fault = partial(problem_response, spelling=SPELLING)


async def get_collection(collection: RecordCollection, request: Request) -> Response:
    """Return the description of a collection of records."""
    write = partial(_written, lambda context: collection_document(collection, context.document))
    return await _answer(request, _query(request), write, formats=OF_COLLECTION)


async def get_queryables(collection: RecordCollection, request: Request) -> Response:
    """Return the properties that filters may name."""
    write = partial(_written, lambda context: queryables_document(collection, context.document))
    return await _answer(request, _query(request), write, formats=OF_SCHEMA, aliases=SCHEMA_ALIASES)


async def get_sortables(collection: RecordCollection, request: Request) -> Response:
    """Return the properties that records may be sorted by."""
    write = partial(_written, lambda context: sortables_document(collection, context.document))
    return await _answer(request, _query(request), write, formats=OF_SCHEMA, aliases=SCHEMA_ALIASES)


async def get_records(collection: RecordCollection, request: Request) -> Response:
    """Return a page of records."""
    query = Kvp(request.query_params.multi_items())
    selection = records_query(query, collection)

    unanswered = list[Unanswered]()

    def write(context: CollectionContext, is_page: bool) -> bytes:
        page = find_records(collection, selection, context, are_encoded=not is_page)
        unanswered.extend(page.unanswered)
        if is_page:
            return records_page(collection, selection, page, context.document)
        return orjson.dumps(records_document(collection, selection, page, context.document))

    response = await _answer(
        request,
        query,
        write,
        formats=OF_RECORDS,
        aliases=RECORD_ALIASES,
        cache_control=CURRENT,
        run=in_searches if collection is ITEM_RECORDS else in_documents,
    )
    return warned(response, unanswered)


async def get_record(collection: RecordCollection, request: Request) -> Response:
    """Return a record."""
    id_ = request.path_params["recordId"]

    def write(context: CollectionContext, is_page: bool) -> bytes:
        record = find_record(collection, id_, context)
        return record_page(collection, record, context.document) if is_page else orjson.dumps(record)

    query = _query(request)
    return await _answer(
        request,
        query,
        write,
        formats=OF_RECORDS,
        aliases=RECORD_ALIASES,
        cache_control=CURRENT,
        run=in_lookups if collection is ITEM_RECORDS else in_documents,
    )


def _query(request: Request) -> Kvp:
    query = Kvp(request.query_params.multi_items())
    query.check_names(names_of(OF_DOCUMENTS))
    return query


def _written(make: Callable[[CollectionContext], Json], context: CollectionContext, is_page: bool) -> bytes:
    document = make(context)
    return collection_page(document, context.document) if is_page else orjson.dumps(document)


async def _answer(  # noqa: PLR0913 -- all that tells documents apart
    request: Request,
    query: Kvp,
    write: Write,
    *,
    formats: Mapping[str, str],
    aliases: Mapping[str, str] = {},
    cache_control: str = SHORT,
    run: Run = in_documents,  # collections are found in memory, and documented beside layers
) -> Response:
    name = negotiate_format(query, request.headers.get("accept", ""), formats, aliases=aliases)
    context = CollectionContext(
        services=services_of(request),
        document=context_for(request, query),
        has_viewer=state_of(request).viewer.is_complete,
    )

    def make() -> Response:
        body = write(context, name == "html")
        return respond_with_content(body, formats[name], request, cache_control=cache_control)

    response = await run(request, make)
    told = in_language(response, context.document)
    return with_policy(told) if name == "html" else told


RecordHandler = Callable[[RecordCollection, Request], Awaitable[Response]]

HANDLERS: Mapping[str, RecordHandler] = {
    "": get_collection,
    "/queryables": get_queryables,
    "/sortables": get_sortables,
    "/items": get_records,
    "/items/{recordId}": get_record,
}
"""By paths below that of a collection of records."""

routes: list[BaseRoute] = [
    Route(f"/ogcapi/collections/{collection.id}{path}", endpoint(partial(handler, collection), record_fault))
    for collection in RECORD_COLLECTIONS
    for path, handler in HANDLERS.items()
]
