"""Files of coverages read in parts: consistency of bytes between parts, and how often a file is made."""

import threading
import zlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from chronotile.core.errors import ClientGone
from chronotile.core.model.coverage import CoverageRequest
from chronotile.pipeline.caches.scratch_cache import ScratchCache
from chronotile.pipeline.coverage.deliver import Conditions, deliver_coverage
from chronotile.pipeline.encoders import bodies
from chronotile.pipeline.encoders import scratch_files as scratch
from chronotile.pipeline.services import make_caches
from chronotile.readers.caches.byte_cache import ByteCache
from tests.full_disk import full_disk
from tests.protocols import served

NDVI = "/ogcapi/collections/NDVI/coverage"
ONE_DAY = {"datetime": "2020-06-01"}
ALL_TIMES = CoverageRequest(layers=("NDVI",))
IDENTITY = {"Accept-Encoding": "identity"}
COMPRESSED = {"GTiff": "coverage.cog", "NetCDF": "coverage.netcdf", "png": "picture.picture"}
"""Modules of encoders that compress, by format."""
MADE_BEFORE = ["GTiff", "NetCDF", "json", "png"]
"""Formats of files that are complete before the first byte is sent."""


@pytest.fixture
def services():
    return served.make_services(*served.tree_collections())


@pytest.fixture
def compress_differently(monkeypatch):
    """Return a function that makes the compressor of a format produce other bytes, like another library version."""

    def begin(name):
        other = SimpleNamespace(compress=lambda body, _level: zlib.compress(body, 0), crc32=zlib.crc32)
        monkeypatch.setattr(f"chronotile.pipeline.encoders.{COMPRESSED[name]}.deflate", other)

    return begin


def part(client, start, **query):
    return client.get(NDVI, params={**ONE_DAY, **query}, headers={"Range": f"bytes={start}-{start + 99}"})


@pytest.mark.parametrize("name", COMPRESSED)
def test_files_of_other_bytes_have_other_etags(make_client, compress_differently, name):
    """Two workers make the file, or one worker makes it again after dropping it."""
    first = part(make_client(served.make_services(*served.tree_collections())), 0, f=name)
    compress_differently(name)
    client = make_client(served.make_services(*served.tree_collections()))
    condition = {"Range": "bytes=100-199", "If-Range": first.headers["etag"]}
    second = client.get(NDVI, params={**ONE_DAY, "f": name}, headers=condition)

    assert (first.status_code, second.status_code) == (206, 200)
    assert first.headers["etag"] != second.headers["etag"]
    assert len(second.content) != int(first.headers["content-range"].partition("/")[2])


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_client_that_holds_the_same_numbers_in_other_bytes_is_not_sent_them_again(
    make_client, services, compress_differently, name
):
    query = {**ONE_DAY, "f": name}
    etag = make_client(served.make_services(*served.tree_collections())).get(NDVI, params=query).headers["etag"]
    compress_differently(name)
    again = make_client(services).get(NDVI, params=query, headers={"If-None-Match": f'"other", {etag}'})

    assert (again.status_code, again.headers["etag"]) == (304, etag)
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize("name", MADE_BEFORE)
def test_the_whole_and_its_parts_have_one_etag(make_client, services, name):
    client = make_client(services)
    whole = client.get(NDVI, params={**ONE_DAY, "f": name}, headers=IDENTITY)
    parts = [part(client, start, f=name) for start in (0, 100)]

    assert {each.headers["etag"] for each in parts} == {whole.headers["etag"]}
    assert b"".join(each.content for each in parts) == whole.content[:200]


@pytest.mark.parametrize("payload_bytes", [0, 10_000, 64 << 20])
@pytest.mark.parametrize("name", MADE_BEFORE)
def test_a_file_is_made_once_however_small_the_cache_of_answers_is(make_client, services, name, payload_bytes):
    services = replace(services, caches=make_caches(payload_bytes=payload_bytes))
    client = make_client(services)
    answers = [part(client, start, f=name) for start in range(0, 500, 100)]

    assert [each.status_code for each in answers] == [206] * 5
    assert len(services.readers["s2"].windows_read) == 1
    whole = client.get(NDVI, params={**ONE_DAY, "f": name}, headers=IDENTITY)
    assert b"".join(each.content for each in answers) == whole.content[:500]
    services.close()


@pytest.mark.parametrize("name", MADE_BEFORE)
def test_uncached_file_offers_no_ranges(make_client, services, name):
    caches = replace(make_caches(payload_bytes=0), files=ScratchCache(max_bytes=100))
    client = make_client(replace(services, caches=caches))
    whole = client.get(NDVI, params={**ONE_DAY, "f": name}, headers=IDENTITY)
    answer = part(client, 0, f=name)

    assert (answer.status_code, answer.content) == (200, whole.content)
    assert "accept-ranges" not in {*answer.headers, *whole.headers}
    assert caches.files.total_bytes == 0


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("coverage", {"f": "zarr"}),
        ("cube", {"f": "CSV", "bbox": "4.44,50.95,4.45,50.96"}),
        ("cube", {"f": "GeoJSON", "bbox": "4.44,50.95,4.45,50.96"}),
    ],
    ids=["zarr", "CSV", "GeoJSON"],
)
def test_streamed_answer_has_no_ranges_even_if_written_first(make_client, services, path, query):
    client = make_client(services)
    held = [bodies._STREAMING.acquire(blocking=False) for _ in range(bodies.MAX_STREAMED)]
    try:
        answer = client.get(
            f"/ogcapi/collections/NDVI/{path}", params={**ONE_DAY, **query}, headers={"Range": "bytes=0-9"}
        )
    finally:
        for _ in filter(None, held):
            bodies._STREAMING.release()

    assert held == [True] * bodies.MAX_STREAMED
    assert answer.status_code == 200, answer.text
    assert answer.headers.keys().isdisjoint({"accept-ranges", "content-range"})


@pytest.mark.parametrize("name", MADE_BEFORE)
def test_files_without_readers_are_evicted_for_a_new_one(make_client, services, monkeypatch, name):
    monkeypatch.setattr(scratch, "IN_MEMORY_BYTES", 0)
    services = replace(services, caches=make_caches(payload_bytes=0))
    client = make_client(services)
    kept = client.head(NDVI, params={"f": "json", "datetime": "2020-06-01/2020-06-11"}, headers=IDENTITY)
    with full_disk():
        answer = part(client, 0, f=name)

    assert int(kept.headers["content-length"]) > 0
    assert (answer.status_code, len(answer.content)) == (206, 100)
    assert services.caches.files.total_bytes == int(answer.headers["content-range"].partition("/")[2])
    services.close()


def test_disk_full_of_other_files_is_reported(make_client, services, monkeypatch):
    monkeypatch.setattr(scratch, "IN_MEMORY_BYTES", 0)
    client = make_client(services)
    client.head(NDVI)
    with full_disk(beyond=1 << 40):
        answer = part(client, 0)

    assert (answer.status_code, services.caches.files.total_bytes) == (503, 0)
    assert "no disk space to write the file" in answer.json()["detail"]


class Watched(ByteCache):
    """Cache that reports a second request for a file that is being made."""

    def __init__(self):
        super().__init__(0, lambda _nothing: 1)
        self.asked = 0
        self.asked_twice = threading.Event()

    def get_or_make(self, key, make, *, is_active=None):
        self.asked += 1
        if self.asked == 2:
            self.asked_twice.set()
        return super().get_or_make(key, make, is_active=is_active)


@pytest.fixture
def watched(services):
    return replace(services, caches=replace(services.caches, making=Watched()))


class Delivering(threading.Thread):
    """Thread that requests the first part of a file."""

    def __init__(self, services, **more):
        super().__init__(daemon=True)
        self._services, self._more = services, more
        self.delivery = self.error = None
        self.start()

    def run(self):
        try:
            self.delivery = deliver_coverage(
                ALL_TIMES, "GTiff", self._services, conditions=Conditions(keep=True), **self._more
            )
        except ClientGone as error:
            self.error = error

    @property
    def content(self):
        with_body = b"".join(self.delivery.body.iter_bytes())
        self.delivery.body.close()
        return with_body


def joined(*threads):
    for each in threads:
        each.join(60)
        assert not each.is_alive()


@pytest.mark.parametrize("in_memory", [True, False])
def test_concurrent_ranges_wait_for_one_computation(watched, monkeypatch, in_memory):
    monkeypatch.setattr(scratch, "IN_MEMORY_BYTES", scratch.IN_MEMORY_BYTES if in_memory else 0)
    begun = threading.Event()

    def is_active():
        begun.set()
        return watched.caches.making.asked_twice.wait(60)

    first = Delivering(watched, is_active=is_active)
    assert begun.wait(60)
    second = Delivering(watched)
    joined(first, second)

    assert len(watched.readers["s2"].windows_read) == len(served.DEKADS)
    assert first.delivery.etag == second.delivery.etag
    assert first.content == second.content
    watched.close()


def test_who_waits_for_a_client_that_leaves_makes_the_file(watched):
    begun = threading.Event()

    def is_active():
        begun.set()
        watched.caches.making.asked_twice.wait(60)
        return False

    first = Delivering(watched, is_active=is_active)
    assert begun.wait(60)
    second = Delivering(watched)
    joined(first, second)

    assert isinstance(first.error, ClientGone)
    size = second.delivery.body.size
    assert len(second.content) == size > 0


def test_a_netcdf_in_other_chunks_has_another_etag(make_client, services, monkeypatch):
    """Chunks depend on the layout in use, and therefore on whether the series layout of the cube is readable."""
    client = make_client(services)
    first = client.get(NDVI, params={"f": "NetCDF"})
    monkeypatch.setattr("chronotile.pipeline.encoders.coverage.strips.CHUNK_CELLS", 1)
    second = client.get(NDVI, params={"f": "NetCDF"})

    assert first.content != second.content
    assert first.headers["etag"] != second.headers["etag"]
