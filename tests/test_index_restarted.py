"""PostgreSQL crashes and comes back again and again, under writers and readers of two servers of one index."""

import http.client
import itertools
import json
import random
import threading
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import pytest

from tests.archive.index.test_files import write_tile
from tests.archive.index.test_inserts_killed import TOKEN, document_of, settings_of_servers, write_catalogue
from tests.postgresql import serving_postgresql
from tests.running import PATIENCE_S, serving, until
from tests.sampling import IS_FULL
from tests.scenes import Scene, write_cogs
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.client("initdb", "postgres")]

CRASHES = 10 if IS_FULL else 2
WRITERS = READERS = 8
EACH = 40
"""Changes that are acknowledged between two crashes, at least."""
DURABLE = ("fsync=off",)
"""Acknowledged changes outlive a crash of the database, but not of the machine."""
ITEMS = "/stac/collections/posted/items"
PAUSE_S = 0.05
"""Pause of a client after a refusal."""
READ = {
    "search": "/stac/search?collections=posted&limit=20",
    "odata": "/odata/v1/Products?$top=5&$filter=" + quote("Collection/Name eq 'scenes'"),
    "tile": "/tiles/near.NDVI/WebMercatorQuad/12/2082/1371.png",
    "map": "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=scenes.RED&STYLES=&CRS=CRS:84"
    "&BBOX=6.0,50.5,6.01,50.51&WIDTH=32&HEIGHT=32&FORMAT=image/png",
    "ready": "/health/ready",
}
NEEDS_NO_INDEX = {"tile", "ready"}
WRITE = {"POST", "PATCH", "DELETE"}
CONFIGURATION = """collections:
  posted: {{source: {{kind: stac, href: posted/catalog.json}}}}
  scenes: {{source: {{kind: stac, href: '{scenes}'}}, variables: {{RED: {{asset: B04}}}}}}
  near: {{source: {{kind: cog, href: "near/NDVI_*.tif"}}, variables: {{NDVI: {{}}}}}}
"""


@dataclass
class Seen:
    """Results of all clients."""

    answers: Counter = field(default_factory=Counter)
    """By kind, status and address of the server."""
    faults: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, kind, status, address):
        """Return the number of answers; `writing` counts every request that writes, 200 every success."""
        kinds = WRITE if kind == "writing" else {kind}
        statuses = {200, 201, 204} if status == 200 else {status}
        with self.lock:
            return sum(self.answers[key] for key in itertools.product(kinds, statuses, [address]))

    def see(self, kind, answer, address, accepted):
        """Count an answer and check its content."""
        status, headers, body = answer
        with self.lock:
            self.answers[kind, status, address] += 1
            is_told = status != 503 or headers.get("Retry-After", "").isdigit()
            if status not in accepted or not is_told:
                self.faults.append((kind, status, dict(headers), body[:200]))
            if kind == "map" and status == 200 and headers["Content-Type"] != "image/png":
                self.faults.append((kind, body[:200]))


def asked(address, method, path, document=None):
    """Status, headers and body."""
    body = None if document is None else json.dumps(document)
    headers = {} if method == "GET" else {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


class Client(threading.Thread):
    """Sends requests until the end of the test."""

    def __init__(self, number, addresses, seen, is_over):
        super().__init__()
        self.number, self.addresses, self.seen, self.is_over = number, addresses, seen, is_over
        self.draw = random.Random(number)

    def run(self):
        while not self.is_over.is_set():
            if self.step(self.addresses[self.draw.randrange(len(self.addresses))]) == 503:
                self.is_over.wait(PAUSE_S)

    def ask(self, kind, address, method, path, document=None, *, accepted):
        answer = asked(address, method, path, document)
        self.seen.see(kind, answer, address, accepted)
        return answer[0]


class Reader(Client):
    """Reads all endpoints, including some without an index."""

    def step(self, address):
        kind = self.draw.choice(sorted(READ))
        accepted = {200} if kind in NEEDS_NO_INDEX else {200, 503}
        return self.ask(kind, address, "GET", READ[kind], accepted=accepted)


class Writer(Client):
    """Adds, changes and removes its items, and stores the possible versions of each, `None` for a removed one."""

    def __init__(self, *arguments, folder):
        super().__init__(*arguments)
        self.folder, self.version = folder, 0
        self.states = defaultdict(lambda: {None})
        self.acknowledged = 0

    def step(self, address):
        document = document_of(self.folder, self.number * 40 + self.draw.randrange(40))
        id_, self.version = document["id"], self.version + 1
        kind = self.draw.choice(["POST", "PATCH", "DELETE"])
        path, change, done, refused = {
            "POST": (ITEMS, document, 201, 409),
            "PATCH": (f"{ITEMS}/{id_}", {}, 204, 404),
            "DELETE": (f"{ITEMS}/{id_}", None, 204, 404),
        }[kind]
        if change is not None:
            change.setdefault("properties", {})["version"] = str(self.version)
        after = None if kind == "DELETE" else str(self.version)
        before = self.states[id_]
        changed = {state for state in before if (state is None) == (kind == "POST")}
        right = {503, *([done] if changed else []), *([refused] if before - changed else [])}
        status = self.ask(kind, address, kind, path, change, accepted=right)
        if status == done:
            self.states[id_] = {after}
            self.acknowledged += 1
        elif status == refused:
            self.states[id_] = before - changed
        elif changed:  # it may have been done, and the answer of the database be lost
            self.states[id_] = {*before, after}
        return status


@pytest.fixture
def archive_of_items(tmp_path, monkeypatch):
    """Return a configuration of scenes, of items that are posted, and of files that need no index."""
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("CHRONOTILE_WRITE_TOKEN", TOKEN)
    monkeypatch.setenv("CHRONOTILE_SOURCE_PREFIXES", str(archive(SMALL)))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    scenes = tuple(SMALL.all_scenes())[:4]
    catalogue = documents.write_catalogue(tmp_path, SMALL, lambda path: str(archive(SMALL) / path), scenes=scenes)
    write_tile(tmp_path / "posted" / "red.tif")
    write_catalogue(tmp_path / "posted", 1)
    (tmp_path / "near").mkdir()
    write_cogs(tmp_path / "near", Scene())
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION.format(scenes=catalogue))
    return file


def versions(address):
    """Return the versions of all items, by id."""
    found, following = {}, f"{ITEMS}?limit=1000"
    while following:
        status, _headers, body = asked(address, "GET", following)
        if status != 200:
            return None
        page = json.loads(body)
        found |= {each["id"]: each["properties"].get("version") for each in page["features"]}
        links = {link["rel"]: urlsplit(link["href"]) for link in page["links"]}
        following = f"{links['next'].path}?{links['next'].query}" if "next" in links else None
    return found


def test_nothing_acknowledged_is_lost_and_nothing_is_an_error(archive_of_items):
    seen, is_over = Seen(), threading.Event()
    with ExitStack() as stack:
        database = stack.enter_context(serving_postgresql(DURABLE))
        environment = settings_of_servers() | {"CHRONOTILE_DATABASE_URL": database.make_database()}
        servers, logs, addresses = [], [], []
        for name in ("first.log", "second.log"):
            logs.append(archive_of_items.with_name(name))
            log = stack.enter_context(logs[-1].open("w"))
            process, address, _lines = stack.enter_context(
                serving("serve", archive_of_items, "--workers", "1", log=log, **environment)
            )
            servers.append(process)
            addresses.append(address)
        for address, path in ((each, path) for each in addresses for path in READ.values()):
            until(lambda address=address, path=path: asked(address, "GET", path)[0] == 200)
        folder = archive_of_items.with_name("posted")
        writers = [Writer(1 + number, addresses, seen, is_over, folder=folder) for number in range(WRITERS)]
        readers = [Reader(100 + number, addresses, seen, is_over) for number in range(READERS)]
        for each in (*writers, *readers):
            each.start()
        try:
            for _crash in range(CRASHES):
                wait_for_each(seen, addresses, status=200)
                enough = acknowledged(writers) + EACH
                until(lambda enough=enough: acknowledged(writers) >= enough)
                database.crash()
                wait_for_each(seen, addresses, status=503)
                database.start()
            wait_for_each(seen, addresses, status=200)
        finally:
            is_over.set()
            for each in (*writers, *readers):
                each.join()
        assert [process.poll() for process in servers] == [None, None]
        told = until(lambda: same(versions(address) for address in addresses))

    states = {id_: possible for writer in writers for id_, possible in writer.states.items()}
    assert seen.faults == []
    assert {id_: told.get(id_) for id_, possible in states.items() if told.get(id_) not in possible} == {}
    assert acknowledged(writers) >= EACH * CRASHES
    assert [log.name for log in logs if "Traceback" in log.read_text()] == []


def acknowledged(writers):
    """How many changes were."""
    return sum(writer.acknowledged for writer in writers)


def same(found):
    """Return the common result of two servers; `None` if they differ."""
    first, second = found
    return first if first == second else None


def wait_for_each(seen, addresses, *, status):
    """Wait until each server has answered readers, and writers, with a status again."""
    kinds = [*READ, "writing"] if status == 200 else [*(READ.keys() - NEEDS_NO_INDEX), "writing"]

    def counts():
        return [seen.count(kind, status, address) for kind in kinds for address in addresses]

    before = counts()
    until(lambda: all(now > then for now, then in zip(counts(), before, strict=True)))
