"""A small STAC API in a thread: it pages, filters by `updated`, sorts, counts, and fails when it is to."""

import json
import operator
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import cql2
import shapely

PYTHON = {"lte": "le", "gte": "ge"}
FILTERS = [
    "https://api.stacspec.org/v1.0.0/item-search#filter",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-json",
    "http://www.opengis.net/spec/cql2/1.0/conf/cql2-text",
]


class StacApi:
    """A STAC API: its items, the form of its answers, and its recorded requests."""

    def __init__(
        self, *, page=2, has_filter=True, is_post=True, is_static=False, has_query=False, has_sort=False, counts=False
    ):
        self.items = {}
        self.has_sort, self.counts = has_sort, counts
        self.page, self.has_filter, self.is_post, self.is_static = page, has_filter, is_post, is_static
        self.has_query = has_query
        self.failures = []
        """Statuses of the next answers to requests of pages, `None` for a good one."""
        self.requests = []
        self.refuses_cursors = False
        self.most = 10_000
        """The largest page that may be requested."""
        self.ignores_ids = False
        self.refused_times = ()
        """Forms of times that filters may not have: `timestamp`, `text`."""
        self.address = ""
        self.counts_pages = False
        """Whether pages are as large as requested, and `next` has the number of the page."""
        self.about = {}
        """Additional members of the collection."""
        self.change = lambda document: document
        """Function that changes a page before it is sent."""
        self.held = None
        """Event that answers wait for, or `None`."""
        self.has_come = threading.Event()
        """Set while a request waits for it."""

    @property
    def href(self):
        return f"{self.address}/collections/s2"

    def add(self, *documents):
        for document in documents:
            self.items[document["id"]] = {**document, "collection": "s2"}
        return self

    def landing(self):
        links = [{"rel": "search", "href": f"{self.address}/search", "method": "GET"}]
        links += [{"rel": "search", "href": f"{self.address}/search", "method": "POST"}] if self.is_post else []
        classes = ["https://api.stacspec.org/v1.0.0/core", *(FILTERS if self.has_filter else ())]
        classes += ["https://api.stacspec.org/v1.0.0/item-search#query"] if self.has_query else []
        classes += ["https://api.stacspec.org/v1.0.0/item-search#sort"] if self.has_sort else []
        return {"type": "Catalog", "id": "api", "conformsTo": classes, "links": [] if self.is_static else links}

    def collection(self):
        links = [{"rel": "root", "href": f"{self.address}/"}, {"rel": "items", "href": f"{self.href}/items"}]
        return {"type": "Collection", "id": "s2", **self.about, "links": links}

    def search(self, path, query):
        """Return a page of items by id, with a link to the next."""
        matching = sorted(self.items.values(), key=lambda item: item["id"])
        query = {name: value for name, value in query.items() if name != "ids" or not self.ignores_ids}
        text = query.get("filter")
        if text is not None:
            parsed = cql2.parse_text(text) if isinstance(text, str) else cql2.parse_json(json.dumps(text))
            matching = [item for item in matching if matches(parsed, item)]
        matching = [item for item in matching if is_in_core_search(item, query)]
        matching = in_order(matching, query.get("sortby"))
        size, token = self.page, int(query.get("token", 0))
        start, number = token, token + size
        if self.counts_pages:
            size = int(query["limit"])
            start, number = token * size, token + 1
        links, following = [], start + size
        if following < len(matching):
            if self.is_post and path == "/search":
                body = {"token": number}
                links = [
                    {"rel": "next", "href": f"{self.address}/search", "method": "POST", "body": body, "merge": True}
                ]
            else:
                more = urlencode({**query, "token": number})
                links = [{"rel": "next", "href": f"{self.address}{path}?{more}"}]
        counts = {"numberMatched": len(matching)} if self.counts else {}
        page = {"type": "FeatureCollection", "features": matching[start:following], "links": links, **counts}
        return self.change(page)

    def answer(self, path, query):
        self.requests.append((path, query))
        if self.held is not None:
            self.has_come.set()
            self.held.wait()
        if path in {"/search", "/collections/s2/items"}:
            return self.page_of(path, query)
        item = self.items.get(path.removeprefix("/collections/s2/items/"))
        document = {"/": self.landing, "/collections/s2": self.collection}.get(path)
        if item is None and document is None:
            return 404, {}
        return 200, item or document()

    def page_of(self, path, query):
        status = self.failures.pop(0) if self.failures else None
        if status is not None:
            return status, {"code": str(status)}
        if int(query.get("limit", 0)) > self.most:
            return 400, {"code": f"limit is at most {self.most}"}
        if self.refused_times and updated_form(query.get("filter")) in self.refused_times:
            return 500, {"code": "text >= timestamp"}
        if self.refuses_cursors and "token" in query:
            return 400, {"code": "the token is not known"}
        return 200, self.search(path, query)


def in_order(items, sortby):
    """Items in the order of the extension `sort`, as GET or POST spell it."""
    if isinstance(sortby, str):
        words = [(word.lstrip("+-"), word.startswith("-")) for word in sortby.split(",")]
    else:
        words = [(each["field"], each["direction"] == "desc") for each in sortby or ()]
    for field, is_descending in reversed(words):
        name = field.removeprefix("properties.")
        items = sorted(items, key=lambda item: item["properties"].get(name, item.get(name)), reverse=is_descending)
    return items


def is_in_core_search(item, query):
    """Return whether an item matches the core parameters and `query`."""
    ids = query.get("ids")
    if ids is not None and item["id"] not in (ids.split(",") if isinstance(ids, str) else ids):
        return False
    geometry = shapely.from_geojson(json.dumps(item["geometry"])) if item["geometry"] else None
    if "intersects" in query and not geometry.intersects(shapely.from_geojson(json.dumps(query["intersects"]))):
        return False
    if "bbox" in query and not geometry.intersects(box_of(query["bbox"])):
        return False
    first, _, last = query.get("datetime", "../..").partition("/")
    time = item["properties"]["datetime"]
    if (first != ".." and time < first) or (last != ".." and time > last):
        return False
    compared = query.get("query", {})
    compared = json.loads(compared) if isinstance(compared, str) else compared
    return all(
        name in item["properties"] and getattr(operator, PYTHON.get(word, word))(item["properties"][name], value)
        for name, comparisons in compared.items()
        for word, value in comparisons.items()
    )


def box_of(given):
    west, south, east, north = map(float, given.split(",") if isinstance(given, str) else given)
    if west <= east:
        return shapely.box(west, south, east, north)
    return shapely.union(shapely.box(west, south, 180, north), shapely.box(-180, south, east, north))


def updated_form(given):
    """Return the form in which a filter compares the time of an update."""
    text = json.dumps(given)
    return ("timestamp" if "timestamp" in text.lower() else "text") if "updated" in text else None


def matches(expression, item):
    try:
        return expression.matches(item)
    except Exception:  # noqa: BLE001 -- of items that lack a property
        return False


@contextmanager
def serving(api):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            parts = urlsplit(self.path)
            self._send(parts.path, {name: values[0] for name, values in parse_qs(parts.query).items()})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(urlsplit(self.path).path, body)

        def _send(self, path, query):
            status, document = api.answer(path, query)
            data = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/geo+json")
            self.send_header("Content-Length", str(len(data)))
            if status == 429:
                self.send_header("Retry-After", "7")
            self.end_headers()
            with suppress(OSError):  # the client has left
                self.wfile.write(data)

        def log_message(self, *_args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    api.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
