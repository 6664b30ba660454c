"""Inserts, thousands in a full run, by a server and by the indexer, both killed in their midst, over one index."""

import http.client
import json
import os
import signal
import subprocess
import threading
from collections import deque
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import pytest

from chronotile.app.configured_archive import item_index
from chronotile.app.settings import load_settings
from chronotile.core.model.items import ItemSearch
from tests.archive.index.catalogues import item_document
from tests.archive.index.test_files import write_tile
from tests.running import PROGRAM, serving, until, workers_of
from tests.sampling import IS_FULL

pytestmark = pytest.mark.slow
EACH = 5_000 if IS_FULL else 800
"""Items that are posted, and as many that the indexer reads."""
TOGETHER = 20
"""Items of each FeatureCollection; as many are posted one by one after it."""
CLIENTS = 3
SHARES = (0.2, 0.45, 0.7)
"""Fractions of each client's items after which the server and the indexer are killed."""
TOKEN = "a-token-of-the-operator-of-tests"
CONFIGURATION = """collections:
  posted: {source: {kind: stac, href: posted/catalog.json}}
  scenes: {source: {kind: stac, href: scenes/catalog.json}}
"""


def document_of(folder, number):
    """Return an item of the folder's collection, whose box no other item of it meets; all have the same file."""
    row, column = divmod(number, 300)
    name, day = f"{folder.name}-{number:04}", f"2020-06-{1 + number % 28:02}"
    document = item_document(name, day=day, href=str(folder / "red.tif"))
    west, south = -170 + column, -60.0 + 2 * row
    east, north = west + 0.5, south + 0.5
    document["bbox"] = [west, south, east, north]
    document["geometry"]["coordinates"] = [[[west, south], [east, south], [east, north], [west, north], [west, south]]]
    return document


def write_catalogue(folder, count):
    """Write the catalogue of the first items, and them."""
    documents = [document_of(folder, number) for number in range(count)]
    for each in documents:
        (folder / f"{each['id']}.json").write_text(json.dumps(each))
    links = [{"rel": "item", "href": f"./{each['id']}.json"} for each in documents]
    catalogue = {"type": "Catalog", "id": folder.name, "stac_version": "1.1.0", "description": "", "links": links}
    (folder / "catalog.json").write_text(json.dumps(catalogue))


def batches(folder):
    """All items to post: together, and one by one."""
    documents = [document_of(folder, number) for number in range(1, EACH + 1)]
    for start in range(0, EACH, 2 * TOGETHER):
        yield documents[start : start + TOGETHER]
        yield from ([each] for each in documents[start + TOGETHER : start + 2 * TOGETHER])


class Posting:
    """Clients that post batches until none is left, or until the server does not answer."""

    def __init__(self, address, waiting):
        self.waiting, self.answered, self.unanswered, self.refused = waiting, [], [], []
        self._place = urlsplit(address).netloc
        self._threads = [threading.Thread(target=self._post_all) for _number in range(CLIENTS)]
        for each in self._threads:
            each.start()

    def join(self):
        for each in self._threads:
            each.join()

    def _post_all(self):
        with closing(http.client.HTTPConnection(self._place)) as connection:
            while True:
                try:
                    batch = self.waiting.popleft()
                except IndexError:
                    return
                try:
                    status = self._post(connection, batch)
                except (OSError, http.client.HTTPException):
                    self.unanswered.append(batch)
                    return
                (self.answered if status == 201 else self.refused).append(batch)

    def _post(self, connection, batch):
        alone = len(batch) == 1
        path = "/stac/collections/posted/items" if alone else "/layers/posted/items"
        body = batch[0] if alone else {"type": "FeatureCollection", "features": batch}
        connection.request("POST", path, json.dumps(body), {"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        answer.read()
        return answer.status


class Copy:
    """A copy of the index that follows its changes and compares some of them with the index."""

    def __init__(self, index):
        self.index, self.items = index, {}
        self.cursor = index.changes_after(None).cursor

    def follow(self):
        """Take in the next changes; return whether there were any."""
        page = self.index.changes_after(self.cursor, limit=100)
        for change in page.changes:
            assert change.kind == "added"
            assert (change.collection, change.id) not in self.items
            self.items[change.collection, change.id] = change.item.document
        for change in page.changes[:: max(1, len(page.changes) // 5)]:
            self._look_at(change)
        is_newer, self.cursor = page.cursor != self.cursor, page.cursor
        return is_newer

    def count(self, collection):
        return sum(name == collection for name, _id in self.items)

    def _look_at(self, change):
        found = self.index.find(change.collection, change.id)
        assert found == change.item == self.index.find_product(change.product, among={change.collection})
        (ref,) = self.index.covering(change.collection, found.ref.bbox)
        assert ref == found.ref
        assert self.index.assets([ref.number])[ref.number]


def ids_of(index, collection):
    """Return the ids of all items, page by page."""
    ids, cursor = [], None
    while True:
        page = index.search(ItemSearch(collections=(collection,), limit=EACH, cursor=cursor))
        ids += [each.ref.id for each in page.items]
        if page.next is None:
            return ids
        cursor = page.next


def told_by(address, since):
    """Return the changes that a server lists after a cursor, page by page."""
    told, following = [], f"{address}/stac/changes?{urlencode({'since': since, 'limit': 500})}"
    while following:
        with urlopen(following) as answer:
            page = json.load(answer)
        told += [(each["change"], each["collection"], each["id"]) for each in page["changes"]]
        following = page["next"]
    return told


def kill(process):
    """End a process and its children without a chance to clean up."""
    for pid in (*workers_of(process), process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def place(request, tmp_path, monkeypatch):
    """Return a configuration of two collections of one item each, in an index that is up to date."""
    for name in [name for name in os.environ if name.startswith("CHRONOTILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("CHRONOTILE_WRITE_TOKEN", TOKEN)
    if request.param == "postgresql":
        monkeypatch.setenv("CHRONOTILE_DATABASE_URL", request.getfixturevalue("postgresql").make_database())
    for name in ("posted", "scenes"):
        write_tile(tmp_path / name / "red.tif")
        write_catalogue(tmp_path / name, 1)
    (tmp_path / "c.yaml").write_text(CONFIGURATION)
    subprocess.run([PROGRAM, "index", tmp_path / "c.yaml"], check=True, stdout=subprocess.DEVNULL)
    return tmp_path / "c.yaml"


def settings_of_servers():
    return {name: value for name, value in os.environ.items() if name.startswith("CHRONOTILE_")}


def test_of_thousands_of_inserts_none_is_lost_or_half_visible_though_server_and_indexer_are_killed(place):
    write_catalogue(place.parent / "scenes", EACH + 1)
    expected = {name: {f"{name}-{number:04}" for number in range(EACH + 1)} for name in ("posted", "scenes")}
    waiting, answered, broken = deque(batches(place.parent / "posted")), set(), 0
    with closing(item_index(load_settings(config=place))) as index:
        copy = Copy(index)
        since = copy.cursor
        for share in (*SHARES, None):
            posting = run(place, copy, waiting, share)
            assert posting.refused == []
            answered |= {each["id"] for batch in posting.answered for each in batch}
            assert answered <= set(ids_of(index, "posted"))
            for batch in posting.unanswered:
                there = [index.find("posted", each["id"]) is not None for each in batch]
                assert len(set(there)) == 1
                broken += 1
                if not there[0]:
                    waiting.appendleft(batch)

        assert 1 <= broken <= CLIENTS * len(SHARES)
        for name, ids in expected.items():
            found = ids_of(index, name)
            assert (set(found), len(found)) == (ids, EACH + 1)
            assert {id_ for collection, id_ in copy.items if collection == name} == ids - {f"{name}-0000"}
        assert {key: index.find(*key).document for key in copy.items} == copy.items
        assert index.check() == ()
    with serving("serve", place, "--workers", "1", **settings_of_servers()) as (_process, address, _lines):
        told = told_by(address, since)
    assert len(told) == 2 * EACH
    assert set(told) == {("added", *key) for key in copy.items}


def run(place, copy, waiting, share):
    """Post and index, and follow; kill both at a share of their items, or wait for the end of both."""
    most = 2 * EACH if share is None else share * EACH
    with ExitStack() as stack:
        server, address, _lines = stack.enter_context(
            serving("serve", place, "--workers", "1", **settings_of_servers())
        )
        command = [PROGRAM, "index", place, "--collection", "scenes"]
        indexer = stack.enter_context(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        posting = Posting(address, waiting)
        targets = {"posted": server, "scenes": indexer}
        while targets:
            until(lambda: copy.follow() or (not waiting and indexer.poll() is not None))
            for name in [name for name in targets if copy.count(name) >= most]:
                assert copy.count(name) < EACH
                kill(targets.pop(name))
            assert all(each.poll() in {None, 0} for each in targets.values())
            if share is None and not waiting and indexer.poll() is not None:
                assert indexer.returncode == 0
                targets.clear()
        posting.join()
        until(lambda: not copy.follow())
    return posting
