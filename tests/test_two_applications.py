"""Two applications with different settings in one process share only their files."""

from contextlib import ExitStack
from dataclasses import dataclass, fields
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.looked_at import settle
from tests.scenes import Scene, write_cogs

SCENE = Scene(width=700, height=600, days=("2020-01-01", "2020-01-11"))
WIDE = Scene(width=2300, height=2051, days=("2020-01-01",))
"""Large enough for levels that previews are made of."""
TILE = "/tiles/NDVI/WebMercatorQuad/14/8328/5484.png"
FAR_TILE = "/tiles/NDVI/WebMercatorQuad/9/260/171.png"
DATED = f"{TILE}?datetime=2020-01-01"
"""A date that is not read at the opening of an archive."""
CONFIGURATION = """
service: {{title: "{name}", limits: {{max_pixels: {max_pixels}}}}}
collections:
  made:
    attribution: "by {name}"
    source: {{kind: cog, href: "../data/NDVI_*.tif"}}
    variables: {{NDVI: {{layer: NDVI}}}}
"""


@dataclass(frozen=True)
class Served:
    """One of the applications."""

    client: TestClient
    configuration: Path

    @property
    def state(self):
        return self.client.app.state.chronotile

    @property
    def caches(self):
        return self.state.services.reader_caches

    def get(self, path):
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer

    def metric(self, name, **labels):
        """Return the value of a metric."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return next(each.value for each in samples if each.name == name and each.labels == labels)


@pytest.fixture
def stack():
    with ExitStack() as one:
        yield one


@pytest.fixture
def scene():
    return SCENE


@pytest.fixture
def serve(tmp_path, stack, scene):
    """Return `serve(name, max_pixels=…, cache_bytes=…, disk_cache_bytes=…)`: an application of the same files."""
    (tmp_path / "data").mkdir()
    write_cogs(tmp_path / "data", scene, overviews=())
    settle(tmp_path / "data")

    def make(name, *, max_pixels, cache_bytes, disk_cache_bytes):
        folder = tmp_path / name
        folder.mkdir()
        file = folder / "chronotile.yaml"
        file.write_text(CONFIGURATION.format(name=name, max_pixels=max_pixels))
        settings = Settings(
            config=file,
            watch_s=0,
            cache_bytes=cache_bytes,
            cache_dir=folder / "cache",
            disk_cache_bytes=disk_cache_bytes,
            jobs_dir=folder / "jobs",
        )
        return Served(stack.enter_context(TestClient(create_app(settings))), file)

    return make


@pytest.fixture
def large(serve):
    return serve("large", max_pixels=1 << 20, cache_bytes=64 << 20, disk_cache_bytes=11 << 19)


@pytest.fixture
def small(serve, large):
    """Return the application that is made last, so that no last setting belongs to `large`."""
    return serve("small", max_pixels=70_000, cache_bytes=32 << 20, disk_cache_bytes=0)


def test_each_has_caches_of_the_size_of_its_settings(large, small):
    sizes = [each.caches.sizes.bytes for each in (large, small)]

    assert sizes == [13 * (64 << 20) // 16, 13 * (32 << 20) // 16]
    for name in ("blocks", "payloads", "plans"):
        bounds = [each.metric("chronotile_cache_max_bytes", cache=name) for each in (large, small)]
        assert bounds[0] > bounds[1] > 0, name


def test_caches_of_one_are_not_those_of_the_other(large, small):
    first, second = (each.state.services for each in (large, small))

    kept = (
        "caches",
        "reader_caches",
        "documents",
        "layer_revisions",
        "bounded_checks",
        "failing_dates",
        "elsewhere",
        "memory",
    )
    assert [name for name in kept if getattr(first, name) is getattr(second, name)] == []
    parts = [field.name for field in fields(first.caches)]
    assert [name for name in parts if getattr(first.caches, name) is getattr(second.caches, name)] == []
    assert [
        name for name in ("blocks", "files", "chunks") if getattr(large.caches, name) is getattr(small.caches, name)
    ] == []


def test_blocks_and_open_files_of_one_are_not_of_the_other(large, small):
    before = [(each.caches.blocks.state, each.caches.files.idle_count) for each in (large, small)]
    large.get(DATED)
    after = [(each.caches.blocks.state, each.caches.files.idle_count) for each in (large, small)]

    assert after[0][0].misses > before[0][0].misses
    assert after[0][1] > before[0][1]
    assert after[1] == before[1]


def test_answers_of_one_are_not_cached_for_the_other(large, small):
    large.get(TILE)

    assert large.state.services.caches.payloads.state.entries == 1
    assert small.state.services.caches.payloads.state.entries == 0


def test_each_refuses_by_its_own_limit(large, small):
    path = "/wms?service=WMS&version=1.3.0&request=GetMap&layers=NDVI&styles=&crs=CRS:84"
    path += "&bbox=3,50.9,3.1,51&width=300&height=300&format=image/png"

    answers = [each.client.get(path) for each in (large, small)]

    assert ["image/png" in answer.headers["content-type"] for answer in answers] == [True, False]


def test_each_names_its_own_title_and_credits(large, small):
    pages = [each.get("/wms?service=WMS&version=1.3.0&request=GetCapabilities").text for each in (large, small)]

    assert ["by large" in page for page in pages] == [True, False]
    assert ["by small" in page for page in pages] == [False, True]


@pytest.mark.parametrize("scene", [WIDE], ids=["wide"])
def test_previews_belong_to_the_application_that_makes_them(large, small):
    small.get(FAR_TILE)
    before = large.state.previews.state

    large.get(FAR_TILE)
    after = large.state.previews.state

    assert small.state.previews is None
    assert before.waiting + before.built + before.failed == 0
    assert after.waiting + after.built + after.failed > 0


def test_reload_of_one_does_not_reload_the_other(large, small):
    title = CONFIGURATION.format(name="renamed", max_pixels=1 << 20)
    large.configuration.write_text(title)

    large.state.live.refresh()
    small.state.live.refresh()

    assert [each.state.live.reloads for each in (large, small)] == [1, 0]
    assert [each.metric("chronotile_reloads_total") for each in (large, small)] == [1, 0]


def test_requests_are_counted_by_the_application_that_answers(large, small):
    labels = {"route": "/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}", "status": "200"}
    for _ in range(3):
        large.get(TILE)
    small.get(TILE)

    assert [each.metric("chronotile_requests_total", **labels) for each in (large, small)] == [3, 1]


def test_end_of_one_leaves_the_other_unchanged(serve, small):
    before = small.get(TILE).content
    files = small.caches.files.idle_count
    with ExitStack() as first:
        app = create_app(Settings(config=small.configuration, watch_s=0, disk_cache_bytes=0))
        other = first.enter_context(TestClient(app))
        assert other.get(TILE).content == before

    assert small.caches.files.idle_count == files
    assert small.get(TILE.replace("5484", "5485")).status_code == 200
