"""Sources on another machine that refuse, hang or fail: all else is served, and they come back by themselves."""

import signal
import subprocess
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import zarr
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from chronotile.app import application, open_configured
from chronotile.ingest.check import check_archive
from chronotile.ingest.finding_log import FindingLog
from chronotile.readers import elsewhere
from chronotile.settings import Settings
from chronotile.upkeep import Upkeep
from tests.faulty_source import Fault, faulty_source
from tests.running import PATIENCE_S, PROGRAM, serving, until
from tests.scenes import Scene, make_dataset, save_zarr, write_cogs

pytestmark = pytest.mark.slow

SCENE = Scene()
ROW, COLUMN = 12, 20
X, Y = (axis[index] for axis, index in zip(SCENE.coordinates(), (COLUMN, ROW), strict=True))
NEAR, FAR, ODD = (f"/timeseries/{layer}/point?x={X}&y={Y}&crs=EPSG:32631" for layer in ("near.NDVI", "far.NDVI", "Odd"))
TILE = "/tiles/near.NDVI/WebMercatorQuad/12/2082/1369.png"
STORE = "cube.zarr"
OF_FAR = "its source, on another machine, cannot be read now"
FAULTS = [None, Fault.HANG, Fault.UNAVAILABLE, Fault.CUT_AT_ONCE]
"""`None` stands for connections that are refused."""


@pytest.fixture
def source(tmp_path):
    """A server of the store."""
    (tmp_path / "far").mkdir()
    save_zarr(make_dataset(SCENE), tmp_path / "far" / STORE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that consolidated metadata are not in the specification of version 3
        zarr.consolidate_metadata(tmp_path / "far" / STORE)
    with faulty_source(tmp_path / "far") as one:
        yield one


@pytest.fixture
def configure(tmp_path, source):
    """`configure(near=True, more="")`: a configuration of the store, and maybe of files beside it."""

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
    """An application that looks at its files when told to."""

    def __init__(self, place, patience_s):
        settings = Settings(config=place, watch_s=0, threads={"pictures": 2, "series": 2})
        archive = open_configured(settings, patience_s=patience_s)
        self.finding_log = FindingLog()
        self.finding_log.tell(archive.findings)
        self.upkeep = Upkeep(archive, settings, finding_log=self.finding_log)
        self.client = TestClient(application(archive.services, upkeep=self.upkeep, threads=settings.threads))

    def get(self, path):
        """Return the answer to a request."""
        return self.client.get(path)

    def look(self):
        """Look at the files."""
        self.upkeep.look(self.client.app.state.chronotile)

    def failing(self):
        """Return the collections that fail."""
        return self.get("/health/ready").json()["failing"]

    def metric(self, name, **labels):
        """Return the value of a gauge."""
        families = text_string_to_metric_families(self.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return next(each.value for each in samples if each.name == name and each.labels == labels)


@pytest.fixture
def serve():
    """`serve(place)`: it served; a source elsewhere is waited for as long as `patience_s`."""
    served = []

    def begin(place, *, patience_s=0.2):
        served.append(Served(place, patience_s))
        served[-1].client.__enter__()
        return served[-1]

    yield begin
    for each in served:
        each.client.__exit__(None, None, None)


def break_(source, fault):
    """Let all requests fail from now on."""
    if fault is None:
        source.refuse()
    else:
        source.switch(fault)
        source.cut_all()


def heal(source):
    """Serve well from now on; who hangs is cut off, and asks again."""
    source.heal()
    source.cut_all()


def is_right(answer):
    """Whether a series has the values of the scene."""
    numbers = [SCENE.number(index, ROW, COLUMN) for index in range(len(SCENE.days))]
    values = [None if number == 255 else round(number * SCENE.scale + SCENE.offset, 6) for number in map(int, numbers)]
    return (
        answer.status_code == 200
        and [None if value is None else round(value, 6) for value in answer.json()["values"]] == values
    )


def is_refused(answer):
    """Whether an answer says that it may be asked for again soon."""
    is_kept = answer.headers["Cache-Control"] != "no-store"
    return answer.status_code == 503 and int(answer.headers["Retry-After"]) > 0 and not is_kept


@pytest.mark.parametrize("fault", FAULTS)
def test_source_that_is_away_at_the_start_is_left_out_until_it_is_back(source, configure, serve, caplog, fault):
    caplog.set_level("INFO", logger="chronotile")
    break_(source, fault)
    served = serve(configure())

    assert is_right(served.get(NEAR))
    assert served.get(TILE).status_code == 200
    assert is_refused(served.get(FAR))
    assert [layer["id"] for layer in served.get("/layers").json()["layers"]] == ["near.NDVI"]
    ready = served.get("/health/ready")
    assert (ready.status_code, ready.json()["failing"]) == (200, ["far"])
    assert ready.json()["faults"] == [{"reason": OF_FAR, "collection": "far"}]
    assert served.metric("chronotile_source_away", collection="far") == 1
    assert any(record.getMessage().startswith("error  far: left out: ") for record in caplog.records)

    heal(source)

    until(lambda: not served.failing())
    until(lambda: served.get(FAR).status_code == 200)
    assert is_right(served.get(FAR))
    assert {layer["id"] for layer in served.get("/layers").json()["layers"]} == {"near.NDVI", "far.NDVI"}
    assert served.metric("chronotile_source_away", collection="far") == 0
    lines = [record.getMessage() for record in caplog.records if "reloaded: " in record.getMessage()]
    assert lines == ["reloaded: source of collection far back, layer far.NDVI added, 1 no longer left out (far)"]


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


def test_those_that_hang_hold_only_threads_of_their_own(source, configure, serve):
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


def test_server_starts_with_nothing_but_sources_that_are_away(source, configure, serve):
    source.refuse()
    served = serve(configure(near=False))

    ready = served.get("/health/ready")
    assert (ready.status_code, ready.json()["failing"]) == (503, ["far"])
    paths = ["/", "/layers", "/wms?service=WMS&request=GetCapabilities", "/wmts?service=WMTS&request=GetCapabilities"]
    paths += ["/ogcapi", "/ogcapi/collections"]
    assert {path: served.get(path).status_code for path in paths} == dict.fromkeys(paths, 200)
    heal(source)
    until(lambda: is_right(served.get(FAR)))


def test_all_names_of_what_is_away_are_refused_and_others_unknown(source, configure, serve):
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


def test_reload_of_other_sources_goes_on_while_one_hangs(source, configure, serve, tmp_path):
    source.switch(Fault.HANG)
    served = serve(configure())
    write_cogs(tmp_path / "near", replace(SCENE, days=(*SCENE.days, "2020-06-01")))

    served.look()

    assert "2020-06-01" in served.get(NEAR).text
    assert served.failing() == ["far"]


def test_document_of_what_is_served_is_another_one_when_a_source_is_back(source, configure, serve):
    source.refuse()
    served = serve(configure())
    before = served.get("/layers").headers["ETag"]
    heal(source)
    until(lambda: not served.failing())

    assert served.get("/layers").headers["ETag"] != before


def test_check_finds_a_source_that_is_away(source, configure):
    source.switch(Fault.FORBIDDEN)
    found = subprocess.run(
        [PROGRAM, "check", configure()], check=False, capture_output=True, text=True, timeout=PATIENCE_S
    )

    assert found.returncode == 1
    assert "far: left out: " in found.stdout
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize("fault", [None, Fault.HANG])
def test_check_finds_a_source_that_goes_away_meanwhile(source, configure, monkeypatch, fault):
    archive = open_configured(Settings(config=configure()))
    break_(source, fault)
    monkeypatch.setattr("chronotile.ingest.check.OPENING_S", 0.2)

    findings = [each for each in check_archive(archive) if each.severity == "error"]

    assert {each.collection for each in findings} == {"far"}
    heal(source)
    archive.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_server_ends_though_a_source_hangs(source, configure, workers):
    source.switch(Fault.HANG)
    with serving("serve", configure(), "--workers", workers) as (process, _address, lines):
        source.wait_until_hanging()
        assert any("far: left out: it does not answer within" in line for line in lines)
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_S) == 0


def test_server_waits_no_longer_for_ten_that_hang_than_for_one(source, configure):
    source.switch(Fault.HANG)
    names = [f"s{number}" for number in range(10)]
    place = configure(
        more="".join(f'  {name}: {{source: {{kind: zarr, href: "{source.url_of(name)}"}}}}\n' for name in names)
    )
    archive = open_configured(Settings(config=place), patience_s=elsewhere.START_S)

    assert archive.away == {*names, "far"}
    archive.close()
