"""Immutable addresses: a cache in front of two hosts of one index, while scenes change.

Each host reads the counters of the index by its own clock, so at another moment than the other host.
"""

import itertools
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import numpy as np
import pytest
import rasterio
from rasterio.io import MemoryFile
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import IndexSettings
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.reader_caches import ReaderCaches
from tests.sampling import IS_FULL
from tests.scenes_archive.behind_a_cache import run
from tests.scenes_archive.broken import reprocess
from tests.scenes_archive.files import path_of
from tests.scenes_archive.indexed import IndexedScenes, indexed
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow

SCENES = tuple(SMALL.all_scenes())
STEPS = 24 if IS_FULL else 10
CHANGES, ANSWERS = (100, 4_000) if IS_FULL else (24, 600)
"""Changes and answers of both servers, at least."""
RECENT_S = 2.0
"""Time after which all hosts have seen a change."""
TILES = ("11/1057/690", "11/1058/690", "10/529/345", "8/132/86")
VARIABLES = "\n      RED: {layer: RED, asset: B04}\n      CELL: {layer: CELL, asset: CELL}\n"
LAYERS = ("RED", "CELL")


@dataclass
class Host:
    """A server with its clock."""

    client: TestClient
    now_s: float = 0.0

    def get(self, address):
        """Return the answer to an address without its host."""
        return self.client.get(address)

    def tilejson(self, layer, day):
        """Return the template that TileJSON gives of a day."""
        answer = self.get(f"/tiles/{layer}/WebMercatorQuad/tilejson.json?datetime={day}")
        return path_in(answer.json()["tiles"][0]).replace(".png", ".npy") if answer.status_code == 200 else None

    def revision(self, layer):
        """Return the revision in `/layers`."""
        return self.get(f"/layers/{layer}").json()["revision"]


@dataclass
class ForEver:
    """A cache that stores `immutable` answers and compares each answer that it could have given."""

    kept: dict = field(default_factory=dict)
    differing: list = field(default_factory=list)

    def see(self, address, answer):
        """Compare an answer with the stored one of its address, and store it if it is `immutable`."""
        if "immutable" not in answer.headers.get("cache-control", ""):
            return
        before = self.kept.setdefault(address, answer.content)
        if before != answer.content:
            self.differing.append(address)


def path_in(url):
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}".replace("%7B", "{").replace("%7D", "}")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def database(request):
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()


@pytest.fixture
def scenes(tmp_path, database):
    """Half of the scenes of a plan in an index."""

    class InDatabase(IndexedScenes):
        @property
        def open_index(self):
            return lambda: open_items(database, self.folder / "jobs", archive="made")

    made = indexed(SMALL, tmp_path, scenes=(), variables=VARIABLES, more="")
    made = InDatabase(made.plan, made.folder)
    index = made.open_index()
    index.configure("scenes", IndexSettings(group="solar_day", order_by="eo:cloud_cover"))
    index.close()
    made.put(SCENES[::2])
    return made


@pytest.fixture
def hosts(scenes, database):
    """Two of them."""
    with ExitStack() as stack:

        def start():
            host = Host(None)
            index = open_items(database, scenes.folder / "jobs", archive="made", clock=lambda: host.now_s)
            stack.callback(index.close)
            caches = ReaderCaches(items=lambda: index, places=AllowedPlaces((str(scenes.folder),), setting="x"))
            archive = open_archive(
                scenes.configuration, environment={}, clock=lambda: np.datetime64("2023-01-01", "ns"), caches=caches
            )
            stack.callback(archive.close)
            host.client = stack.enter_context(TestClient(application(archive.services)))
            return host

        yield start(), start()


def addresses_of(host, layer, day):
    """Yield the addresses of a day: from TileJSON, and those that a client makes with the layer's revision."""
    template = host.tilejson(layer, day)
    for tile in TILES if template else ():
        z, x, y = tile.split("/")
        yield template.replace("{z}", z).replace("{x}", x).replace("{y}", y)
        yield f"/tiles/{layer}/WebMercatorQuad/{tile}.npy?datetime={day}&rev={host.revision(layer)}"
        yield f"/cubes/{layer}/WebMercatorQuad/{tile}.ctc?datetime={day}&rev={host.revision(layer)}"


def change(scenes, here, draw):
    """Add, remove, reorder or reprocess a scene, or write over its files alone; the day that it is of."""
    scene, kind = draw.choice(SCENES), draw.choice(["put", "remove", "again", "overwritten"])
    again = scenes.folder / "again"
    if kind == "remove":
        scenes.remove([scene])
    elif kind == "put":
        scenes.put([scene], properties={"eo:cloud_cover": draw.randrange(100)})
    else:
        for asset in ("B04", "CELL"):
            reprocess(again, scene, asset, rank=draw.randrange(2, 9))
    if kind == "again" or (kind == "overwritten" and scene.id not in here):
        scenes.put([scene], properties={"eo:cloud_cover": draw.randrange(100)}, folder=again)
        here.add(scene.id)
    return scene.day


@pytest.mark.parametrize("seed", range(3))
def test_immutable_answer_never_changes_and_survives_changes_of_other_days(scenes, hosts, seed):
    draw, cache = random.Random(seed), ForEver()
    here = set()
    seen, stayed, others = set(), 0, 0
    for _step in range(STEPS):
        for host in hosts:
            host.now_s += draw.choice([0.0, 0.4, RECENT_S])
        before = {(layer, day): hosts[0].tilejson(layer, day) for layer in LAYERS for day in SMALL.days}
        day = change(scenes, here, draw)
        for host, layer, each in itertools.product(hosts, LAYERS, (day, draw.choice(SMALL.days))):
            seen.update(addresses_of(host, layer, each))
        for address, host in itertools.product(draw.sample(sorted(seen), min(len(seen), 40)), hosts):
            cache.see(address, host.get(address))
        for host in hosts:
            host.now_s += RECENT_S
        told = [[host.tilejson(layer, each) for layer in LAYERS for each in SMALL.days] for host in hosts]
        assert told[0] == told[1]
        assert [hosts[0].revision(layer) for layer in LAYERS] == [hosts[1].revision(layer) for layer in LAYERS]
        after = {key: hosts[0].tilejson(*key) for key in before if key[1] != day}
        others += len(after)
        stayed += sum(before[key] == template for key, template in after.items())

    assert cache.differing == []
    assert len(set(cache.kept.values())) > STEPS
    assert stayed > 0.9 * others


def rewritten(file):
    """Return the raster of a file in a form whose header the index does not keep."""
    with rasterio.open(file) as opened:
        pixels, profile = opened.read(), dict(opened.profile) | {"driver": "GTiff", "compress": "lzw", "predictor": 1}
    with MemoryFile() as memory:
        with memory.open(**profile) as opened:
            opened.write(pixels)
        return memory.read()


@pytest.mark.parametrize("is_known", [True, False], ids=["known to the index", "not known to it"])
def test_the_revision_of_a_layer_names_no_file_that_was_written_over_since(scenes, hosts, is_known):
    scene = max(SCENES, key=lambda each: np.count_nonzero(each.numbers("B04")))
    cache, again, pictures = ForEver(), scenes.folder / "again", []
    file = again / path_of(scene, "B04")
    for rank in (2, 3, 4, 5):
        reprocess(again, scene, "B04", rank=rank)
        if not is_known:
            file.with_suffix(".part").write_bytes(rewritten(file))
            file.with_suffix(".part").replace(file)
        if rank == 2:
            scenes.put([scene], properties={"eo:cloud_cover": -1}, folder=again)
            for host in hosts:
                host.now_s += RECENT_S
            revision = hosts[0].revision("RED")
        for host in (*hosts, *hosts):
            address = f"/tiles/RED/WebMercatorQuad/{TILES[-1]}.npy?datetime={scene.day}&rev={revision}"
            answer = host.get(address)
            cache.see(address, answer)
            pictures.append(answer.content)

    assert len(set(pictures)) == 4
    assert cache.differing == []


def test_pictures_that_a_cache_keeps_are_of_the_state_of_their_address(tmp_path):
    report = run(tmp_path, lambda so_far: so_far.changes.total() >= CHANGES and so_far.answers.total() >= ANSWERS)

    assert report.faults == []
    assert report.hits > ANSWERS / 10
    assert report.contents > CHANGES
    assert report.stayed > 0.9 * report.others
