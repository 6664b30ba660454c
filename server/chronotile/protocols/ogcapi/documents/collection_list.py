"""All collections, or those that a query selects, as JSON and as a page."""

from dataclasses import dataclass

import orjson

from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.time.instants import format_day
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.ogcapi.block import Json, Link
from chronotile.protocols.ogcapi.blocks import BLOCKS
from chronotile.protocols.ogcapi.documents.collection_context import CollectionContext
from chronotile.protocols.ogcapi.documents.collections import collection_documents
from chronotile.protocols.ogcapi.documents.params import CollectionsQuery
from chronotile.protocols.ogcapi.pages import document_page


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
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
    listed: tuple[Offered, ...]
    further: tuple[Json, ...]
    """Descriptions of collections that building blocks bring, which come after all others."""

    @property
    def following(self) -> int | None:
        """The offset of the next page, if there is one."""
        end = self.query.offset + self.query.limit
        return end if end < self.matched else None


def list_collections(query: CollectionsQuery, context: CollectionContext) -> Listing:
    """Return which collections are requested."""
    matched = [each for each in offered_collections(context.document.catalogue) if query.takes(each)]
    documents = [each for block in BLOCKS for each in block.further_collections(context.document)]
    further = [each for each in documents if query.takes_extent(each.get("extent", {}))]
    start, end = query.offset, query.offset + query.limit
    return Listing(
        query=query,
        matched=len(matched) + len(further),
        listed=tuple(matched[start:end]),
        further=tuple(further[max(0, start - len(matched)) : max(0, end - len(matched))]),
    )


def listing_document(listing: Listing, context: CollectionContext) -> Json:
    """Return the document; each collection is written as soon as it is described, which keeps little in memory."""
    own = listing.query.address(listing.query.offset)
    links = [
        _link("self", "This document", own, context),
        _link("alternate", "This document as HTML", own, context, html=True),
    ]
    if listing.following is not None:
        following = listing.query.address(listing.following)
        links.append(_link("next", "The collections that follow", following, context))
    return {
        "links": [link.document() for link in links],
        "numberMatched": listing.matched,
        "numberReturned": len(listing.listed) + len(listing.further),
        "collections": [
            *(orjson.Fragment(orjson.dumps(each)) for each in collection_documents(context, listing.listed)),
            *listing.further,
        ],
    }


def listing_page(listing: Listing, context: CollectionContext) -> bytes:
    """Return the same as HTML, with less of each."""
    following = listing.following
    href = (
        None if following is None else f"{context.document.base}/collections?{listing.query.address(following)}&f=html"
    )
    return document_page(
        "Collections",
        {},
        context.document,
        template="collections",
        matched=listing.matched,
        entries=[
            *(_entry(each, context.document.language) for each in listing.listed),
            *map(_further_entry, listing.further),
        ],
        following=href,
    )


def _entry(offered: Offered, language: str) -> Entry:
    instants = offered.times.instants
    ends = [format_day(instants[index]) for index in (0, -1)] if len(instants) else []
    return Entry(
        id=offered.id,
        title=text_in(offered.title, language) or offered.id,
        abstract=text_in(offered.abstract, language),
        kind="coverage" if offered.has_values else "map",
        times=" to ".join(dict.fromkeys(ends)),
    )


def _further_entry(document: Json) -> Entry:
    return Entry(
        id=document["id"],
        title=document["title"],
        abstract=document["description"],
        kind=document["itemType"],
        times="",
    )


def _link(rel: str, title: str, query: str, context: CollectionContext, *, html: bool = False) -> Link:
    form, media_type = ("html", "text/html") if html else ("json", "application/json")
    href = f"{context.document.base}/collections?{query}{'&' if query else ''}f={form}"
    return Link(rel=rel, href=href, type=media_type, title=title)
