"""Remote sources that refuse, hang or fail: all others are served, and they recover automatically."""

import shutil
import signal
import subprocess
import threading
import urllib.error
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import zarr
from affine import Affine
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from chronotile.app.upkeep import Upkeep
from chronotile.archive.check import check_archive
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.live_archive import LiveArchive
from chronotile.readers import elsewhere
from chronotile.readers.remote import files as remote_files
from tests.faulty_source import Fault, faulty_source
from tests.running import PATIENCE_S, PROGRAM, is_shown, serving, until
from tests.scenes import Scene, make_dataset, save_zarr, write_cogs, write_tif

pytestmark = pytest.mark.slow

SCENE = Scene()
ROW, COLUMN = 12, 20
X, Y = (axis[index] for axis, index in zip(SCENE.coordinates(), (COLUMN, ROW), strict=True))
NEAR, FAR, ODD = (f"/timeseries/{layer}/point?x={X}&y={Y}&crs=EPSG:32631" for layer in ("near.NDVI", "far.NDVI", "Odd"))
TILE = "/tiles/near.NDVI/WebMercatorQuad/12/2082/1371.png"
STORE, FILE = "cube.zarr", "a.tif"
OF_FAR = "its source, on another machine, cannot be read now"
PLACE = "WebMercatorQuad/14/8328/5484.png"
FAULTS = [None, Fault.HANG, Fault.UNAVAILABLE, Fault.CUT_AT_ONCE]
"""`None` stands for connections that are refused."""


@pytest.fixture
def source(tmp_path):
    """A server of the store."""
    (tmp_path / "far").mkdir()
    with faulty_source(tmp_path / "far") as one:
        write_store(one, SCENE)
        yield one


def write_store(source, scene):
    """Replace the store by one with the scene, atomically."""
    place, beside, old = (source.folder / name for name in (STORE, "new.zarr", "old.zarr"))
    save_zarr(make_dataset(scene), beside)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that consolidated metadata are not in the specification of version 3
        zarr.consolidate_metadata(beside)
    if place.exists():
        place.rename(old)
    beside.rename(place)
    shutil.rmtree(old, ignore_errors=True)


@pytest.fixture
def brisk(monkeypatch):
    """Request states with each read, and of all sources a few times per second."""
    monkeypatch.setattr(remote_files, "LOOK_S", 0.0)
    monkeypatch.setattr(elsewhere, "LOOK_EVERY_S", 0.2)
    remote_files.looks.forget()


@pytest.fixture
def at_reads(monkeypatch):
    """Request states with each read, and at no other time."""
    monkeypatch.setattr(remote_files, "LOOK_S", 0.0)
    monkeypatch.setattr(elsewhere, "LOOK_EVERY_S", 100 * PATIENCE_S)
    monkeypatch.setattr(elsewhere, "QUIET_S", 0.0)
    remote_files.looks.forget()


@pytest.fixture
def configure(tmp_path, source):
    """Return `configure(near=True, more="")`, which writes a configuration of the store and optional local files."""

    def write(*, near: bool = True, more: str = "") -> Path:
        (tmp_path / "near").mkdir(exist_ok=True)
        write_cogs(tmp_path / "near", SCENE)
        own = '  near: {source: {kind: cog, href: "near/NDVI_*.tif"}, variables: {NDVI: {}}}\n' if near else ""
        variables = "variables: {NDVI: {styles: [ndvi]}}"  # so that no pixel is read, and kept, before a test does
        far = f'  far: {{source: {{kind: zarr, href: "{source.url_of(STORE)}"}}, {variables}}}\n'
        file = tmp_path / "chronotile.yaml"
        file.write_text(f"collections:\n{own}{far}{more}")
        return file

    return write


class Served:
    """An application that checks its files when the test starts a check."""

    def __init__(self, place, patience_s):
        settings = Settings(config=place, watch_s=0, threads={"pictures": 2, "series": 2})
        archive = open_configured(settings, patience_s=patience_s)
        self.finding_log = FindingLog()
        self.finding_log.log_new(archive.findings)
        self.upkeep = Upkeep(LiveArchive(archive, place, finding_log=self.finding_log), watch_s=0)
        self.client = TestClient(
            application(archive.services, ServerOptions(upkeep=self.upkeep, threads=settings.threads))
        )

    def get(self, path):
        """Return the answer to a request."""
        return self.client.get(path)

    def look(self):
        """Check the files."""
        self.upkeep.live.refresh()

    def failing(self):
        """Return the collections that fail."""
        return self.get("/health/ready").json()["failing"]

    def metric(self, name, **labels):
        """Return the value of a gauge."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return next(each.value for each in samples if each.name == name and each.labels == labels)


@pytest.fixture
def serve(at_end):
    """Return `serve(place)`, which serves it; remote sources may take `patience_s` seconds."""

    def begin(place, *, patience_s=0.2):
        served = Served(place, patience_s)
        at_end.enter_context(served.client)
        return served

    return begin


def break_(source, fault):
    """Let all requests fail from now on."""
    if fault is None:
        source.refuse()
    else:
        source.switch(fault)
        source.cut_all()


def heal(source):
    """Serve correctly from now on; hanging clients are disconnected and retry."""
    source.heal()
    source.cut_all()


def is_right(answer):
    """Return whether a series has the values of the scene."""
    numbers = [SCENE.number(index, ROW, COLUMN) for index in range(len(SCENE.days))]
    values = [None if number == 255 else round(number * SCENE.scale + SCENE.offset, 6) for number in map(int, numbers)]
    return (
        answer.status_code == 200
        and [None if value is None else round(value, 6) for value in answer.json()["values"]] == values
    )


def is_refused(answer):
    """Return whether an answer is a 503 with `Retry-After` that caches do not store."""
    is_kept = answer.headers["Cache-Control"] != "no-store"
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0 and not is_kept


@pytest.mark.parametrize("fault", FAULTS)
def test_source_unavailable_at_the_start_is_skipped_until_it_returns(source, configure, serve, caplog, fault):
    caplog.set_level("INFO", logger="chronotile")
    break_(source, fault)
    served = serve(configure())

    assert is_right(served.get(NEAR))
    assert served.get(TILE).status_code == 200
    assert is_refused(served.get(FAR))
    assert [layer["id"] for layer in served.get("/layers").json()["layers"]] == ["near.NDVI"]
    ready = served.get("/health/ready")
    assert (ready.status_code, ready.json()["failing"]) == (200, ["far"])
    (told,) = ready.json()["faults"]
    assert told["collection"] == "far"
    assert told["reason"].startswith(OF_FAR)
    assert served.metric("chronotile_source_away", collection="far") == 1
    assert any(record.getMessage().startswith("error  far: left out: ") for record in caplog.records)

    heal(source)

    until(lambda: not served.failing())
    until(lambda: served.get(FAR).status_code == 200)
    assert is_right(served.get(FAR))
    assert {layer["id"] for layer in served.get("/layers").json()["layers"]} == {"near.NDVI", "far.NDVI"}
    assert served.metric("chronotile_source_away", collection="far") == 0
    lines = [record.getMessage() for record in caplog.records if "reloaded: " in record.getMessage()]
    back = "reloaded: collection far served now"
    assert [line for line in lines if line != "reloaded: findings changed"] == [back]


def test_source_that_goes_away_is_refused_until_it_is_back(source, configure, serve, caplog):
    caplog.set_level("INFO", logger="chronotile")
    served = serve(configure(), patience_s=PATIENCE_S)
    assert served.failing() == []
    source.switch(Fault.FORBIDDEN)

    assert is_refused(served.get(FAR))
    until(lambda: served.failing() == ["far"])
    assert is_refused(served.get(FAR))
    assert is_right(served.get(NEAR))
    assert "far.NDVI" in served.get("/layers").text
    until(lambda: any("reloaded: source of collection far away" in each.getMessage() for each in caplog.records))
    finding = "error  far: its layers fail until it can be read again: "
    until(lambda: any(record.getMessage().startswith(finding) for record in caplog.records))

    heal(source)

    until(lambda: not served.failing())
    until(lambda: is_right(served.get(FAR)))
    until(lambda: any("reloaded: source of collection far back" in each.getMessage() for each in caplog.records))


def test_unavailable_source_is_tried_immediately_with_sighup(source, configure, serve, monkeypatch):
    monkeypatch.setattr(elsewhere, "FIRST_RETRY_S", 100 * PATIENCE_S)
    monkeypatch.setattr(elsewhere, "LONGEST_RETRY_S", 100 * PATIENCE_S)
    source.switch(Fault.FORBIDDEN)
    served = serve(configure(), patience_s=PATIENCE_S)
    assert served.failing() == ["far"]
    source.heal()

    def is_back_after_sighup():
        served.upkeep.refresh_on_signal()  # as SIGHUP does
        return not served.failing()

    until(is_back_after_sighup)
    until(lambda: is_right(served.get(FAR)))


def test_sighup_without_news_is_logged(configure, serve, caplog):
    caplog.set_level("INFO", logger="chronotile")
    served = serve(configure(), patience_s=PATIENCE_S)

    served.upkeep.refresh_on_signal()

    assert "SIGHUP: configuration, styles and sources on this machine are unchanged" in caplog.messages


def test_requests_for_an_unavailable_source_are_not_logged_as_warnings(source, configure, serve, caplog):
    source.switch(Fault.FORBIDDEN)
    served = serve(configure(), patience_s=PATIENCE_S)
    caplog.clear()

    assert is_refused(served.get(FAR))
    assert [each for each in caplog.records if each.levelname == "WARNING"] == []


@pytest.mark.parametrize("kind", ["cog", "zarr"])
@pytest.mark.parametrize(
    ("fault", "words"), [(None, "404 Not Found: is its address correct?"), (Fault.FORBIDDEN, "403")]
)
def test_mistake_in_a_url_is_distinguished_from_an_unavailable_server(
    source, configure, serve, caplog, kind, fault, words
):
    caplog.set_level("INFO", logger="chronotile")
    source.switch(fault, "b.tif")
    for name in ("zarr.json", ".zmetadata"):
        source.switch(fault, f"b.tif/{name}")
    more = f'  odd: {{source: {{kind: {kind}, href: "{source.url_of("b.tif")}"}}, variables: {{NDVI: {{}}}}}}\n'
    served = serve(configure(more=more), patience_s=PATIENCE_S)

    (told,) = served.get("/health/ready").json()["faults"]
    assert told["collection"] == "odd"
    assert told["reason"].startswith(f"{OF_FAR}: its server answers {words}")
    findings = [each.getMessage() for each in caplog.records if "error  odd: left out: " in each.getMessage()]
    assert len(findings) == 1
    assert f"its server answers {words}" in findings[0]


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        ("cog", "b.tif", "b.tif cannot be opened: "),
        ("cog", "*.tif", "a pattern of files elsewhere cannot be listed"),
        ("zarr", "b.zarr", "b.zarr cannot be opened: "),
        ("netcdf", "b.nc", "copy it"),
    ],
)
def test_wrong_source_is_skipped_and_not_unavailable(source, configure, serve, caplog, kind, name, words):
    caplog.set_level("INFO", logger="chronotile")
    (source.folder / "b.zarr").mkdir()
    for each in ("b.tif", "b.nc", "b.zarr/zarr.json", "b.zarr/.zmetadata"):
        (source.folder / each).write_text("neither raster nor JSON")
    more = f'  odd: {{source: {{kind: {kind}, href: "{source.url_of(name)}"}}, variables: {{NDVI: {{}}}}}}\n'
    served = serve(configure(more=more), patience_s=PATIENCE_S)

    answer = served.get(FAR.replace("far", "odd"))
    assert answer.status_code == 404
    assert "try again" not in answer.text
    assert served.failing() == ["odd"]
    assert served.metric("chronotile_source_away", collection="odd") == 0
    (finding,) = [each.getMessage() for each in caplog.records if "error  odd: left out: " in each.getMessage()]
    assert words in finding
    assert "waiting does not help" in finding
    assert is_right(served.get(FAR))


@pytest.mark.parametrize("has_times", [True, False])
def test_source_without_visible_replacements_is_a_finding(source, configure, serve, caplog, has_times):
    source.sends_etags, source.sends_times = False, has_times
    remote_files.looks.forget()
    write_cogs(source.folder, SCENE)
    next(source.folder.glob("*.tif")).rename(source.folder / "b.tif")
    more = f'  odd: {{source: {{kind: cog, href: "{source.url_of("b.tif")}"}}, variables: {{NDVI: {{}}}}}}\n'
    served = serve(configure(more=more), patience_s=PATIENCE_S)

    words = ": its server sends neither ETag nor Last-Modified"
    warned = {each.getMessage().partition(words)[0] for each in caplog.records if words in each.getMessage()}
    assert warned == (set() if has_times else {"warning  far", "warning  odd"})
    assert is_right(served.get(FAR))


def test_reason_of_an_unavailable_source_is_shown_without_its_name(source, configure, serve):
    source.switch(Fault.IGNORE_RANGE, "b.tif")
    write_cogs(source.folder, SCENE)
    next(source.folder.glob("*.tif")).rename(source.folder / "b.tif")
    more = f'  odd: {{source: {{kind: cog, href: "{source.url_of("b.tif")}"}}, variables: {{NDVI: {{}}}}}}\n'
    served = serve(configure(more=more), patience_s=PATIENCE_S)

    (told,) = served.get("/health/ready").json()["faults"]
    assert told["reason"].startswith(f"{OF_FAR}: its server sends whole files")
    assert "b.tif" not in told["reason"]


def test_hanging_requests_use_only_their_threads(source, configure, serve):
    served = serve(configure(), patience_s=PATIENCE_S)
    source.switch(Fault.HANG)
    with ThreadPoolExecutor(12) as clients:
        waiting = [clients.submit(served.get, FAR) for _ in range(12)]
        source.wait_until_hanging()

        assert served.get(TILE).status_code == 200
        assert is_right(served.get(NEAR))
        assert served.get("/health/ready").status_code == 200
        assert not any(each.done() and not is_refused(each.result()) for each in waiting)
        heal(source)
        answers = [each.result() for each in waiting]

    assert all(is_right(each) or is_refused(each) for each in answers)
    until(lambda: is_right(served.get(FAR)))


def export(served, layer):
    """Return the answer for a process that reads a layer."""
    return served.client.post("/ogcapi/processes/export/execution", json={"inputs": {"layer": layer}})


def test_hanging_plans_of_executions_use_only_their_threads(source, configure, serve, at_reads):
    served = serve(configure(), patience_s=PATIENCE_S)
    limiters = served.client.app.state.chronotile.limiters
    source.switch(Fault.HANG)
    with ThreadPoolExecutor(6) as clients:
        waiting = [clients.submit(export, served, "far.NDVI") for _ in range(6)]
        source.wait_until_hanging()

        assert limiters.plans.running == 0
        assert export(served, "near.NDVI").status_code == 200
        heal(source)
        answers = [each.result() for each in waiting]

    assert all(each.status_code == 200 or is_refused(each) for each in answers)


def test_failing_plan_of_an_execution_starts_a_check_of_its_source(source, configure, serve, at_reads):
    served = serve(configure(), patience_s=PATIENCE_S)
    source.switch(Fault.FORBIDDEN)

    assert is_refused(export(served, "far.NDVI"))
    until(lambda: served.failing() == ["far"])
    heal(source)
    until(lambda: export(served, "far.NDVI").status_code == 200)


def test_server_starts_with_unavailable_sources_only(source, configure, serve):
    source.refuse()
    served = serve(configure(near=False))

    ready = served.get("/health/ready")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["far"])
    paths = ["/", "/layers", "/wms?service=WMS&request=GetCapabilities", "/wmts?service=WMTS&request=GetCapabilities"]
    paths += ["/ogcapi", "/ogcapi/collections"]
    assert {path: served.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
    heal(source)
    until(lambda: is_right(served.get(FAR)))


def test_all_names_of_unavailable_sources_are_refused_and_others_unknown(source, configure, serve):
    source.refuse()
    more = (
        f'  odd: {{source: {{kind: zarr, href: "{source.url_of("odd.zarr")}"}}, '
        "variables: {NDVI: {layer: Odd, aliases: [Even]}}}\n"
    )
    served = serve(configure(more=more))

    for name in ("Odd", "Even", "odd", "odd.other", "far.NDVI"):
        assert is_refused(served.get(f"/layers/{name}")), name
        assert is_refused(served.get(f"/ogcapi/collections/{name}")), name
    wms = "/wms?service=WMS&version=1.3.0&request=GetMap&layers=Odd&styles=&crs=EPSG:3857&bbox=0,0,1,1"
    assert is_refused(served.get(f"{wms}&width=8&height=8&format=image/png"))
    assert served.get("/layers/oddity").status_code == 404


def test_reload_of_other_sources_continues_while_one_hangs(source, configure, serve, tmp_path):
    source.switch(Fault.HANG)
    served = serve(configure())
    write_cogs(tmp_path / "near", replace(SCENE, days=(*SCENE.days, "2020-06-01")))

    served.look()

    assert "2020-06-01" in served.get(NEAR).text
    assert served.failing() == ["far"]


def test_document_of_layers_changes_when_a_source_returns(source, configure, serve):
    source.refuse()
    served = serve(configure())
    before = served.get("/layers").headers["ETag"]
    heal(source)
    until(lambda: not served.failing())

    assert served.get("/layers").headers["ETag"] != before


def test_check_finds_an_unavailable_source(source, configure):
    source.switch(Fault.FORBIDDEN)
    found = subprocess.run(
        [PROGRAM, "check", configure()], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )

    assert found.returncode == 1
    assert "far: left out: " in found.stdout
    assert "its server answers 403 Forbidden: are credentials missing, or is its address wrong?" in found.stdout
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("fault", [None, Fault.HANG])
def test_check_finds_a_source_that_becomes_unavailable(source, configure, monkeypatch, fault):
    archive = open_configured(Settings(config=configure()))
    break_(source, fault)
    monkeypatch.setattr("chronotile.archive.check.OPENING_S", 0.2)

    findings = [each for each in check_archive(archive) if each.severity == "error"]

    assert {each.collection for each in findings} == {"far"}
    heal(source)
    archive.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_server_ends_though_a_source_hangs(source, configure, workers):
    source.switch(Fault.HANG)
    with serving("serve", configure(), "--workers", workers) as (process, _address, lines):
        source.wait_until_hanging()
        assert any(
            "far: left out: not open yet after 1.2 s; a server serves it as soon as it opens" in line for line in lines
        )
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 0


def test_server_waits_no_longer_for_ten_that_hang_than_for_one(source, configure):
    source.switch(Fault.HANG)
    names = [f"s{number}" for number in range(10)]
    place = configure(
        more="".join(f'  {name}: {{source: {{kind: zarr, href: "{source.url_of(name)}"}}}}\n' for name in names)
    )
    archive = open_configured(Settings(config=place), patience_s=elsewhere.START_S)

    assert archive.unavailable == {*names, "far"}
    archive.close()


@pytest.fixture
def configure_file(source, tmp_path):
    """Return a configuration of a file elsewhere, and of the same file here."""
    write_tif(source.folder / FILE, SCENE.numbers(0), SCENE)
    shutil.copy(source.folder / FILE, tmp_path / "same.tif")
    file = tmp_path / "files.yaml"
    styled = "variables: {NDVI: {styles: [ndvi]}}"
    file.write_text(f"""
collections:
  far: {{source: {{kind: cog, href: "{source.url_of(FILE)}"}}, {styled}}}
  here: {{source: {{kind: cog, href: same.tif}}, {styled}}}
""")
    return file


def tile(served, collection):
    """Return the answer for the tile of a collection."""
    return served.get(f"/tiles/{collection}.NDVI/{PLACE}")


def forget_file(served, source):
    """Forget the file, so that the next read opens it and requests its state."""
    served.upkeep.live.services.reader_caches.files.close([source.url_of(FILE)])
    remote_files.looks.forget()


@pytest.mark.parametrize("fault", FAULTS)
def test_file_unavailable_at_the_start_is_skipped_until_it_returns(source, configure_file, serve, fault):
    break_(source, fault)
    served = serve(configure_file)

    assert is_refused(tile(served, "far"))
    assert tile(served, "here").status_code == 200
    assert served.failing() == ["far"]
    heal(source)
    until(lambda: not served.failing())
    until(lambda: tile(served, "far").status_code == 200)
    assert tile(served, "far").content == tile(served, "here").content


@pytest.mark.parametrize("fault", [None, Fault.UNAVAILABLE, Fault.CUT])
def test_file_that_goes_away_is_refused_until_it_is_back(source, configure_file, serve, fault):
    served = serve(configure_file, patience_s=PATIENCE_S)
    forget_file(served, source)
    break_(source, fault)
    seen = []

    def see():
        seen.append(tile(served, "far"))
        return seen[-1]

    assert is_refused(see())
    until(lambda: served.failing() == ["far"])
    assert is_refused(see())
    here = tile(served, "here")
    assert here.status_code == 200
    heal(source)
    until(lambda: see().status_code == 200)
    see()
    assert all(is_refused(each) or each.content == here.content for each in seen)


def test_file_that_hangs_is_unavailable_until_it_returns(source, configure_file, serve):
    served = serve(configure_file, patience_s=PATIENCE_S)
    forget_file(served, source)
    source.switch(Fault.HANG)

    assert is_refused(tile(served, "far"))
    until(lambda: served.failing() == ["far"])
    heal(source)
    until(lambda: tile(served, "far").status_code == 200)
    assert tile(served, "far").content == tile(served, "here").content


WIDER = replace(SCENE, width=60, height=50, shift=9)
MOVED = replace(SCENE, transform=Affine(10, 0, 500_050, 0, -10, 5_650_000), shift=9)
OTHERS = {
    "size": (WIDER, "uint8"),
    "georeferencing": (MOVED, "uint8"),
    "dtype": (replace(SCENE, shift=9), "int16"),
    "numbers": (replace(SCENE, shift=9), "uint8"),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("looks", ["brisk", "at_reads"])
def test_replaced_file_is_served_in_its_current_state(source, configure_file, serve, tmp_path, request, other, looks):
    request.getfixturevalue(looks)
    scene, dtype = OTHERS[other]
    served = serve(configure_file, patience_s=PATIENCE_S)
    before = tile(served, "far")
    write_tif(tmp_path / "same.tif", scene.numbers(0).astype(dtype), scene)
    source.replace(FILE, (tmp_path / "same.tif").read_bytes())
    served.look()
    now = tile(served, "here")
    seen = []

    def is_new():
        seen.append(tile(served, "far"))
        return seen[-1].content == now.content

    assert before.status_code == now.status_code == 200
    assert before.content != now.content
    until(is_new)
    assert all(is_refused(each) for each in seen if each.content not in {before.content, now.content})
    until(lambda: extent(served, "far") == extent(served, "here"))


def extent(served, collection):
    """Return the extent of a collection, from its description."""
    return served.get(f"/ogcapi/collections/{collection}.NDVI").json()["extent"]


def series_of(scene):
    """Return the series of the scene, by time."""
    numbers = [int(scene.number(index, ROW, COLUMN)) for index in range(len(scene.days))]
    return {
        day: None if number == 255 else round(number * scene.scale + scene.offset, 6)
        for day, number in zip(scene.days, numbers, strict=True)
    }


def told_series(answer):
    """Return the series of an answer, by time."""
    found = answer.json()
    values = [None if value is None else round(value, 6) for value in found["values"]]
    return {time[:10]: value for time, value in zip(found["times"], values, strict=True)}


APPENDED = replace(SCENE, days=(*SCENE.days, "2020-02-21"))
ROLLED = replace(SCENE, days=(*SCENE.days[1:], "2020-02-21"), shift=31)
"""The first date was deleted and another one added: the metadata are the same."""
ELSEWHERE = replace(SCENE, shift=9, scale=0.01)


@pytest.mark.parametrize("other", [APPENDED, ROLLED, ELSEWHERE], ids=["appended", "rolled", "scale"])
@pytest.mark.parametrize("looks", ["brisk", "at_reads"])
def test_written_store_is_served_in_its_current_state(source, configure, serve, request, other, looks):
    request.getfixturevalue(looks)
    served = serve(configure(), patience_s=PATIENCE_S)
    assert told_series(served.get(FAR)) == series_of(SCENE)
    write_store(source, other)
    seen = []

    def is_new():
        seen.append(served.get(FAR))
        return seen[-1].status_code == 200 and told_series(seen[-1]) == series_of(other)

    until(is_new)
    for each in seen:
        assert is_refused(each) or told_series(each) in (series_of(SCENE), series_of(other))
    until(lambda: served.failing() == [])


def test_store_written_twice_is_served_in_its_current_state(source, configure, serve, at_reads, monkeypatch):
    monkeypatch.setattr(elsewhere, "QUIET_S", 100 * PATIENCE_S)
    served = serve(configure(), patience_s=PATIENCE_S)

    def is_of(scene):
        answer = served.get(FAR)
        return answer.status_code == 200 and told_series(answer) == series_of(scene)

    for other in (APPENDED, ROLLED):
        write_store(source, other)

        until(lambda other=other: is_of(other))


def test_new_times_of_a_store_are_listed_without_reads(source, configure, serve, brisk):
    served = serve(configure(), patience_s=PATIENCE_S)
    write_store(source, APPENDED)

    until(lambda: "2020-02-21" in served.get("/layers/far.NDVI").text)
    assert told_series(served.get(FAR)) == series_of(APPENDED)


def test_unread_source_is_found_to_be_unavailable(source, configure, serve, brisk):
    served = serve(configure(), patience_s=PATIENCE_S)
    source.refuse()

    until(lambda: served.failing() == ["far"])
    heal(source)
    until(lambda: served.failing() == [])
    until(lambda: is_right(served.get(FAR)))


def test_server_that_ends_answers_who_waits_for_a_source_that_hangs(source, configure):
    with serving("serve", configure(), "--workers", 1) as (process, address, _lines):
        until(lambda: is_shown(f"{address}/layers", b"far.NDVI"))
        source.switch(Fault.HANG)
        with ThreadPoolExecutor(1) as clients:
            answer = clients.submit(status_of, f"{address}{FAR}")
            source.wait_until_hanging()
            process.send_signal(signal.SIGTERM)

            assert process.wait(PATIENCE_S) == 0
            assert answer.result(PATIENCE_S) == 503


def status_of(url):
    """Return the status of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def own_threads():
    """Return the names of the threads of this process except those of test servers."""
    return [each.name for each in threading.enumerate() if "process_request_thread" not in each.name]


def test_threads_do_not_grow_while_a_source_stays_away(source, configure, serve, monkeypatch):
    monkeypatch.setattr(elsewhere, "LONGEST_RETRY_S", 0.01)
    served = serve(configure(), patience_s=PATIENCE_S)
    break_(source, Fault.UNAVAILABLE)
    until(lambda: is_refused(served.get(FAR)) and served.failing())
    counts = []
    for _ in range(5):
        source.wait_for(count=source.count() + 20)
        assert is_refused(served.get(FAR))
        counts.append(len(own_threads()))
        until(lambda: own_threads().count("open elsewhere") <= 1)  # the one before may be about to end

    assert max(counts) <= counts[0] + 8  # of dozens of tries
    heal(source)
    until(lambda: is_right(served.get(FAR)))


SECRETS = ("quite", "secret", "X-Amz-Signature", "5167ed")


@pytest.mark.parametrize("fault", [Fault.FORBIDDEN, Fault.CUT_AT_ONCE, "no file"])
@pytest.mark.parametrize("kind", ["cog", "zarr"])
def test_no_password_and_no_signature_is_shown(source, configure, serve, caplog, kind, fault):
    caplog.set_level("INFO")
    if isinstance(fault, Fault):
        source.switch(fault)
    url = source.url_of("b.tif")
    url = url if kind == "cog" else url.replace("://", "://quite:secret@")  # refused, so not requested
    more = f'  file: {{source: {{kind: {kind}, href: "{url}?X-Amz-Signature=5167ed"}}, variables: {{NDVI: {{}}}}}}\n'
    place = configure(more=more)
    served = serve(place, patience_s=PATIENCE_S)
    paths = ["/health/ready", "/layers", "/layers/file.NDVI", "/ogcapi/collections", f"/tiles/file.NDVI/{PLACE}"]
    answers = [served.get(path).text for path in paths]
    checked = subprocess.run([PROGRAM, "check", place], check=False, capture_output=True, text=True, timeout=PATIENCE_S)

    assert "file: left out: " in checked.stdout
    told = "\n".join([*answers, checked.stdout, checked.stderr, *(each.getMessage() for each in caplog.records)])
    assert not [secret for secret in SECRETS if secret in told]
    assert not any("127.0.0.1" in answer for answer in answers)
