"""Pages of items, and the links between them."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from chronotile.model.geometry.json_text import without_garbage_collection
from chronotile.model.items import ItemPage, Unanswered
from chronotile.pipeline.search.search_items import search_items
from chronotile.protocols.common.responses.unanswered import unanswered_members
from chronotile.protocols.stac.context import GEOJSON_TYPE, JSON_TYPE, Json, StacContext, link
from chronotile.protocols.stac.items import ItemDocuments
from chronotile.protocols.stac.params import StacSearch

Pairs = Sequence[tuple[str, str]]


def page_of(search: StacSearch, context: StacContext, links: "PageLinks") -> tuple[bytes, tuple[Unanswered, ...]]:
    """Return a page of items as JSON, and the collections of which it lacks items.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer.
    """
    page = search_items(search.items, context.services)
    documents = ItemDocuments(context)
    with without_garbage_collection():
        features = [_encoded(documents.document(found), search) for found in page.items]
        document = _document(page, features, search, [*links.own(), *links.following(page.next)])
        return orjson.dumps(document), page.unanswered


def _encoded(feature: Json, search: StacSearch) -> orjson.Fragment:
    """A feature, encoded by itself: all at once would hold the interpreter's lock, and memory, for long."""
    return orjson.Fragment(orjson.dumps(feature if search.fields is None else search.fields.of(feature)))


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
    if page.unanswered:
        document["unanswered"] = unanswered_members(page.unanswered)
    return document


class PageLinks:
    """The links of a page that GET requested.

    Args:
        context: Where documents are.
        path: URL of the request without its query.
        query: Of the request.
        collection: Whose items they are, if of one.
    """

    def __init__(self, context: StacContext, path: str, query: Pairs, *, collection: str | None = None) -> None:
        self._context = context
        self._path = path
        self._query = query
        self._collection = collection

    def own(self) -> list[Json]:
        """Return the links that every page has."""
        query = f"?{urlencode(self._query)}" if self._query else ""
        links = [link("self", f"{self._path}{query}", GEOJSON_TYPE), self._context.root_link]
        if self._collection is not None:
            url = self._context.collection_url(self._collection)
            links += [link(rel, url, JSON_TYPE) for rel in ("parent", "collection")]
        return links

    def following(self, cursor: str | None) -> list[Json]:
        """Return the link to the next page, if there is one."""
        if cursor is None:
            return []
        others = [(name, value) for name, value in self._query if name.lower() != "cursor"]
        href = f"{self._path}?{urlencode([*others, ('cursor', cursor)])}"
        return [{**link("next", href, GEOJSON_TYPE), "method": "GET"}]


class PostedPageLinks(PageLinks):
    """The links of a page that POST requested."""

    def __init__(self, context: StacContext, path: str) -> None:
        super().__init__(context, path, ())

    def following(self, cursor: str | None) -> list[Json]:
        """Return the link to the next page: the same body with its cursor."""
        if cursor is None:
            return []
        posted = {"method": "POST", "body": {"cursor": cursor}, "merge": True}
        return [{**link("next", self._path, GEOJSON_TYPE), **posted}]
