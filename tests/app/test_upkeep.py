"""Serving cubes that grow while they are served: requests after the end of `optimise` get the newer state."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from urllib.request import urlopen

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application, create_app
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from chronotile.app.upkeep import Upkeep
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.live_archive import NOT_RELOADED, LiveArchive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pipeline.bounded_wait import BoundedChecks
from chronotile.pipeline.caches.scratch_cache import ScratchCache
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles
from chronotile.pipeline.encoders.scratch_files import ScratchFile
from chronotile.protocols.site.ops.routes import STALE
from tests.running import PATIENCE_S, PROGRAM, serving, until
from tests.scenes import Scene, write_cogs, write_tif

SCENE = Scene(width=70, height=50, days=tuple(f"2020-01-{day:02}" for day in range(1, 8)))
OPTIONS = Options(layout="both", block=4, threads=1)
TILE = "/tiles/NDVI/WebMercatorQuad/14/8328/5484.png"
POINT = "/timeseries/NDVI/point?lon=3.001&lat=51.001"
NEWEST = "2020-01-07T00:00:00Z"
CONFIGURATION = "collections: {made: {source: {kind: zarr, href: cube.zarr}, variables: {NDVI: {layer: NDVI}}}}"


@pytest.fixture
def tifs(tmp_path):
    """Return one file per date, in order."""
    write_cogs(tmp_path, SCENE)
    return sorted(map(str, tmp_path.glob("*.tif")))


@pytest.fixture
def append(tmp_path):
    """Return `append(files)`, which appends them to the cube, like the command."""
    return lambda files: optimise(files, tmp_path / "cube.zarr", OPTIONS)


@pytest.fixture
def configuration(tmp_path, tifs, append):
    """Return a cube of the first five dates."""
    append(tifs[:5])
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION)
    return file


@pytest.fixture
def client(configuration):
    """Return a client of the cube, which only requests keep current."""
    with TestClient(create_app(Settings(config=configuration, watch_s=0))) as one:
        yield one


def newest_at(address: str) -> str:
    """Return the time of the newest picture of a running server."""
    with urlopen(f"{address}{TILE}", timeout=PATIENCE_S) as answer:
        return str(answer.headers["chronotile-time"])


@pytest.mark.quick_cases("/timeseries", "/layers/NDVI/times", "wmts")
@pytest.mark.parametrize(
    "path",
    [
        *("/layers", "/layers/NDVI", "/layers/NDVI/times", "/wms?service=WMS&request=GetCapabilities"),
        *("/wmts?service=WMTS&request=GetCapabilities", "/tiles/NDVI/WebMercatorQuad/tilejson.json", POINT),
    ],
)
def test_documents_have_an_appended_date_immediately(client, append, tifs, path):
    assert "2020-01-07" not in client.get(path).text

    append(tifs)

    assert "2020-01-07" in client.get(path).text


class Hanging:
    """The state of a document whose store does not answer until `door` is open."""

    def __init__(self, door):
        self._door = door

    def has_changed(self):
        return self._door.wait()


@pytest.fixture
def client_of_a_store_that_hangs(configuration):
    """Return a client of the cube whose store hangs after it was opened."""
    settings, door = Settings(config=configuration, watch_s=0), threading.Event()
    archive = replace(open_configured(settings), documents={"made": Hanging(door)})
    upkeep = Upkeep(LiveArchive(archive, configuration, looks=BoundedChecks(max_wait_s=0.05)), watch_s=0)
    with TestClient(application(archive.services, ServerOptions(upkeep=upkeep))) as one:
        yield one
        door.set()


@pytest.mark.parametrize(
    "path", ["/", "/layers", "/wms?service=WMS&request=GetCapabilities", "/tiles/NDVI/WebMercatorQuad/tilejson.json"]
)
def test_documents_show_the_last_state_while_a_store_hangs(client_of_a_store_that_hangs, path):
    answers = [client_of_a_store_that_hangs.get(path) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert not [answer.text for answer in answers if "ServiceExceptionReport" in answer.text]


class Followed(ConcatenatedFiles):
    """A file that records its removal."""

    def __init__(self, parts):
        super().__init__(parts)
        self.removed = threading.Event()

    def close(self):
        super().close()
        self.removed.set()


@pytest.mark.slow
def test_files_cached_for_ranges_expire_without_requests(configuration, monkeypatch):
    monkeypatch.setattr("chronotile.app.upkeep.SETTLED_S", 0)
    settings, seconds = Settings(config=configuration, watch_s=0), count()
    archive = open_configured(settings)
    files = ScratchCache(unused_s=0.5, clock=lambda: next(seconds))
    services = replace(archive.services, caches=replace(archive.services.caches, files=files))
    upkeep = Upkeep(LiveArchive(replace(archive, services=services), configuration), watch_s=0)
    body = Followed([ScratchFile(0)])
    files.keep("file", body).close()
    with TestClient(application(services, ServerOptions(upkeep=upkeep))):
        assert body.removed.wait(PATIENCE_S)


def test_body_that_came_before_an_append_is_answered_after_it(client, append, tifs):
    field = {"type": "Polygon", "coordinates": [[[3.0, 50.99], [3.01, 50.99], [3.01, 51.0], [3.0, 51.0], [3.0, 50.99]]]}
    client.get(POINT)

    append(tifs)
    answer = client.post("/timeseries/NDVI/area", json=field)

    assert answer.status_code == 200, answer.text
    assert answer.json()["times"][-1] == NEWEST


def test_newest_picture_is_that_of_an_appended_date_immediately(client, append, tifs):
    before = client.get(TILE)

    append(tifs)
    after = client.get(TILE, headers={"If-None-Match": before.headers["etag"]})

    assert (after.status_code, after.headers["chronotile-time"]) == (200, NEWEST)


def test_cached_picture_of_a_date_is_drawn_again_after_its_pixels_are_replaced(client, append, tifs):
    dated = f"{TILE}?datetime=2020-01-05"
    before = [client.get(dated) for _ in range(2)][-1]
    Path(tifs[4]).unlink()
    write_tif(tifs[4], replace(SCENE, shift=SCENE.shift + 100).numbers(4), SCENE, overviews=(2,))

    append(tifs[:5])

    assert client.get(dated).content != before.content
    assert client.get(dated, headers={"If-None-Match": before.headers["etag"]}).status_code == 200


def test_late_date_is_served_immediately(client, append, tifs, tmp_path):
    write_tif(tmp_path / "NDVI_20191231.tif", SCENE.numbers(0), SCENE)

    append([*tifs[:5], str(tmp_path / "NDVI_20191231.tif")])

    assert client.get("/layers/NDVI/times").json()["times"][0] == "2019-12-31T00:00:00Z"


def test_replaced_pixels_are_drawn_immediately_with_another_revision(client, append, tifs):
    picture, revision = client.get(TILE).content, client.get("/layers/NDVI").json()["revision"]
    Path(tifs[4]).unlink()
    write_tif(tifs[4], replace(SCENE, shift=SCENE.shift + 100).numbers(4), SCENE, overviews=(2,))

    append(tifs[:5])

    assert client.get(TILE).content != picture
    assert client.get("/layers/NDVI").json()["revision"] != revision


def test_appended_date_is_served_although_the_configuration_has_new_mistakes(client, append, tifs, configuration):
    configuration.write_text("services: {}")

    append(tifs)

    assert client.get("/layers/NDVI/times").json()["total"] == 7


def test_mistakes_of_the_configuration_stay_reported_when_a_store_grows(configuration, append, tifs, caplog):
    settings = Settings(config=configuration, watch_s=0)
    archive = open_configured(settings)
    live = LiveArchive(archive, configuration, finding_log=FindingLog())
    with TestClient(application(archive.services, ServerOptions(upkeep=Upkeep(live, watch_s=0)))) as client:
        configuration.write_text("services: {}")
        live.refresh()
        append(tifs)
        assert client.get(TILE).headers["chronotile-time"] == NEWEST
        while_broken = client.get("/health/ready").json()["faults"]
        live.refresh()
        configuration.write_text(CONFIGURATION)
        live.refresh()

        assert [fault["reason"] for fault in while_broken] == [STALE]
        assert client.get("/health/ready").json()["faults"] == []
    assert caplog.text.count(NOT_RELOADED) == 1


def test_missing_cube_is_still_reported(client, configuration):
    (configuration.parent / "cube.zarr" / "zarr.json").unlink()

    assert client.get(TILE).status_code == 503


def test_concurrent_requests_after_an_append_all_see_it(client, append, tifs):
    append(tifs)
    found = list[str]()
    threads = [
        threading.Thread(target=lambda: found.append(client.get(TILE).headers["chronotile-time"])) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [NEWEST] * 8


def opened_as_it_is_read(fifo):
    """Return the end of a FIFO to write to, which cannot be opened before somebody opens the other."""

    def end():
        try:
            return os.fdopen(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK), "w")
        except OSError:
            return None

    return until(end)


def test_appended_date_is_served_although_a_check_of_everything_hangs(configuration, append, tifs):
    (configuration.parent / "styles").mkdir()
    with TestClient(create_app(Settings(config=configuration, watch_s=0.01))) as client:
        hanging = configuration.parent / "styles" / "hanging.yaml"
        os.mkfifo(hanging)
        with ThreadPoolExecutor() as threads, opened_as_it_is_read(hanging):
            hanging.unlink()
            append(tifs)

            assert threads.submit(client.get, TILE).result(PATIENCE_S).headers["chronotile-time"] == NEWEST


@pytest.mark.slow
@pytest.mark.client(str(PROGRAM))
def test_no_worker_serves_the_older_state_once_an_append_has_ended(configuration, append, tifs):
    with serving("serve", configuration, "--workers", 2, CHRONOTILE_WATCH_S="0") as (process, address, _lines):
        for count in (6, 7):
            append(tifs[:count])
            shown = [newest_at(address) for _ in range(4)]

            assert shown == [f"2020-01-0{count}T00:00:00Z"] * 4
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0


@pytest.mark.quick_cases("truncated-")
@pytest.mark.parametrize("path", [TILE, POINT, "/layers/NDVI", "/cubes/NDVI/WebMercatorQuad/14/8328/5484.ctc"])
@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda _text: ""], ids=["truncated", "empty"])
def test_cube_whose_metadata_are_damaged_fails_until_they_are_repaired(client, tmp_path, path, damage):
    document = tmp_path / "cube.zarr" / "zarr.json"
    whole = document.read_text()
    document.write_text(damage(whole))

    assert client.get(path).status_code == (200 if path.startswith("/layers") else 503)
    document.write_text(whole)
    assert client.get(path).status_code == 200


def test_damaged_series_are_read_from_the_maps(client, tmp_path, caplog):
    whole = client.get(POINT).json()
    for chunk in (tmp_path / "cube.zarr" / "series" / "NDVI").glob("c.*"):
        part = chunk.with_suffix(".part")
        part.write_bytes(b"no chunk")
        part.replace(chunk)
    with TestClient(create_app(Settings(config=tmp_path / "chronotile.yaml", watch_s=0))) as anew:
        answers = [anew.get(POINT) for _ in range(2)]
        area = anew.get("/timeseries/NDVI/area?bbox=3.0005,51.0005,3.002,51.002")
        points = anew.post("/timeseries/points", json={"layers": ["NDVI"], "points": [[3.001, 51.001]]})

    assert [answer.json() for answer in answers] == [whole, whole]
    assert not any("warning" in answer.headers for answer in (*answers, area, points))
    assert points.json()["results"][0]["features"][0]["series"]["mean"] == whole["values"]
    assert caplog.text.count("are damaged and read from its maps") == 1


def test_block_of_dates_whose_series_are_damaged_is_unreadable_without_maps(tmp_path, tifs):
    optimise(tifs, tmp_path / "cube.zarr", replace(OPTIONS, layout="series"))
    damaged = sorted((tmp_path / "cube.zarr" / "NDVI").glob("c.1.*"))
    for chunk in damaged:
        chunk.write_bytes(b"no chunk")
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION)

    with TestClient(create_app(Settings(config=file, watch_s=0))) as client:
        answer = client.get(POINT)

    assert damaged
    assert answer.json()["reasons"] == [*[None] * 4, *["unreadable"] * 3]
    assert [value is None for value in answer.json()["values"]] == [False] * 4 + [True] * 3
