"""Records as pages; nothing in them is taken for HTML."""

from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.pages import Step, document_page
from chronotile.protocols.ogcapi.records.common_properties import GEOJSON, address_of
from chronotile.protocols.ogcapi.records.documents import RecordsPage, page_address
from chronotile.protocols.ogcapi.records.params import RecordsQuery
from chronotile.protocols.ogcapi.records.record_collections import RecordCollection


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
