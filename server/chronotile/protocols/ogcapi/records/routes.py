"""`/ogcapi/collections/_collections` and `/ogcapi/collections/_items`: records."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.items import Unanswered, product_id
from chronotile.http.endpoint import problem_response
from chronotile.http.respond import CURRENT, warned
from chronotile.http.run import DOCUMENTS, LOOKUPS, SEARCHES, services_of, state_of
from chronotile.protocols.common.openapi import OBJECT, TEXT, Examples, ref
from chronotile.protocols.common.operation import Operation, language, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.ogcapi.block import (
    JSON_OR_HTML,
    DocumentContext,
    Json,
    Step,
    describe,
    document_page,
    document_query,
    respond_with,
)
from chronotile.protocols.ogcapi.documents.collection_parts import CollectionContext
from chronotile.protocols.ogcapi.records.documents import (
    SCHEMA,
    RecordsPage,
    collection_document,
    find_record,
    find_records,
    page_address,
    queryables_document,
    records_document,
    sortables_document,
)
from chronotile.protocols.ogcapi.records.params import RecordsQuery, parameters_of, records_query
from chronotile.protocols.ogcapi.records.record_collections import (
    CATALOG,
    COLLECTION_RECORDS,
    GEOJSON,
    HTML,
    ITEM_RECORDS,
    JSON,
    RecordCollection,
    address_of,
)

SPELLING = {"time": "datetime", "item": "recordId", "id": "recordId"}
OF_COLLECTION: Mapping[str, str] = {"catalog": CATALOG, "json": JSON, "html": HTML}
OF_SCHEMA: Mapping[str, str] = {"json": SCHEMA, "html": HTML}
OF_RECORDS: Mapping[str, str] = {"json": GEOJSON, "html": HTML}
SCHEMA_ALIASES: Mapping[str, str] = {"application/json": "json"}
RECORD_ALIASES: Mapping[str, str] = {"application/json": "json", "geojson": "json"}

record_fault = partial(problem_response, spelling=SPELLING)


async def get_collection(collection: RecordCollection, request: Request) -> Response:
    """Return the description of a collection of records."""
    write = partial(_written, partial(collection_document, collection))
    return await respond_with(request, document_query(request), write, OF_COLLECTION)


async def get_queryables(collection: RecordCollection, request: Request) -> Response:
    """Return the properties that filters may name."""
    write = partial(_written, partial(queryables_document, collection))
    return await respond_with(request, document_query(request), write, OF_SCHEMA, aliases=SCHEMA_ALIASES)


async def get_sortables(collection: RecordCollection, request: Request) -> Response:
    """Return the properties that records may be sorted by."""
    write = partial(_written, partial(sortables_document, collection))
    return await respond_with(request, document_query(request), write, OF_SCHEMA, aliases=SCHEMA_ALIASES)


async def get_records(collection: RecordCollection, request: Request) -> Response:
    """Return a page of records."""
    query = Kvp(request.query_params.multi_items())
    selection, context_of = records_query(query, collection), _context_of(request)
    unanswered = list[Unanswered]()

    def write(context: DocumentContext, name: str) -> bytes:
        is_page = name == "html"
        page = find_records(collection, selection, context_of(document=context), are_encoded=not is_page)
        unanswered.extend(page.unanswered)
        if is_page:
            return records_page(collection, selection, page, context)
        return orjson.dumps(records_document(collection, selection, page, context))

    # Collections are found in memory, and documented beside layers.
    kind = SEARCHES if collection is ITEM_RECORDS else DOCUMENTS
    response = await respond_with(
        request, query, write, OF_RECORDS, aliases=RECORD_ALIASES, cache_control=CURRENT, kind=kind
    )
    return warned(response, unanswered)


async def get_record(collection: RecordCollection, request: Request) -> Response:
    """Return a record."""
    id_, context_of = request.path_params["recordId"], _context_of(request)

    def write(context: DocumentContext, name: str) -> bytes:
        record = find_record(collection, id_, context_of(document=context))
        return record_page(collection, record, context) if name == "html" else orjson.dumps(record)

    kind = LOOKUPS if collection is ITEM_RECORDS else DOCUMENTS
    return await respond_with(
        request, document_query(request), write, OF_RECORDS, aliases=RECORD_ALIASES, cache_control=CURRENT, kind=kind
    )


def _context_of(request: Request) -> Callable[..., CollectionContext]:
    has_viewer = state_of(request).viewer.is_complete
    return partial(CollectionContext, services=services_of(request), has_viewer=has_viewer)


def _written(make: Callable[[DocumentContext], Json], context: DocumentContext, name: str) -> bytes:
    document = make(context)
    return collection_page(document, context) if name == "html" else orjson.dumps(document)


def _example_id(collection: RecordCollection, examples: Examples) -> str | None:
    if collection.id == ITEM_RECORDS.id:
        return None if examples.item is None else str(product_id(examples.collection, examples.item))
    return examples.collection


def _of_collection(collection: RecordCollection, called: str) -> Iterator[Operation]:
    path, name = f"/collections/{collection.id}", f"records.{called}"
    described = partial(describe, tag="Records", faults=record_fault)
    yield described(
        path,
        partial(get_collection, collection),
        f"{name}.getCollection",
        collection.title,
        parameters=[format_of(list(OF_COLLECTION)), language],
        answers={CATALOG: ref("RecordCollection"), JSON: ref("RecordCollection"), HTML: TEXT},
    )
    yield described(
        f"{path}/queryables",
        partial(get_queryables, collection),
        f"{name}.getQueryables",
        "Properties for filters",
        parameters=JSON_OR_HTML,
        answers={SCHEMA: OBJECT, HTML: TEXT},
    )
    yield described(
        f"{path}/sortables",
        partial(get_sortables, collection),
        f"{name}.getSortables",
        "Properties to sort by",
        parameters=JSON_OR_HTML,
        answers={SCHEMA: OBJECT, HTML: TEXT},
    )
    yield described(
        f"{path}/items",
        partial(get_records, collection),
        f"{name}.getRecords",
        collection.description,
        parameters=[*parameters_of(collection), *JSON_OR_HTML],
        examples={"bbox": [0, 50, 10, 60], "datetime": "2020-01-01/..", "sortby": ["-updated"]},
        answers={GEOJSON: ref("RecordPage"), HTML: TEXT},
    )
    yield described(
        f"{path}/items/{{recordId}}",
        partial(get_record, collection),
        f"{name}.getRecord",
        "One record",
        parameters=[segment("recordId", "Id of the record", example=partial(_example_id, collection)), *JSON_OR_HTML],
        answers={GEOJSON: ref("Record"), HTML: TEXT},
    )


operations = (*_of_collection(COLLECTION_RECORDS, "collections"), *_of_collection(ITEM_RECORDS, "items"))


# Records as pages; nothing in them is taken for HTML.


def collection_page(document: Json, context: DocumentContext) -> bytes:
    """Return the description of a collection of records, its queryables or its sortables."""
    return document_page(document["title"], document, context, above=[_collections(context)])


def records_page(
    collection: RecordCollection, query: RecordsQuery, page: RecordsPage, context: DocumentContext
) -> bytes:
    """Return a page of records."""
    following = None if page.following is None else dict([page.following])
    return document_page(
        collection.title,
        {},
        context,
        above=[_collections(context), _of(collection, context)],
        template="records",
        json_type=GEOJSON,
        address=f"{address_of(collection, context)}/items",
        records=page.records,
        matched="more than 10,000" if page.matched is None else f"{page.matched:,}",
        unanswered=page.unanswered,
        following=None if following is None else f"{page_address(collection, query, context, **following)}&f=html",
    )


def record_page(collection: RecordCollection, record: Json, context: DocumentContext) -> bytes:
    """Return one record."""
    properties = record["properties"]
    return document_page(
        properties["title"],
        record,
        context,
        above=[_collections(context), _of(collection, context)],
        template="record",
        json_type=GEOJSON,
        lead=properties.get("description", ""),
        templates=record.get("linkTemplates", ()),
    )


def _collections(context: DocumentContext) -> Step:
    return Step(title="Collections", href=f"{context.base}/collections?f=html")


def _of(collection: RecordCollection, context: DocumentContext) -> Step:
    return Step(title=collection.title, href=f"{address_of(collection, context)}/items?f=html")
