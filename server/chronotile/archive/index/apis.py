"""Items of STAC APIs, page by page; later passes read what was updated since."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import cql2
import numpy as np
import orjson
import shapely

from chronotile.archive.index import source
from chronotile.archive.index.catalogues import joined
from chronotile.archive.index.documents import Document, Documents, MissingDocument, required
from chronotile.catalog.items.cql2.tree import all_of
from chronotile.catalog.items.passes import SourcePass
from chronotile.core.errors import InvalidParameter, SourceUnavailable, UnsupportedSource, raised_instead
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Instant, Json
from chronotile.readers.hrefs import shown_href

log = logging.getLogger(__name__)

PAGES = (250, 100, 10)
"""Items of one page; where an API refuses as many, fewer are requested."""
OVERLAP = np.timedelta64(-600, "s")
"""From the newest update that was seen to where the next pass begins: items may appear later than they say."""
MOST_PAGES = 1_000_000
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
        """What two requests of the same page have in common."""
        return f"{self.href} {'' if self.body is None else orjson.dumps(self.body).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSearch:
    """How the items of a collection are requested from an API."""

    href: str
    is_post: bool
    collection: str | None
    """`None`: the address has those of one collection only, or all are wanted."""
    filters: str | None
    """`cql2-json` or `cql2-text`, if the API filters."""
    has_query: bool = False
    """Whether it compares properties in another way, the extension `query`."""
    has_sort: bool = False
    """Whether it sorts by properties, the extension `sort`."""
    is_of_items: bool = False
    """Whether it is `items` of a collection (OGC API Features), whose parameters are fewer than those of a search."""
    own: str | None = None
    """The id of the collection in the API; `None`: the items of all collections are wanted."""
    root: str = ""
    """Below which all addresses of the API lie."""

    def first(
        self, rules: source.ItemRules, since: str | None = None, *, is_text: bool = False, page: int = PAGES[0]
    ) -> Request:
        """Return the request of the first page.

        Args:
            rules: Which items are taken.
            since: From when updates are read; `None`: all items.
            is_text: Whether the API takes times for text, as pgSTAC does where `updated` is not a queryable.
            page: How many items it may have.
        """
        own = None if rules.filter is None else rules.filter.to_json()
        if self.is_post:
            body: Json = {"limit": page} | ({} if self.collection is None else {"collections": [self.collection]})
            return Request(href=self.href, body=body | self._looked_up(own, since, is_text=is_text))
        query = [*parse_qsl(urlsplit(self.href).query), ("limit", str(page))]
        query += [] if self.collection is None else [("collections", self.collection)]
        query += self._looked_up_in_text(rules, since, is_text=is_text)
        return Request(href=urlsplit(self.href)._replace(query=urlencode(query, quote_via=quote)).geturl())

    def not_looked_up(self, rules: source.ItemRules) -> list[str]:
        """Return the parts of the filter that the API cannot look up, as CQL2 text."""
        if self.filters is not None or rules.filter is None:
            return []
        return core_search(rules.filter.to_json()).not_looked_up(has_query=self.has_query)

    def _looked_up(self, own: Json | None, since: str | None, *, is_text: bool) -> Json:
        """The members of a body that say which items are looked up."""
        if self.filters is None:
            return core_search(own, since).body(has_query=self.has_query)
        clauses = [] if own is None else [own]
        if since is not None:
            clauses.append({"op": ">=", "args": [{"property": "updated"}, since if is_text else {"timestamp": since}]})
        return {"filter-lang": _JSON, "filter": all_of(clauses)} if clauses else {}

    def _looked_up_in_text(self, rules: source.ItemRules, since: str | None, *, is_text: bool) -> list[tuple[str, str]]:
        """The pairs of a query that say which items are looked up."""
        if self.filters is None:
            own = None if rules.filter is None else rules.filter.to_json()
            return core_search(own, since).pairs(has_query=self.has_query)
        texts = [] if rules.filter is None else [f"({rules.filter.text})"]
        if since is not None:
            texts.append(f"updated >= '{since}'" if is_text else f"updated >= TIMESTAMP('{since}')")
        return [("filter-lang", _TEXT), ("filter", " AND ".join(texts))] if texts else []


class ApiSource(source.StacSource):
    """The items of a collection of a STAC API, or of all its collections.

    Args:
        document: The landing page or the collection.
        documents: By which documents are read.
        rules: Which items are taken; the filter is passed on where the API has filters, and checked in any case.

    Raises:
        UnsupportedSource: It has no way to list items.
        SourceUnavailable: Its landing page cannot be read now.
    """

    kind = "api"
    state = ""
    threads = 1
    is_computing = True

    def __init__(self, document: Document, documents: Documents, rules: source.ItemRules) -> None:
        super().__init__(document.href, rules)
        self._documents = documents
        self._search = search_of(document, documents)
        self._newest: str | None = None

    @property
    def knows_changes(self) -> bool:
        """Whether it can list the items updated since a time."""
        return self._search.filters is not None or self._search.has_query

    def has_changed(self, *, most_files: int) -> bool:
        """Return that it may have: it has to be requested."""
        del most_files
        return True

    def since(self) -> str | None:
        """Return from when the next pass reads updates."""
        return self._newest if self.knows_changes else None

    def entries(self, run: SourcePass) -> Iterator[source.Listed]:
        """Yield items, page by page.

        Raises:
            SourceUnavailable: A page cannot be read now.
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
            except _Refused:
                pass  # places in a list of results may be forgotten by the API: from the start, then
        yield from self._pages(self._first_page(since))

    def _first_page(self, since: str | None) -> tuple[Request, Document]:
        """The first page; all items where the API refuses to say what was updated."""
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
            with suppress(_Refused):
                return self._page(self._search.first(self._rules, page=page))
        return self._page(self._search.first(self._rules, page=PAGES[-1]), is_first=True)

    def _page(self, request: Request, *, is_first: bool = False) -> tuple[Request, Document]:
        try:
            return request, required(self._documents.ask(request.href, body=request.body))
        except MissingDocument as error:
            if is_first:
                raise UnsupportedSource(f"{shown_href(request.href)}: {error.message}") from error
            raise _Refused from error

    def _pages(self, first: tuple[Request, Document]) -> Iterator[source.Listed]:
        request, document = first
        seen = {request.key}
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
            if following.key in seen or len(seen) > MOST_PAGES:
                raise UnsupportedSource(f"{shown_href(request.href)}: its pages lead to one another without end")
            seen.add(following.key)
            _require_same_server(following.href, self._href)
            stored = {"href": following.href, "body": following.body, "newest": self._newest}
            yield source.Bookmark(cursor=orjson.dumps(stored).decode())
            with raised_instead(_Refused, UnsupportedSource(f"{shown_href(following.href)}: the next page is refused")):
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


class _Refused(Exception):
    """An API refuses a page: the place in its results where a pass stopped, or so many items."""


def is_api(body: Json) -> bool:
    """Whether a document is the landing page or a collection of a STAC API."""
    relations = {each["rel"] for each in _links(body)}
    return "conformsTo" in body or "search" in relations or (body.get("type") == "Collection" and "items" in relations)


def search_of(document: Document, documents: Documents) -> ApiSearch:
    """Return how items are requested from the API of a landing page or collection.

    Raises:
        UnsupportedSource: It has no way to list items, or leads to another server.
        SourceUnavailable: Its landing page cannot be read now.
    """
    is_collection = document.body.get("type") == "Collection"
    landing = _landing(document, documents) if is_collection and "conformsTo" not in document.body else document
    stated = landing.body.get("conformsTo") if landing is not None else None
    classes = [str(each) for each in stated] if isinstance(stated, list) else []
    collection = str(document.body.get("id")) if is_collection else None
    if landing is not None and (found := list(_links(landing.body, "search"))):
        languages = [each for each in (_JSON, _TEXT) if any(one.endswith(each) for one in classes)]
        has_filter = any(_ITEM_SEARCH_FILTER in each for each in classes)
        posting = next((each for each in found if str(each.get("method", "")).upper() == "POST"), None)
        is_post = posting is not None and (not has_filter or _JSON in languages)
        href = joined(landing.href, (posting if posting is not None and is_post else found[0])["href"])
        language = _JSON if is_post else _TEXT
        search = ApiSearch(
            href=href,
            is_post=is_post,
            collection=collection,
            filters=language if has_filter and language in languages else None,
            has_query=any(_ITEM_SEARCH_QUERY in each for each in classes),
            has_sort=any(_ITEM_SEARCH_SORT in each for each in classes),
            own=collection,
            root=_root_of(landing.href, href),
        )
    elif items := next(_links(document.body, "items"), None):
        has_filter = any(_FEATURES_FILTER in each for each in classes) and any(each.endswith(_TEXT) for each in classes)
        href = joined(document.href, items["href"])
        search = ApiSearch(
            href=href,
            is_post=False,
            collection=None,
            filters=_TEXT if has_filter else None,
            has_sort=any(_FEATURES_SORT in each for each in classes),
            is_of_items=True,
            own=collection,
            root=_root_of(document.href, href),
        )
    else:
        raise UnsupportedSource(f"{shown_href(document.href)} links neither to a search nor to items")
    _require_same_server(search.href, document.href)
    return search


def _root_of(document: str, search: str) -> str:
    # The address of a landing page or collection, or its server where the search does not lie below it.
    root = urlsplit(document)._replace(query="", fragment="").geturl().rstrip("/")
    return root if search.startswith(f"{root}/") else "{0.scheme}://{0.netloc}".format(urlsplit(document))


def _landing(document: Document, documents: Documents) -> Document | None:
    root = next(_links(document.body, "root"), None)
    if root is None:
        return None
    href = joined(document.href, root["href"])
    _require_same_server(href, document.href)
    try:
        return documents.read(href)
    except MissingDocument:
        return None


def _require_same_server(href: str, own: str) -> None:
    if urlsplit(href)[:2] != urlsplit(own)[:2]:
        raise UnsupportedSource(f"{shown_href(own)} links to another server, {shown_href(href)}, which is not followed")


def next_request(document: Document, request: Request) -> Request | None:
    """Return the request of the page after a page, as its link `next` describes it; its address is to be checked.

    Raises:
        AddressRefused: The link is not an address.
    """
    link = next(_links(document.body, "next"), None)
    if link is None:
        return None
    href = joined(request.href, link["href"])
    if str(link.get("method", "GET")).upper() != "POST":
        return Request(href=href)
    given: Any = link.get("body")
    body: Json = given if isinstance(given, dict) else {}
    merged = {**(request.body or {}), **body} if link.get("merge") or not body else body
    return Request(href=href, body=merged)


def _links(body: Mapping[str, Any], relation: str | None = None) -> Iterator[Json]:
    links = body.get("links")
    for link in links if isinstance(links, list) else ():
        is_link = isinstance(link, dict) and isinstance(link.get("href"), str) and isinstance(link.get("rel"), str)
        if is_link and relation in {None, link["rel"]}:
            yield link


def _read(rules: source.ItemRules, feature: Json, page: str, state: str, _before: str) -> source.ReadEntry:
    # Of an item of a page, whose own address is that of its link `self`.
    return rules.read(feature, address_of(feature, page), state)


def address_of(feature: Mapping[str, Any], page: str) -> str:
    """Return the address of an item of a page: that of its link `self`, or else of the page.

    Raises:
        AddressRefused: That link is not an address.
    """
    return joined(page, next((each["href"] for each in _links(feature, "self")), page))


# What of a CQL2 filter a STAC API without filters can look up: by its core parameters, and by `query` if it has that.
#
# What is left over is applied to the items that come, as all of the filter is.

_COMPARISONS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "=": "eq"}
_NO_PROPERTIES = {"id", "collection", "geometry", "datetime"}
_OPEN = ".."
_MOST_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreSearch:
    """Parameters of a search that give at least all items that match a filter."""

    intersects: Json | None = None
    """GeoJSON."""
    datetime: str | None = None
    query: Mapping[str, Json] = field(default_factory=dict)
    """By property: comparisons."""
    compared: tuple[Json, ...] = ()
    """The parts of the filter that `query` has."""
    unused: tuple[Json, ...] = ()
    """The parts of the filter that no parameter has."""

    def not_looked_up(self, *, has_query: bool) -> list[str]:
        """Return the parts of the filter that the API cannot look up, as CQL2 text, cut where long."""
        parts = (*(() if has_query else self.compared), *self.unused)
        texts = [cql2.parse_json(orjson.dumps(each).decode()).to_text() for each in parts]
        return [text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…" for text in texts]

    def body(self, *, has_query: bool) -> Json:
        """Return the members of the body of a POST."""
        return {
            **({} if self.intersects is None else {"intersects": self.intersects}),
            **({} if self.datetime is None else {"datetime": self.datetime}),
            **({"query": dict(self.query)} if self.query and has_query else {}),
        }

    def pairs(self, *, has_query: bool) -> list[tuple[str, str]]:
        """Return the pairs of a GET; of a geometry its box."""
        pairs = [] if self.datetime is None else [("datetime", self.datetime)]
        if self.intersects is not None:
            bounds = shapely.from_geojson(orjson.dumps(self.intersects)).bounds
            pairs.append(("bbox", ",".join(f"{each:.10g}" for each in bounds)))
        if self.query and has_query:
            pairs.append(("query", orjson.dumps(dict(self.query)).decode()))
        return pairs


def core_search(expression: Json | None, since: str | None = None) -> CoreSearch:
    """Return the search for what a filter in CQL2 JSON lets through, and for what was updated since a time."""
    intersects: Json | None = None
    query: dict[str, Json] = {}
    compared, unused = list[Json](), list[Json]()
    first, last = _OPEN, _OPEN
    for each in _conjuncts(expression):
        name, value = _compared(each)
        operator = each.get("op")
        if name == "geometry" and operator == "s_intersects" and intersects is None and (place := _geometry(value)):
            intersects = place
        elif name == "datetime" and operator in _COMPARISONS and (time := _time(value, operator)) is not None:
            first = time if operator in {">", ">=", "="} else first
            last = time if operator in {"<", "<=", "="} else last
        elif name not in _NO_PROPERTIES and operator in _COMPARISONS and isinstance(value, int | float | str):
            query.setdefault(name, {})[_COMPARISONS[operator]] = value
            compared.append(each)
        else:
            unused.append(each)
    if since is not None:
        query["updated"] = {"gte": since}
    is_open = first == last == _OPEN
    return CoreSearch(
        intersects=intersects,
        datetime=None if is_open else f"{first}/{last}",
        query=query,
        compared=tuple(compared),
        unused=tuple(unused),
    )


def _conjuncts(expression: Json | None) -> Iterator[Json]:
    """Yield what has to be true of each item."""
    if expression is None:
        return
    if expression.get("op") == "and":
        for each in expression.get("args", ()):
            if isinstance(each, dict):
                yield from _conjuncts(each)
    else:
        yield expression


def _compared(expression: Json) -> tuple[str, Any]:
    """The property and the value of a comparison; without a value of another condition."""
    arguments = expression.get("args")
    if not (isinstance(arguments, list) and len(arguments) == 2 and isinstance(arguments[0], dict)):
        return "", None
    name = arguments[0].get("property")
    return (name.removeprefix("properties."), arguments[1]) if isinstance(name, str) else ("", None)


def _time(value: Any, operator: str) -> str | None:  # noqa: ANN401 -- JSON
    """The instant that a time is compared with; days have none where they last until their end."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("timestamp"), str):
        return str(value["timestamp"])
    is_start = isinstance(value.get("date"), str) and operator in {">=", ">", "<"}
    return f"{value['date']}T00:00:00Z" if is_start else None


def _geometry(value: Any) -> Json | None:  # noqa: ANN401 -- JSON
    if isinstance(value, dict) and "coordinates" in value:
        return value
    box = value.get("bbox") if isinstance(value, dict) else None
    if not isinstance(box, list) or len(box) != 4:
        return None
    found: Json = orjson.loads(shapely.to_geojson(shapely.box(*box)))
    return found
