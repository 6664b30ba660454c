"""Pages of STAC items and their links."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from chronotile.core.model.geometry.json_text import pause_garbage_collection
from chronotile.core.model.items import ItemPage, Unanswered
from chronotile.core.model.types import Json
from chronotile.http.cache_headers import unanswered_members
from chronotile.pipeline.search.search_items import search_items
from chronotile.protocols.catalogue.stac.context import GEOJSON_TYPE, JSON_TYPE, StacContext
from chronotile.protocols.catalogue.stac.items import StacItems
from chronotile.protocols.catalogue.stac.params import StacSearch
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import omit_empty

QueryPairs = Sequence[tuple[str, str]]


def page_of(search: StacSearch, context: StacContext, links: "PageLinks") -> tuple[bytes, tuple[Unanswered, ...]]:
    """Return a page of items as JSON, and the collections whose items it lacks.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer.
    """
    page = search_items(search.items, context.services)
    documents = StacItems(context)
    with pause_garbage_collection():
        documents_of_items = (documents.document(item) for item in page.items)
        chosen = documents_of_items if search.fields is None else map(search.fields.select, documents_of_items)
        # Encoding all in one call would block the interpreter and need more memory.
        features = [orjson.Fragment(orjson.dumps(document)) for document in chosen]
        content = _document(page, features, search, [*links.page_links(), *links.next_links(page.next)])
        return orjson.dumps(content), page.unanswered


def _document(page: ItemPage, features: list[orjson.Fragment], search: StacSearch, links: list[Json]) -> Json:
    matched: dict[str, Any] = {} if page.matched is None else {"numberMatched": page.matched}
    context = {"returned": len(features), "limit": search.items.limit}
    document = {
        "type": "FeatureCollection",
        "links": links,
        "numberReturned": len(features),
        **matched,
        "context": context if page.matched is None else {**context, "matched": page.matched},
        "features": features,
    }
    return document | omit_empty({"unanswered": unanswered_members(page.unanswered)})


class PageLinks:
    """The links of a page that was requested by GET.

    `path` is the URL without its query; a page of one collection also links to the collection.
    """

    def __init__(self, context: StacContext, path: str, query: QueryPairs, *, collection: str | None = None) -> None:
        self._context = context
        self._path = path
        self._query = query
        self._collection = collection

    def page_links(self) -> list[Json]:
        """Return the links that every page has."""
        query = f"?{urlencode(self._query)}" if self._query else ""
        links = [link("self", f"{self._path}{query}", GEOJSON_TYPE), self._context.root_link]
        if self._collection is not None:
            url = self._context.collection_url(self._collection)
            links += [link(rel, url, JSON_TYPE) for rel in ("parent", "collection")]
        return links

    def next_links(self, cursor: str | None) -> list[Json]:
        """Return the link to the next page; empty if `cursor` is `None`."""
        if cursor is None:
            return []
        query = [(name, value) for name, value in self._query if name.lower() != "cursor"]
        href = f"{self._path}?{urlencode([*query, ('cursor', cursor)])}"
        return [{**link("next", href, GEOJSON_TYPE), "method": "GET"}]


class PostedPageLinks(PageLinks):
    """The links of a page that was requested by POST."""

    def __init__(self, context: StacContext, path: str) -> None:
        super().__init__(context, path, ())

    def next_links(self, cursor: str | None) -> list[Json]:
        """Return the link to the next page, which adds its cursor to the same body; empty if `cursor` is `None`."""
        if cursor is None:
            return []
        posted = {"method": "POST", "body": {"cursor": cursor}, "merge": True}
        return [{**link("next", self._path, GEOJSON_TYPE), **posted}]
