"""Documents of collections: from pygeoapi, corrected, and completed by all building blocks (OGC 20-024)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import orjson

from chronotile.catalog.offered import OfferedCollection, offered_collections
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day
from chronotile.core.model.types import Json
from chronotile.protocols.common.capabilities.time_extent import most_listed_times
from chronotile.protocols.common.extent import climatology_member
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.openapi import omit_empty
from chronotile.protocols.common.query.crs import accepted_crs
from chronotile.protocols.ogcapi.block import NO_QUERIES
from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.document_pages import document_page
from chronotile.protocols.ogcapi.documents.collection_parts import (
    CollectionContext,
    service_links,
    spatial_extent,
    temporal_extent,
)
from chronotile.protocols.ogcapi.documents.params import CollectionsQuery

OWN_RELATIONS = ("self", "alternate")
"""Links of pygeoapi's that hold here; those to data are the building blocks'."""
JSON_LD = "application/ld+json"

TellTimes = Callable[[TimeDomain], Json | None]


def collection_documents(context: CollectionContext, offered: Sequence[OfferedCollection]) -> Iterator[Json]:
    """Yield the description of each collection; in `/collections` it is the same as at its own address."""
    from chronotile.protocols.ogcapi.documents.through_pygeoapi import pygeoapi_collections  # noqa: PLC0415 -- its 70 MB

    limit = most_listed_times(len(offered_collections(context.document.catalogue)))
    temporal = cache(partial(temporal_extent, limit=limit))  # layers often have the times of their collection
    for document, collection in zip(pygeoapi_collections(context, offered), offered, strict=True):
        yield _complete(document, collection, context, temporal)


def _complete(document: Json, offered: OfferedCollection, context: CollectionContext, temporal: TellTimes) -> Json:
    language = context.document.language
    members: dict[str, Any] = dict(NO_QUERIES)
    for block in BLOCKS:
        members |= block.collection_members(offered, context.document)
    kept_links = [item for item in document["links"] if item["rel"] in OWN_RELATIONS and item["type"] != JSON_LD]
    blocks = [item for block in BLOCKS for item in block.collection_links(offered, context.document)]
    return {
        "id": document["id"],
        "title": text_in(offered.title, language) or offered.id,  # plain text; pygeoapi 0.24 escapes it as HTML
        "description": text_in(offered.abstract, language),
        "keywords": list(offered.keywords),
        **omit_empty({"attribution": offered.attribution, "license": offered.license}),
        "extent": omit_empty({"spatial": spatial_extent(offered), "temporal": temporal(offered.times)}),
        **climatology_member(offered.climatology_span, is_climatology=offered.is_climatology),
        **_systems(offered, context),
        "dataType": "coverage" if offered.has_values else "map",
        # With another type, clients of OGC API - Features take the EDR items of a collection (its times) for features.
        "itemType": "coverage" if offered.has_values else "map",
        **members,
        "links": [*kept_links, *blocks, *service_links(offered, context)],
    }


def _systems(offered: OfferedCollection, context: CollectionContext) -> Json:
    """CRS by their URIs, CRS84 first; one without a code has none."""
    layer = offered.main_field if offered.has_values else offered.drawn_layer
    accepted = [crs.uri for crs in accepted_crs(layer, context.document.catalogue)]
    storage_crs = layer.main_variable.grid.crs.uri
    return {"crs": [uri for uri in accepted if uri], **({"storageCrs": storage_crs} if storage_crs else {})}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCollection:
    """A collection as the page lists it."""

    id: str
    title: str
    abstract: str
    kind: str
    times: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One page of the collections that a query selects."""

    query: CollectionsQuery
    matched: int
    listed: tuple[OfferedCollection, ...]
    further: tuple[Json, ...]
    """Descriptions of collections that building blocks bring, which come after all others."""


def list_collections(query: CollectionsQuery, context: CollectionContext) -> Listing:
    """Return which collections are requested."""
    matched = [c for c in offered_collections(context.document.catalogue) if query.takes(c)]
    documents = [document for block in BLOCKS for document in block.further_collections(context.document)]
    further = [d for d in documents if query.takes_extent(d.get("extent", {}))]
    start, end = query.paging.offset, query.paging.end
    return Listing(
        query=query,
        matched=len(matched) + len(further),
        listed=tuple(matched[start:end]),
        further=tuple(further[max(0, start - len(matched)) : max(0, end - len(matched))]),
    )


def listing_document(listing: Listing, context: CollectionContext) -> Json:
    """Return the document; each collection is encoded after its description, so that little is in memory."""
    titles = "This document", "This document as HTML", "The collections that follow"
    return {
        "links": listing.query.paging.links(f"{context.document.base}/collections", titles, listing.matched),
        "numberMatched": listing.matched,
        "numberReturned": len(listing.listed) + len(listing.further),
        "collections": [
            *(orjson.Fragment(orjson.dumps(document)) for document in collection_documents(context, listing.listed)),
            *listing.further,
        ],
    }


def listing_page(listing: Listing, context: CollectionContext) -> bytes:
    """Return the HTML page of collections, with title, description, kind and times of each."""
    paging, following = listing.query.paging, listing.query.paging.following(listing.matched)
    href = None if following is None else f"{context.document.base}/collections?{paging.query(following)}&f=html"
    return document_page(
        "Collections",
        {},
        context.document,
        template="collections",
        matched=listing.matched,
        entries=[
            *(_entry(collection, context.document.language) for collection in listing.listed),
            *map(_further_entry, listing.further),
        ],
        following=href,
    )


def _entry(offered: OfferedCollection, language: str) -> ListedCollection:
    instants = offered.times.instants
    ends = [format_day(instants[index]) for index in (0, -1)] if len(instants) else []
    return ListedCollection(
        id=offered.id,
        title=text_in(offered.title, language) or offered.id,
        abstract=text_in(offered.abstract, language),
        kind="coverage" if offered.has_values else "map",
        times=" to ".join(dict.fromkeys(ends)),
    )


def _further_entry(document: Json) -> ListedCollection:
    return ListedCollection(
        id=document["id"],
        title=document["title"],
        abstract=document["description"],
        kind=document["itemType"],
        times="",
    )
