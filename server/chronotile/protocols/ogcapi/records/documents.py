"""Documents of records: their collections, pages of them, and which properties queries may name."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np

from chronotile.core.model.crs import CRS84
from chronotile.core.model.time.instants import format_instant
from chronotile.http.respond import unanswered_members
from chronotile.protocols.common.extent import round_box
from chronotile.protocols.common.links import link
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import without_empty
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.documents.collection_parts import GREGORIAN, CollectionContext
from chronotile.protocols.ogcapi.records.collection_records import find_collection, find_collections
from chronotile.protocols.ogcapi.records.item_records import find_item_record, find_items
from chronotile.protocols.ogcapi.records.params import RecordsQuery
from chronotile.protocols.ogcapi.records.record_collections import (
    CATALOG,
    COLLECTION_RECORDS,
    GEOJSON,
    HTML,
    ITEM_RECORDS,
    PROFILE_CATALOG,
    RecordCollection,
    RecordProperty,
    RecordsPage,
    address_of,
    contacts_of,
    languages_of,
)

SCHEMA = "application/schema+json"
DRAFT = "https://json-schema.org/draft/2019-09/schema"
REL_QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
REL_SORTABLES = "http://www.opengis.net/def/rel/ogc/1.0/sortables"
EDR_MEMBERS: Mapping[str, object] = {"data_queries": {}, "parameter_names": {}, "output_formats": []}
"""Which OGC 19-086r6 wants of every collection in a list: these have no values."""


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
        **EDR_MEMBERS,
        **contacts_of(context.catalogue, context.language),
        "defaultSortOrder": [
            {"field": name, "direction": "desc" if is_descending else "asc"}
            for name, is_descending in collection.default_order
        ],
        "links": _collection_links(collection, context),
    }


def queryables_document(collection: RecordCollection, context: DocumentContext) -> Json:
    """Return the properties that filters may name, as a JSON schema (OGC 19-079r2 §6)."""
    schema = _schema(f"{address_of(collection, context)}/queryables", collection, collection.properties)
    return {**schema, "additionalProperties": collection.has_more_properties}


def sortables_document(collection: RecordCollection, context: DocumentContext) -> Json:
    """Return the properties that `sortby` takes, as a JSON schema."""
    document = _schema(f"{address_of(collection, context)}/sortables", collection, collection.sortables)
    return {**document, "additionalProperties": False}


def find_records(
    collection: RecordCollection, query: RecordsQuery, context: CollectionContext, *, are_encoded: bool
) -> RecordsPage:
    """Return the page of a collection of records that a query selects.

    Args:
        collection: Of records.
        query: What is looked for.
        context: For whom.
        are_encoded: Whether the records are wanted as JSON.

    Raises:
        ChronotileError: A parameter is not accepted, or the index does not answer.
    """
    if collection is COLLECTION_RECORDS:
        return find_collections(query, context)
    return find_items(query, context, are_encoded=are_encoded)


def find_record(collection: RecordCollection, id_: str, context: CollectionContext) -> Json:
    """Return one record.

    Raises:
        UnknownItem: No record has that id.
        SourceUnavailable: The index does not answer.
    """
    return (find_collection if collection is COLLECTION_RECORDS else find_item_record)(id_, context)


def records_document(
    collection: RecordCollection, query: RecordsQuery, page: RecordsPage, context: DocumentContext
) -> Json:
    """Return a page of records as GeoJSON."""
    matched = {} if page.matched is None else {"numberMatched": page.matched}
    return {
        "type": "FeatureCollection",
        **matched,
        "numberReturned": len(page.records),
        **without_empty({"unanswered": unanswered_members(page.unanswered)}),
        "links": _page_links(collection, query, page, context),
        "features": list(page.records),
    }


def page_address(collection: RecordCollection, query: RecordsQuery, context: DocumentContext, **more: str) -> str:
    """Return the URL of a page of records; `more` has parameters of its own."""
    text = urlencode([*query.written, ("limit", str(query.limit)), *more.items()], safe="/:,")
    return f"{address_of(collection, context)}/items?{text}"


def _page_links(
    collection: RecordCollection, query: RecordsQuery, page: RecordsPage, context: DocumentContext
) -> list[Json]:
    place = {"cursor": query.cursor, "offset": str(query.offset) if query.offset else None}
    own = page_address(collection, query, context, **without_empty(place))
    links = [
        link("self", own, GEOJSON, "This page"),
        link("alternate", f"{own}&f=html", HTML, "This page as HTML"),
        link("collection", address_of(collection, context), CATALOG, collection.title),
    ]
    if page.following is not None:
        following = page_address(collection, query, context, **dict([page.following]))
        links.append(link("next", following, GEOJSON, "The records that follow"))
    return links


def _extent(context: DocumentContext) -> Json:
    """That of all collections together; none of a server without any."""
    collections = context.catalogue.collections
    if not collections:
        return {}
    boxes = [round_box(each.bbox) for each in collections]
    lows, highs = np.min(boxes, axis=0), np.max(boxes, axis=0)
    box = [float(edge) for edge in (*lows[:2], *highs[2:])]
    domains = [layer.times.instants for layer in context.catalogue.layers if len(layer.times)]
    spatial = {"spatial": {"bbox": [box], "crs": CRS84.uri}}
    if not domains:
        return {"extent": spatial}
    ends = [format_instant(each) for each in (min(each[0] for each in domains), max(each[-1] for each in domains))]
    return {"extent": {**spatial, "temporal": {"interval": [ends], "trs": GREGORIAN}}}


def _collection_links(collection: RecordCollection, context: DocumentContext) -> list[Json]:
    own = address_of(collection, context)
    return [
        link("self", own, CATALOG, "This collection of records"),
        link("alternate", f"{own}?f=html", HTML, "This collection of records as HTML"),
        link("items", f"{own}/items", GEOJSON, "The records"),
        # What OGC API EDR's suite looks for in each collection of a list (OGC 19-086r6 /req/edr/rc-md-query-links).
        link("data", f"{own}/items", GEOJSON, "The records"),
        link("items", f"{own}/items?f=html", HTML, "The records as HTML"),
        link(REL_QUERYABLES, f"{own}/queryables", SCHEMA, "Properties for filters"),
        link(REL_SORTABLES, f"{own}/sortables", SCHEMA, "Properties to sort by"),
        link("up", f"{context.base}/collections", "application/json", "All collections"),
        link("root", context.base, "application/json", text_in(context.catalogue.service.title, context.language)),
        link("profile", PROFILE_CATALOG, HTML, "Profile of collections of records"),
    ]


def _schema(address: str, collection: RecordCollection, properties: Sequence[RecordProperty]) -> Json:
    return {
        "$schema": DRAFT,
        "$id": address,
        "type": "object",
        "title": collection.title,
        "properties": {each.name: {"title": each.title, **each.schema} for each in properties},
    }


def further_collections(context: DocumentContext) -> Sequence[Json]:
    """Return the descriptions of all collections of records, for the list of all collections."""
    return [collection_document(each, context) for each in (COLLECTION_RECORDS, ITEM_RECORDS)]
