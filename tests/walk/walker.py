"""Follows every link and every template in every document of a server and reports wrong answers."""

import re
from collections import Counter, deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import islice
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import orjson
from lxml import etree
from starlette.routing import Match, Route
from starlette.testclient import TestClient

from tests.walk.address import BASE, Address, protocol_of
from tests.walk.capabilities import WMTS, coverage_requests, descriptions, limits_of, wms_requests, wmts_requests
from tests.walk.found import ids_of, in_html, in_json, in_xml
from tests.walk.judging import Answer, Judge
from tests.walk.queries import edr_queries, entities, examples, is_template_of_query, parts_of_store, words_of
from tests.walk.templates import Facts, filled

Key = tuple[object, ...]

STARTS = ("/", "/health/ready", "/metrics")
"""Start of the walk; only the documentation for operators mentions the last two."""
OWNERS = {"layer", "collection", "collectionId", "set"}
"""Variables of routes: the walk follows its full number of addresses for each value."""
DATA = {
    *("z", "x", "y", "tileMatrix", "tileRow", "tileCol", "item", "itemId", "id", "product", "node", "nodes", "path"),
    *("time", "datetime", "bbox", "coords", "lon", "lat", "rev", "cursor", "token", "since", "array", "chunk", "jobID"),
    *("$skip", "$skiptoken", "i", "j", "tilerow", "tilecol", "tilematrix", "limit"),
}
"""Variables and parameters with similar values, so that a few are enough: places, times, tiles, items, files."""
OF_ANY = ("Attributes", "Assets")
"""Members of any product, also of one without files."""
SHOWN = 30
"""Faults that a report prints."""
MAP_LINKS = {"wms": "WMS", "wmts": "WMTS"}
EXCEPTIONS = (
    ("POST", r"/(layers/[^/]+|stac/collections/[^/]+)/items", 403, "only holders of the operator's token write items"),
    ("POST", r"/places/shapes", 400, "a file has no example"),
    ("GET", r"/places/shapes", 404, "POST alone"),
)
"""Requests whose response is not 2xx: method, path, status and reason."""
CHOSEN_HERE = r"template of .*|data_queries\..*|\$\.layers\[\]\.links\[\] series"
"""Requests with a place that the walk chose, in the middle of a box; documents with examples are more exact."""
TRUE_REFUSALS = (
    (400, CHOSEN_HERE, b"and does not fill this box", "the middle of the box of a tilted grid lies outside the grid"),
    (400, ".*", b"max_seconds: at most", "a whole granule on its regular grid is too large for one answer"),
    (503, ".*", b"in collection corrupt are damaged or missing", "a damaged file of the real data"),
)
"""Refusals that are right: status, pattern of the origin, part of the text, and reason for the report."""


class Extent(Enum):
    """Number of requests for similar addresses, which have one route and the same parameters."""

    ALL = "all of it"
    OF_EACH = "one of each layer, collection and set of places, and one of each other word"
    WORDS = "one, and one of each other word"
    ROUTES = "one"


@dataclass
class Report:
    """Results of a walk."""

    seen: Counter[str] = field(default_factory=Counter)
    """Addresses by protocol."""
    faults: dict[str, str] = field(default_factory=dict)
    """Error messages, by address."""
    elsewhere: int = 0
    """Addresses of other servers, which are not requested."""
    excepted: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        told = ", ".join(f"{name} {count}" for name, count in sorted(self.seen.items()))
        faults = [f"\n{address}: {fault}" for address, fault in islice(self.faults.items(), SHOWN)]
        counts = f"{self.seen.total()} addresses ({told}), {self.elsewhere} elsewhere, {len(self.faults)} faults"
        return counts + "".join(faults)


class Walker:
    """Walks one server.

    Args:
        client: Client of the application.
        judge: Finds errors in answers.
        extent: Number of requests for similar addresses.
        without: Skipped protocols.
    """

    def __init__(
        self, client: TestClient, judge: Judge, *, extent: Extent = Extent.OF_EACH, without: Collection[str] = ()
    ) -> None:
        self.report = Report()
        self._client, self._judge, self._extent, self._without = client, judge, extent, without
        self._queue: deque[Address] = deque()
        self._templates: list[Address] = []
        self._known: set[Key] = set()
        self._asked: set[Key] = set()
        self._pages: dict[str, set[str]] = {}
        self._fragments: list[Address] = []
        self._facts = Facts()
        self._routes = [each for each in client.app.routes if isinstance(each, Route)]
        self._entities: dict[str, list[str]] = {}

    def walk(self) -> Report:
        """Follow all addresses, templates after the documents with their values."""
        for path in STARTS:
            self._put(Address(url=BASE + path, how="start"))
        while self._queue or self._templates:
            while self._queue:
                self._follow(self._queue.popleft())
            templates, self._templates = self._templates, []
            for template in templates:
                self._fill(template)
        for address in self._fragments:
            page, _hash, fragment = address.url.partition("#")
            if page in self._pages and fragment not in self._pages[page]:
                self._fault(address, "the page has no such part")
        return self.report

    def _fill(self, template: Address) -> None:
        found = filled(template, self._facts)
        if not found and protocol_of(template.url) == "products" and not self._facts.with_files:
            self.report.excepted["no product has files"] += 1
        elif not found and self._extent is Extent.ALL:
            self._fault(template, "nothing tells what fills it in")
        for address in found:
            if not address.is_template:
                self._put(address)
            elif self._extent is Extent.ALL or self._facts.tells_all_tiles:
                self._fault(address, "cannot be filled in")

    def _put(self, address: Address) -> None:
        if not address.is_here:
            self.report.elsewhere += 1
        elif is_template_of_query(address.url) or protocol_of(address.url) in self._without:
            return  # expanded in the description of its collection
        elif address.key not in self._known or "#" in address.url:
            if "#" in address.url and not address.is_template:
                self._fragments.append(address)
            if address.key not in self._known:
                self._known.add(address.key)
                (self._templates if address.is_template else self._queue).append(address)

    def _follow(self, address: Address) -> None:
        if self._extent is not Extent.ALL and not self._is_new(address):
            return
        answer = self._ask(address)
        self.report.seen[protocol_of(address.url)] += 1
        if reason := _exception(address, answer):
            self.report.excepted[reason] += 1
            return
        faults = list(self._judge.syntax(address, answer))
        if answer.status < 300 and not any("is no" in fault for fault in faults):
            faults += self._judge.schema(address, answer)
            for found in self._found(address, answer):
                self._put(replace(found, body={**address.body, **found.body}) if found.merges else found)
        for fault in faults:
            self._fault(address, fault)

    def _is_new(self, address: Address) -> bool:
        """Return whether the address has a new kind, or a new word of its kind."""
        parts = urlsplit(address.url)
        route, values = self._route(address.method, parts.path)
        owner = tuple(sorted((name, values.pop(name)) for name in OWNERS & values.keys()))
        owner = owner if self._extent is Extent.OF_EACH else ()
        values |= dict(parse_qsl(parts.query, keep_blank_values=True))
        words = {(name.lower(), value) for name, value in values.items() if name.lower() not in DATA}
        kind = (address.method, route, owner, tuple(sorted(values)))
        keys: set[Key] = {kind}
        if self._extent is not Extent.ROUTES:
            keys |= {(address.method, route, word) for word in words}
        is_new = not keys <= self._asked
        self._asked |= keys
        return is_new

    def _route(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """Return the route of a path, and its variables."""
        scope = {"type": "http", "app": self._client.app, "path": unquote(path), "method": method}
        for each in self._routes:
            match, found = each.matches(scope)
            if match is Match.FULL:
                return each.path, dict(found["path_params"])
        return path, {}

    def _ask(self, address: Address) -> Answer:
        accepted = f"{address.media_type}, */*;q=0.1" if address.media_type else "*/*"
        url = address.url.partition("#")[0]
        body = None if address.method == "GET" else orjson.dumps(address.body)
        headers = {"Accept": accepted} | ({} if body is None else {"Content-Type": "application/json"})
        answer = self._client.request(address.method, url, content=body, headers=headers)
        return Answer(answer.status_code, answer.headers.get("content-type", ""), answer.content)

    def _fault(self, address: Address, fault: str) -> None:
        self.report.faults.setdefault(str(address), fault)

    def _found(self, address: Address, answer: Answer) -> Iterator[Address]:
        url = address.url.partition("#")[0]
        if answer.is_html:
            self._pages.setdefault(url, ids_of(answer.content))
            yield from in_html(answer.content, url)
        elif answer.is_json:
            yield from self._in_json(orjson.loads(answer.content), url)
        elif answer.is_xml:
            yield from self._in_xml(etree.fromstring(answer.content), url)

    def _in_xml(self, root: etree._Element, url: str) -> Iterator[Address]:
        tag = etree.QName(root).localname
        if tag == "WMS_Capabilities":
            yield from wms_requests(root, url)
        elif tag == "CoverageDescriptions":
            yield from coverage_requests(root, url)
            return
        elif tag == "Capabilities" and etree.QName(root).namespace != WMTS.strip("{}"):
            yield from descriptions(root, url)
            return
        elif tag == "Capabilities":
            self._facts.limits |= limits_of(root)
            yield from wmts_requests(root, url)
        elif tag == "Edmx":
            self._entities = entities(root)
            return
        for found in in_xml(root, url):
            if not (tag == "Capabilities" and found.how == "ResourceURL"):
                yield found

    def _in_json(self, document: object, url: str) -> Iterator[Address]:
        path = urlsplit(url).path
        if not isinstance(document, dict):
            yield from in_json(document, url)
            return
        for each in document.get("layers", ()) if path == "/layers" else ():
            self._facts.layers[each["id"]] = each
        if path.startswith("/odata/"):
            yield from self._of_odata(document, url)
        if path.startswith("/zarr/") and document.get("node_type") == "group":
            yield from parts_of_store(document, url)
        if "openapi" in document and "paths" in document:
            self._facts.words |= words_of(document)
            yield from examples(document, url)
            return
        for each in (document, *document.get("collections", ())) if path.startswith("/ogcapi/collections") else ():
            yield from edr_queries(each, url) if "data_queries" in each else ()
        if "tileMatrixSetLimits" in document:
            self._facts.tilesets[url.partition("?")[0]] = document["tileMatrixSetLimits"]
        for found in in_json(document, url):
            yield from self._linked(found)

    def _linked(self, found: Address) -> Iterator[Address]:
        """Yield a link in the form to follow: queries with coordinates, map services with their capabilities."""
        rel = found.how.rpartition(" ")[2]
        if ".data_queries." in found.how and not found.url.endswith(("/items", "/locations")):
            return
        if rel in MAP_LINKS and "?" not in found.url:
            query = f"?SERVICE={MAP_LINKS[rel]}&REQUEST=GetCapabilities"
            yield replace(found, url=found.url + query, media_type=None)
            return
        if rel.endswith("/execute") or rel == "estimate":
            return  # only for POST; the examples of the OpenAPI document test it
        yield found

    def _of_odata(self, document: dict, url: str) -> Iterator[Address]:
        """Yield the members of the service and its entities by `$metadata`; names are relative to the service root."""
        root = f"{BASE}/odata/v1/"
        context = document.get("@odata.context", "")
        if context:
            yield Address(url=urljoin(root, context).partition("#")[0], origin=url, how="@odata.context")
        for each in document.get("value", ()) if context == "$metadata" else ():
            yield Address(url=urljoin(root, each["url"]), origin=url, how="entity set")
        name = context.partition("#")[2].partition("(")[0].partition("/")[0]
        for each in document.get("value", ()) if name in self._entities else ():
            if "Id" in each and urlsplit(url).path == f"/odata/v1/{name}":
                self._facts.products.append(each)
                entity = f"{root}{name}({each['Id']})"
                yield Address(url=entity, origin=url, how="entity")
                # An item without separate files has no download.
                members = [one for one in self._entities[name] if each["ContentLength"] or one in OF_ANY]
                for member in members:
                    told = each.get("ContentType") if member == "$value" else None
                    yield Address(url=f"{entity}/{member}", media_type=told, origin=url, how=f"entity/{member}")


def _exception(address: Address, answer: Answer) -> str | None:
    """Return the reason why an answer that is not 2xx is right, or `None`."""
    for status, origin, text, reason in TRUE_REFUSALS:
        if answer.status == status and re.fullmatch(origin, address.how) and text in answer.content:
            return reason
    path = urlsplit(address.url).path
    fitting = (
        reason
        for method, pattern, status, reason in EXCEPTIONS
        if (method, status) == (address.method, answer.status) and re.fullmatch(pattern, path)
    )
    return next(fitting, None)
