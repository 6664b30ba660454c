"""`/ogcapi/collections/_collections` and `/ogcapi/collections/_items`: records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from urllib.parse import urlencode

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.items import Unanswered, product_id
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import Json
from chronotile.http.cache_headers import CACHE_CHANGING, add_missing_warning, unanswered_members
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of
from chronotile.http.work_kinds import DOCUMENTS, LOOKUPS, SEARCHES
from chronotile.protocols.common.extent import round_box
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import (
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    UNANSWERED,
    enum_of,
    list_of,
    object_of,
    omit_empty,
    ref,
)
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Operation, language, segment
from chronotile.protocols.common.operations_page import PageLink
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import format_of
from chronotile.protocols.ogcapi.block import NO_QUERIES, BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.document_pages import document_page
from chronotile.protocols.ogcapi.document_requests import document_query, respond_in_format
from chronotile.protocols.ogcapi.documents.collection_parts import GREGORIAN, CollectionContext
from chronotile.protocols.ogcapi.filters import CQL2, FEATURES_3, REL_QUERYABLES, SCHEMA, properties_schema
from chronotile.protocols.ogcapi.operation_parts import JSON_OR_HTML, describe
from chronotile.protocols.ogcapi.records.collection_records import find_collection, find_collections
from chronotile.protocols.ogcapi.records.item_records import find_item_record, find_items
from chronotile.protocols.ogcapi.records.params import RecordsQuery, parameters_of, records_query
from chronotile.protocols.ogcapi.records.record_collections import (
    CATALOG,
    COLLECTION_RECORDS,
    DATE_TIME,
    GEOJSON,
    HTML,
    ITEM_RECORDS,
    JSON,
    PROFILE_CATALOG,
    RECORD_COLLECTIONS,
    RECORDS_1,
    RecordCollection,
    RecordProperty,
    RecordsPage,
    address_of,
    contacts_of,
    languages_of,
)

REL_SORTABLES = "http://www.opengis.net/def/rel/ogc/1.0/sortables"


def collection_document(collection: RecordCollection, context: DocumentContext) -> Json:
    """Return the description of a collection of records."""
    return {
        "id": collection.id,
        "type": "Collection",
        "itemType": "record",
        "title": collection.title,
        "description": collection.description,
        "keywords": list(context.catalogue.service.keywords),
        **languages_of(context),
        **_extent(context),
        "crs": [CRS84.uri],
        **NO_QUERIES,
        **contacts_of(context.catalogue, context.language),
        "defaultSortOrder": [
            {"field": name, "direction": "desc" if is_descending else "asc"}
            for name, is_descending in collection.default_order
        ],
        "links": _collection_links(collection, context),
    }


def queryables_document(collection: RecordCollection, context: DocumentContext) -> Json:
    """Return the properties that filters may name, as a JSON schema (OGC 19-079r2 §6)."""
    address = f"{address_of(collection, context)}/queryables"
    has_more = collection.has_more_properties
    return properties_schema(address, collection.title, _schemas(collection.properties), has_more=has_more)


def sortables_document(collection: RecordCollection, context: DocumentContext) -> Json:
    """Return the properties that `sortby` takes, as a JSON schema."""
    address = f"{address_of(collection, context)}/sortables"
    return properties_schema(address, collection.title, _schemas(collection.sortables))


def records_document(
    collection: RecordCollection, query: RecordsQuery, page: RecordsPage, context: DocumentContext
) -> Json:
    """Return a page of records as GeoJSON."""
    matched = {} if page.matched is None else {"numberMatched": page.matched}
    return {
        "type": "FeatureCollection",
        **matched,
        "numberReturned": len(page.records),
        **omit_empty({"unanswered": unanswered_members(page.unanswered)}),
        "links": _page_links(collection, query, page, context),
        "features": list(page.records),
    }


def page_address(collection: RecordCollection, query: RecordsQuery, context: DocumentContext, **more: str) -> str:
    """Return the URL of a page of records; `more` are additional parameters."""
    text = urlencode([*query.written, ("limit", str(query.limit)), *more.items()], safe="/:,")
    return f"{address_of(collection, context)}/items?{text}"


def _page_links(
    collection: RecordCollection, query: RecordsQuery, page: RecordsPage, context: DocumentContext
) -> list[Json]:
    place = {"cursor": query.cursor, "offset": str(query.offset) if query.offset else None}
    page_url = page_address(collection, query, context, **omit_empty(place))
    links = [
        link("self", page_url, GEOJSON, "This page"),
        link("alternate", f"{page_url}&f=html", HTML, "This page as HTML"),
        link("collection", address_of(collection, context), CATALOG, collection.title),
    ]
    if page.following is not None:
        following = page_address(collection, query, context, **dict([page.following]))
        links.append(link("next", following, GEOJSON, "The records that follow"))
    return links


def _extent(context: DocumentContext) -> Json:
    """Return the extent of all collections together; empty for a server without collections."""
    collections = context.catalogue.collections
    if not collections:
        return {}
    boxes = [round_box(collection.bbox) for collection in collections]
    lows, highs = np.min(boxes, axis=0), np.max(boxes, axis=0)
    box = [float(edge) for edge in (*lows[:2], *highs[2:])]
    domains = [layer.times.instants for layer in context.catalogue.layers if len(layer.times)]
    spatial = {"spatial": {"bbox": [box], "crs": CRS84.uri}}
    if not domains:
        return {"extent": spatial}
    ends = [format_instant(instant) for instant in (min(d[0] for d in domains), max(d[-1] for d in domains))]
    return {"extent": {**spatial, "temporal": {"interval": [ends], "trs": GREGORIAN}}}


def _collection_links(collection: RecordCollection, context: DocumentContext) -> list[Json]:
    collection_url = address_of(collection, context)
    return [
        link("self", collection_url, CATALOG, "This collection of records"),
        link("alternate", f"{collection_url}?f=html", HTML, "This collection of records as HTML"),
        link("items", f"{collection_url}/items", GEOJSON, "The records"),
        # OGC's test suite of EDR requires it in each collection of a list (OGC 19-086r6 /req/edr/rc-md-query-links).
        link("data", f"{collection_url}/items", GEOJSON, "The records"),
        link("items", f"{collection_url}/items?f=html", HTML, "The records as HTML"),
        link(REL_QUERYABLES, f"{collection_url}/queryables", SCHEMA, "Properties for filters"),
        link(REL_SORTABLES, f"{collection_url}/sortables", SCHEMA, "Properties to sort by"),
        link("up", f"{context.base}/collections", "application/json", "All collections"),
        link("root", context.base, "application/json", text_in(context.catalogue.service.title, context.language)),
        link("profile", PROFILE_CATALOG, HTML, "Profile of collections of records"),
    ]


def _schemas(properties: Sequence[RecordProperty]) -> Json:
    return {p.name: {"title": p.title, **p.schema} for p in properties}


def further_collections(context: DocumentContext) -> Sequence[Json]:
    """Return the descriptions of all collections of records, for the list of all collections."""
    return [collection_document(collection, context) for collection in (COLLECTION_RECORDS, ITEM_RECORDS)]


SPELLING = {"time": "datetime", "item": "recordId", "id": "recordId"}
OF_COLLECTION: Mapping[str, str] = {"catalog": CATALOG, "json": JSON, "html": HTML}
OF_SCHEMA: Mapping[str, str] = {"json": SCHEMA, "html": HTML}
OF_RECORDS: Mapping[str, str] = {"json": GEOJSON, "html": HTML}
JSON_ALIASES: Mapping[str, str] = {"application/json": "json"}
RECORD_ALIASES: Mapping[str, str] = {**JSON_ALIASES, "geojson": "json"}

MakeRecordDocument = Callable[[RecordCollection, DocumentContext], Json]

record_fault = partial(problem_response, spelling=SPELLING)


async def get_document(
    make: MakeRecordDocument, formats: Mapping[str, str], collection: RecordCollection, request: Request
) -> Response:
    """Return the description of a collection of records, or its queryables or sortables."""

    def write(context: DocumentContext, name: str) -> bytes:
        document = make(collection, context)
        if name == "html":
            return document_page(document["title"], document, context, above=[_collections(context)])
        return orjson.dumps(document)

    return await respond_in_format(request, document_query(request), write, formats, aliases=JSON_ALIASES)


async def get_records(collection: RecordCollection, request: Request) -> Response:
    """Return a page of records."""
    query = Kvp(request.query_params.multi_items())
    selection, context_of = records_query(query, collection), _context_of(request)
    unanswered = list[Unanswered]()

    def write(context: DocumentContext, name: str) -> bytes:
        is_page, site = name == "html", context_of(document=context)
        if collection is COLLECTION_RECORDS:
            page = find_collections(selection, site)
        else:
            page = find_items(selection, site, are_encoded=not is_page)
        unanswered.extend(page.unanswered)
        if is_page:
            return records_page(collection, selection, page, context)
        return orjson.dumps(records_document(collection, selection, page, context))

    # Records of collections are found in memory, and documented like layers.
    kind = SEARCHES if collection is ITEM_RECORDS else DOCUMENTS
    response = await respond_in_format(
        request, query, write, OF_RECORDS, aliases=RECORD_ALIASES, cache_control=CACHE_CHANGING, kind=kind
    )
    return add_missing_warning(response, unanswered)


async def get_record(collection: RecordCollection, request: Request) -> Response:
    """Return a record."""
    id_, context_of = request.path_params["recordId"], _context_of(request)
    find = find_collection if collection is COLLECTION_RECORDS else find_item_record

    def write(context: DocumentContext, name: str) -> bytes:
        record = find(id_, context_of(document=context))
        return record_page(collection, record, context) if name == "html" else orjson.dumps(record)

    kind = LOOKUPS if collection is ITEM_RECORDS else DOCUMENTS
    return await respond_in_format(
        request,
        document_query(request),
        write,
        OF_RECORDS,
        aliases=RECORD_ALIASES,
        cache_control=CACHE_CHANGING,
        kind=kind,
    )


def _context_of(request: Request) -> Callable[..., CollectionContext]:
    has_viewer = state_of(request).viewer.is_complete
    return partial(CollectionContext, services=services_of(request), has_viewer=has_viewer)


def _example_id(collection: RecordCollection, examples: Examples) -> str | None:
    if collection.id == ITEM_RECORDS.id:
        return None if examples.item is None else str(product_id(examples.collection, examples.item))
    return examples.collection


def _collection_operations(collection: RecordCollection, called: str) -> Iterator[Operation]:
    path, name = f"/collections/{collection.id}", f"records.{called}"
    described = partial(describe, tag="Records", faults=record_fault)
    yield described(
        path,
        partial(get_document, collection_document, OF_COLLECTION, collection),
        f"{name}.getCollection",
        collection.title,
        parameters=[format_of(list(OF_COLLECTION)), language],
        answers={CATALOG: ref("RecordCollection"), JSON: ref("RecordCollection"), HTML: TEXT},
    )
    for schema, title, make in (
        ("Queryables", "Properties for filters", queryables_document),
        ("Sortables", "Properties to sort by", sortables_document),
    ):
        yield described(
            f"{path}/{schema.lower()}",
            partial(get_document, make, OF_SCHEMA, collection),
            f"{name}.get{schema}",
            title,
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


operations = (
    *_collection_operations(COLLECTION_RECORDS, "collections"),
    *_collection_operations(ITEM_RECORDS, "items"),
)


# Records as HTML pages; their texts are always escaped.


def records_page(
    collection: RecordCollection, query: RecordsQuery, page: RecordsPage, context: DocumentContext
) -> bytes:
    """Return a page of records."""
    following = None if page.following is None else page_address(collection, query, context, **dict([page.following]))
    return document_page(
        collection.title,
        {},
        context,
        above=[_collections(context), _collection_page(collection, context)],
        template="records",
        json_type=GEOJSON,
        address=f"{address_of(collection, context)}/items",
        records=page.records,
        matched="more than 10,000" if page.matched is None else f"{page.matched:,}",
        unanswered=page.unanswered,
        following=None if following is None else f"{following}&f=html",
    )


def record_page(collection: RecordCollection, record: Json, context: DocumentContext) -> bytes:
    """Return one record."""
    properties = record["properties"]
    return document_page(
        properties["title"],
        record,
        context,
        above=[_collections(context), _collection_page(collection, context)],
        template="record",
        json_type=GEOJSON,
        lead=properties.get("description", ""),
        templates=record.get("linkTemplates", ()),
    )


def _collections(context: DocumentContext) -> PageLink:
    return PageLink(title="Collections", href=f"{context.base}/collections?f=html")


def _collection_page(collection: RecordCollection, context: DocumentContext) -> PageLink:
    return PageLink(title=collection.title, href=f"{address_of(collection, context)}/items?f=html")


# The building block of OGC API - Records - Part 1: Core (OGC 20-004r1).

REL_CATALOG = "http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog"
RECORDS = (
    *("record-core", "record-collection", "record-core-query-parameters", "records-api", "sorting", "cql-filter"),
    *("json", "html", "oas30", "autodiscovery"),
    *("searchable-catalog", "searchable-catalog/sorting", "searchable-catalog/filtering"),
)
FILTERS = ("filter", "queryables")
CQL2_CLASSES = ("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators", "case-insensitive-comparison")


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return links to the collections of records."""
    return [
        link(REL_CATALOG, address_of(collection, context), CATALOG, collection.title)
        for collection in RECORD_COLLECTIONS
    ]


# Schemas of the documents for OpenAPI 3.0.

_LINKS = list_of(ref("Link"))
_TEMPLATES = list_of(object_of({"rel": TEXT, "uriTemplate": TEXT}, {"type": TEXT, "title": TEXT}))
_LANGUAGE = object_of({"code": TEXT})
_CONTACTS = list_of(object_of({"roles": list_of(TEXT)}, {"name": TEXT, "organization": TEXT}))
_PROPERTIES = object_of(
    {"type": TEXT, "title": TEXT},
    {
        "description": TEXT,
        "keywords": list_of(TEXT),
        **dict.fromkeys(("created", "updated"), DATE_TIME),
        "language": _LANGUAGE,
        "languages": list_of(_LANGUAGE),
        "externalIds": list_of(object_of({"value": TEXT}, {"scheme": TEXT})),
        "formats": list_of(object_of({"mediaType": TEXT}, {"name": TEXT})),
        "contacts": _CONTACTS,
        **dict.fromkeys(("license", "rights"), TEXT),
    },
)
SCHEMAS: Mapping[str, Json] = {
    "RecordCollection": object_of(
        {"id": TEXT, "title": TEXT, "type": enum_of(["Collection"]), "itemType": enum_of(["record"]), "links": _LINKS},
        {
            "description": TEXT,
            "extent": object_of({"spatial": ref("SpatialExtent")}, {"temporal": ref("TemporalExtent")}),
            "defaultSortOrder": list_of(object_of({"field": TEXT, "direction": enum_of(["asc", "desc"])})),
            "contacts": _CONTACTS,
        },
    ),
    "Record": object_of(
        {
            "id": TEXT,
            "type": enum_of(["Feature"]),
            "time": {
                "type": "object",
                "properties": {"timestamp": DATE_TIME, "interval": list_of(TEXT), "resolution": TEXT},
                "nullable": True,
            },
            "geometry": {**OBJECT, "nullable": True},
            "properties": _PROPERTIES,
            "links": _LINKS,
        },
        {"bbox": list_of(NUMBER), "linkTemplates": _TEMPLATES},
    ),
    "RecordPage": object_of(
        {
            "type": enum_of(["FeatureCollection"]),
            "numberReturned": INDEX,
            "links": _LINKS,
            "features": list_of(ref("Record")),
        },
        {"numberMatched": INDEX, "unanswered": UNANSWERED},
    ),
}

block = BuildingBlock(
    operations=operations,
    conformance=(
        *(f"{RECORDS_1}/{name}" for name in RECORDS),
        *(f"{FEATURES_3}/{name}" for name in FILTERS),
        *(f"{CQL2}/{name}" for name in CQL2_CLASSES),
    ),
    schemas=SCHEMAS,
    landing_links=landing_links,
    further_collections=further_collections,
)
