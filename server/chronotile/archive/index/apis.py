"""Items of STAC APIs, page by page. Later passes read only updated items, if the API can filter by `updated`."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import numpy as np
import orjson

from chronotile.archive.index import source
from chronotile.archive.index.catalogues import join_address
from chronotile.archive.index.core_search import core_search
from chronotile.archive.index.documents import Document, DocumentReader, MissingDocument, require_document
from chronotile.catalog.items.cql2.tree import all_of
from chronotile.catalog.items.passes import SourcePass
from chronotile.core.errors import InvalidParameter, SourceUnavailable, UnsupportedSource, raised_instead
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Instant, Json
from chronotile.readers.hrefs import shown_href

log = logging.getLogger(__name__)

PAGES = (250, 100, 10)
"""Numbers of items per page; if an API refuses a page, the next smaller number is requested."""
OVERLAP = np.timedelta64(-600, "s")
"""A pass starts this long before the newest update of the previous pass: items may appear after their `updated`."""
MAX_PAGES = 1_000_000
_ITEM_SEARCH_FILTER, _ITEM_SEARCH_QUERY, _FEATURES_FILTER = "item-search#filter", "item-search#query", "features-filter"
_ITEM_SEARCH_SORT, _FEATURES_SORT = "item-search#sort", "ogcapi-features#sort"
_JSON, _TEXT = "cql2-json", "cql2-text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The request of one page."""

    href: str
    body: Json | None = None
    """Sent by POST; `None`: GET."""

    @property
    def key(self) -> str:
        """A text that is equal for two requests of the same page."""
        return f"{self.href} {'' if self.body is None else orjson.dumps(self.body).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSearch:
    """Parameters and abilities of an API for requests of items of a collection."""

    href: str
    is_post: bool
    collection: str | None
    """`None`: the URL belongs to one collection, or items of all collections are requested."""
    filters: str | None
    """`cql2-json` or `cql2-text`; `None` if the API has no filters."""
    has_query: bool = False
    """Whether it compares properties by the extension `query`."""
    has_sort: bool = False
    """Whether it sorts by properties (extension `sort`)."""
    is_of_items: bool = False
    """Whether it is `items` of a collection (OGC API Features), which has fewer parameters than a search."""
    api_collection: str | None = None
    """The id of the collection in the API; `None`: items of all collections are requested."""
    root: str = ""
    """Common beginning of all URLs of the API."""

    def first(
        self, rules: source.ItemRules, since: str | None = None, *, is_text: bool = False, page: int = PAGES[0]
    ) -> Request:
        """Return the request of the first page.

        Args:
            rules: The items to request.
            since: Time of the oldest update to request; `None`: all items.
            is_text: Whether times are sent as text: pgSTAC needs that if `updated` is not a queryable.
            page: Maximum number of items.
        """
        filter_ = None if rules.filter is None else rules.filter.to_json()
        if self.is_post:
            body: Json = {"limit": page} | ({} if self.collection is None else {"collections": [self.collection]})
            return Request(href=self.href, body=body | self._body_conditions(filter_, since, is_text=is_text))
        query = [*parse_qsl(urlsplit(self.href).query), ("limit", str(page))]
        query += [] if self.collection is None else [("collections", self.collection)]
        query += self._query_conditions(rules, since, is_text=is_text)
        return Request(href=urlsplit(self.href)._replace(query=urlencode(query, quote_via=quote)).geturl())

    def not_looked_up(self, rules: source.ItemRules) -> list[str]:
        """Return the parts of the filter that the API cannot apply, as CQL2 text."""
        if self.filters is not None or rules.filter is None:
            return []
        return core_search(rules.filter.to_json()).not_looked_up(has_query=self.has_query)

    def _body_conditions(self, filter_: Json | None, since: str | None, *, is_text: bool) -> Json:
        """Return the members of a body that select items."""
        if self.filters is None:
            return core_search(filter_, since).body(has_query=self.has_query)
        clauses = [] if filter_ is None else [filter_]
        if since is not None:
            clauses.append({"op": ">=", "args": [{"property": "updated"}, since if is_text else {"timestamp": since}]})
        return {"filter-lang": _JSON, "filter": all_of(clauses)} if clauses else {}

    def _query_conditions(self, rules: source.ItemRules, since: str | None, *, is_text: bool) -> list[tuple[str, str]]:
        """Return the pairs of a query that select items."""
        if self.filters is None:
            filter_ = None if rules.filter is None else rules.filter.to_json()
            return core_search(filter_, since).pairs(has_query=self.has_query)
        texts = [] if rules.filter is None else [f"({rules.filter.text})"]
        if since is not None:
            texts.append(f"updated >= '{since}'" if is_text else f"updated >= TIMESTAMP('{since}')")
        return [("filter-lang", _TEXT), ("filter", " AND ".join(texts))] if texts else []


class ApiSource(source.StacSource):
    """The items of one collection or of all collections of a STAC API.

    Args:
        document: The landing page or the collection.
        documents: Reads the documents.
        rules: The items to index. The filter is sent to APIs with filters, and is applied to their items in any case.

    Raises:
        UnsupportedSource: The API cannot list items.
        SourceUnavailable: Its landing page is unreachable.
    """

    kind = "api"
    state = ""
    threads = 1
    is_computing = True

    def __init__(self, document: Document, documents: DocumentReader, rules: source.ItemRules) -> None:
        super().__init__(document.href, rules)
        self._documents = documents
        self._search = search_of(document, documents)
        self._newest: str | None = None

    @property
    def knows_changes(self) -> bool:
        """Whether it can list items by their time of update."""
        return self._search.filters is not None or self._search.has_query

    def has_changed(self, *, most_files: int) -> bool:
        """Return True: only a request can show changes."""
        del most_files
        return True

    def next_since(self) -> str | None:
        """Return the time of the oldest update that the next pass requests."""
        return self._newest if self.knows_changes else None

    def entries(self, run: SourcePass) -> Iterator[source.Listed]:
        """Yield items, page by page.

        Raises:
            SourceUnavailable: A page is unreachable.
            UnsupportedSource: The pages do not end.
        """
        since = None if run.is_whole else run.since
        self._newest = run.since
        if run.cursor is not None:
            stored = orjson.loads(run.cursor)
            self._newest = stored["newest"]
            resumed = Request(href=stored["href"], body=stored["body"])
            try:
                yield from self._pages(self._page(resumed))
                return
            except _PageRefused:
                pass
        yield from self._pages(self._first_page(since))  # new pass, or the API refuses the position of the previous one

    def _first_page(self, since: str | None) -> tuple[Request, Document]:
        """Return the first page of updated items, or of all items if the API does not filter by `updated`."""
        for is_text in (False, True) if since is not None else ():
            request = self._search.first(self._rules, since, is_text=is_text)
            with suppress(MissingDocument, SourceUnavailable):
                document = self._documents.ask(request.href, body=request.body, is_patient=False)
                if document is not None:
                    return request, document
        parts = self._search.not_looked_up(self._rules)
        if parts:
            log.warning(
                "%s does not accept these parts of the filter: %s; the index reads items without them, which may take "
                "long, and applies them to each item",
                shown_href(self._href),
                "; ".join(parts),
            )
        for page in PAGES[:-1]:
            with suppress(_PageRefused):
                return self._page(self._search.first(self._rules, page=page))
        return self._page(self._search.first(self._rules, page=PAGES[-1]), is_first=True)

    def _page(self, request: Request, *, is_first: bool = False) -> tuple[Request, Document]:
        try:
            return request, require_document(self._documents.ask(request.href, body=request.body))
        except MissingDocument as error:
            if is_first:
                raise UnsupportedSource(f"{shown_href(request.href)}: {error.message}") from error
            raise _PageRefused from error

    def _pages(self, first: tuple[Request, Document]) -> Iterator[source.Listed]:
        request, document = first
        page_keys = {request.key}
        while True:
            features = document.body.get("features")
            if not isinstance(features, list):
                raise UnsupportedSource(f"{shown_href(request.href)} gives no page of items")
            for feature in features:
                if isinstance(feature, dict):
                    yield self._entry(feature, request.href)
            following = next_request(document, request)
            if following is None:
                return
            if following.key in page_keys or len(page_keys) > MAX_PAGES:
                raise UnsupportedSource(f"{shown_href(request.href)}: its pages lead to one another without end")
            page_keys.add(following.key)
            _require_same_server(following.href, self._href)
            stored = {"href": following.href, "body": following.body, "newest": self._newest}
            yield source.Bookmark(cursor=orjson.dumps(stored).decode())
            with raised_instead(
                _PageRefused, UnsupportedSource(f"{shown_href(following.href)}: the next page is refused")
            ):
                request, document = self._page(following)

    def _entry(self, feature: Json, base: str) -> source.ListedEntry:
        self._note_updated(feature)
        state = source.digest_of(feature)
        read = partial(_read, self._rules, feature, base, state)
        return source.ListedEntry(key=source.key_of(feature, state), read=read, state=state)

    def _note_updated(self, feature: Mapping[str, Any]) -> None:
        properties = feature.get("properties")
        text = properties.get("updated") if isinstance(properties, dict) else None
        if not isinstance(text, str):
            return
        try:
            updated: Instant = parse_instant(text).start
        except InvalidParameter:
            return
        begin = format_instant(updated + OVERLAP)
        if self._newest is None or parse_instant(self._newest).start < parse_instant(begin).start:
            self._newest = begin


class _PageRefused(Exception):
    """An API refuses a page: the position where a pass stopped, or the number of items."""


def is_api(body: Json) -> bool:
    """Return whether a document is the landing page or a collection of a STAC API."""
    relations = {link["rel"] for link in _links(body)}
    return "conformsTo" in body or "search" in relations or (body.get("type") == "Collection" and "items" in relations)


def search_of(document: Document, documents: DocumentReader) -> ApiSearch:
    """Return the search that lists the items of an API or of a collection.

    Args:
        document: Its landing page, or a collection.
        documents: Reads its landing page.

    Raises:
        UnsupportedSource: The API cannot list items, or links to another server.
        SourceUnavailable: Its landing page is unreachable.
    """
    is_collection = document.body.get("type") == "Collection"
    landing = _landing(document, documents) if is_collection and "conformsTo" not in document.body else document
    conforms_to = landing.body.get("conformsTo") if landing is not None else None
    classes = [str(s) for s in conforms_to] if isinstance(conforms_to, list) else []
    collection = str(document.body.get("id")) if is_collection else None
    if landing is not None and (search_links := list(_links(landing.body, "search"))):
        languages = [x for x in (_JSON, _TEXT) if any(c.endswith(x) for c in classes)]
        has_filter = any(_ITEM_SEARCH_FILTER in c for c in classes)
        post_link = next((link for link in search_links if str(link.get("method", "")).upper() == "POST"), None)
        is_post = post_link is not None and (not has_filter or _JSON in languages)
        href = join_address(landing.href, (post_link if post_link is not None and is_post else search_links[0])["href"])
        language = _JSON if is_post else _TEXT
        search = ApiSearch(
            href=href,
            is_post=is_post,
            collection=collection,
            filters=language if has_filter and language in languages else None,
            has_query=any(_ITEM_SEARCH_QUERY in c for c in classes),
            has_sort=any(_ITEM_SEARCH_SORT in c for c in classes),
            api_collection=collection,
            root=_root_of(landing.href, href),
        )
    elif items := next(_links(document.body, "items"), None):
        has_filter = any(_FEATURES_FILTER in c for c in classes) and any(c.endswith(_TEXT) for c in classes)
        href = join_address(document.href, items["href"])
        search = ApiSearch(
            href=href,
            is_post=False,
            collection=None,
            filters=_TEXT if has_filter else None,
            has_sort=any(_FEATURES_SORT in c for c in classes),
            is_of_items=True,
            api_collection=collection,
            root=_root_of(document.href, href),
        )
    else:
        raise UnsupportedSource(f"{shown_href(document.href)} links neither to a search nor to items")
    _require_same_server(search.href, document.href)
    return search


def _root_of(document: str, search: str) -> str:
    # The URL of a landing page or collection, or its server if the search is not below that URL.
    root = urlsplit(document)._replace(query="", fragment="").geturl().rstrip("/")
    return root if search.startswith(f"{root}/") else "{0.scheme}://{0.netloc}".format(urlsplit(document))


def _landing(document: Document, documents: DocumentReader) -> Document | None:
    root = next(_links(document.body, "root"), None)
    if root is None:
        return None
    href = join_address(document.href, root["href"])
    _require_same_server(href, document.href)
    try:
        return documents.read(href)
    except MissingDocument:
        return None


def _require_same_server(href: str, base: str) -> None:
    if urlsplit(href)[:2] != urlsplit(base)[:2]:
        raise UnsupportedSource(
            f"{shown_href(base)} links to another server, {shown_href(href)}, which is not followed"
        )


def next_request(document: Document, request: Request) -> Request | None:
    """Return the request of the next page by the link `next`; the caller has to check its URL.

    Raises:
        AddressRefused: The link is not a URL.
    """
    link = next(_links(document.body, "next"), None)
    if link is None:
        return None
    href = join_address(request.href, link["href"])
    if str(link.get("method", "GET")).upper() != "POST":
        return Request(href=href)
    link_body: Any = link.get("body")
    body: Json = link_body if isinstance(link_body, dict) else {}
    merged = {**(request.body or {}), **body} if link.get("merge") or not body else body
    return Request(href=href, body=merged)


def _links(body: Mapping[str, Any], relation: str | None = None) -> Iterator[Json]:
    links = body.get("links")
    for link in links if isinstance(links, list) else ():
        is_link = isinstance(link, dict) and isinstance(link.get("href"), str) and isinstance(link.get("rel"), str)
        if is_link and relation in {None, link["rel"]}:
            yield link


def _read(rules: source.ItemRules, feature: Json, page: str, state: str, _before: str) -> source.ReadEntry:
    # The URL of an item of a page is in its link `self`.
    return rules.read(feature, address_of(feature, page), state)


def address_of(feature: Mapping[str, Any], page: str) -> str:
    """Return the URL of an item of a page from its link `self`; without one, the URL of the page.

    Raises:
        AddressRefused: The link is not a URL.
    """
    return join_address(page, next((link["href"] for link in _links(feature, "self")), page))
