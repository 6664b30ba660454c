"""A folder that changes while it is served: each fault is reported once, and every other date stays right."""

import logging
import os
import signal
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application, create_app
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from chronotile.app.upkeep import Upkeep
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.live_archive import LiveArchive
from tests.running import PATIENCE_S, PROGRAM, serving, until, workers_of
from tests.scenes import Scene, write_cogs, write_tif

SCENE = Scene(days=tuple(f"2020-01-{day:02}" for day in range(1, 10)))
ROW, COLUMN = 12, 20
NUMBER = 6
"""Position of the number in the command python -P -m chronotile.app.workers.worker CHANNEL FOLDER NUMBER."""
X, Y = (axis[index] for axis, index in zip(SCENE.coordinates(), (COLUMN, ROW), strict=True))
POINT = f"/timeseries/ndvi.NDVI/point?x={X}&y={Y}&crs=EPSG:32631"
IRREGULAR = "maps of WMS and WMTS now show the latest date before a time between the dates of ndvi.NDVI"
"""Warning that is logged when one of the daily dates is missing."""
CONFIGURATION = """
collections:
  ndvi:
    source:
      kind: cog
      href: "data/NDVI_*.tif"
    variables: {NDVI: {}}
"""


class Served:
    """An application over a folder, which checks its files on request."""

    def __init__(self, place, caplog):
        settings = Settings(config=place, watch_s=0)
        archive = open_configured(settings)
        finding_log = FindingLog()
        finding_log.skip(archive.findings)
        self._live = LiveArchive(archive, place, finding_log=finding_log)
        self._caplog = caplog
        self.client = TestClient(application(archive.services, ServerOptions(upkeep=Upkeep(self._live, watch_s=0))))

    def look(self):
        """Check the files and return the messages that are logged."""
        self._caplog.clear()
        self._live.refresh()
        return [record.getMessage() for record in self._caplog.records if record.name.startswith("chronotile")]

    def ready(self):
        """Return the faults in the readiness document."""
        return self.client.get("/health/ready").json()["faults"]

    def metric(self, name, **labels):
        """Return the value of a gauge."""
        families = text_string_to_metric_families(self.client.get("/metrics").text)
        samples = [sample for family in families for sample in family.samples]
        return next(each.value for each in samples if each.name == name and each.labels == labels)

    def days(self):
        """Return the days of a cell's series; all values must be those of the formula."""
        series = self.client.get(POINT).json()
        days = [time[:10] for time in series["times"]]
        found = [day for day, value in zip(days, series["values"], strict=True) if is_right(day, value)]
        assert found == days
        return found


def is_right(day, value):
    number = int(SCENE.number(SCENE.days.index(day), ROW, COLUMN))
    return value == pytest.approx(number * SCENE.scale + SCENE.offset, abs=1e-9)


@pytest.fixture
def folder(tmp_path):
    """Five of nine dates."""
    (tmp_path / "data").mkdir()
    write_cogs(tmp_path / "data", replace(SCENE, days=SCENE.days[:5]))
    return tmp_path / "data"


@pytest.fixture
def whole(tmp_path):
    """`whole[day]`: the bytes of a date's file."""
    (tmp_path / "whole").mkdir()
    write_cogs(tmp_path / "whole", SCENE)
    return {day: (tmp_path / "whole" / file_of(day)).read_bytes() for day in SCENE.days}


def file_of(day):
    return f"NDVI_{day.replace('-', '')}.tif"


@pytest.fixture(params=["configuration", "folder"])
def served(request, folder, caplog):
    """Return the application of a configuration and of the folder itself."""
    caplog.set_level(logging.INFO, logger="chronotile")
    file = folder.parent / "chronotile.yaml"
    file.write_text(CONFIGURATION)
    one = Served(file if request.param == "configuration" else folder, caplog)
    with one.client:
        yield one


@pytest.fixture
def put(folder):
    """Return `put(day, content)`, which replaces a date's file by a newer one."""
    count = iter(range(1, 100))

    def write(day, content):
        path = folder / file_of(day)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        newer = path.stat().st_mtime + 10 * next(count)
        os.utime(path, (newer, newer))

    return write


@pytest.fixture
def of_another_grid(tmp_path):
    """Return the bytes of a date with smaller cells."""
    (tmp_path / "other").mkdir()
    write_cogs(tmp_path / "other", replace(SCENE, width=33, days=SCENE.days[:1]))
    return (tmp_path / "other" / file_of(SCENE.days[0])).read_bytes()


@pytest.fixture
def of_another_scale(tmp_path):
    """Return the bytes of a date whose numbers have another scale."""
    (tmp_path / "scaled").mkdir()
    write_cogs(tmp_path / "scaled", replace(SCENE, scale=0.01, days=SCENE.days[5:6]))
    return (tmp_path / "scaled" / file_of(SCENE.days[5])).read_bytes()


def test_nothing_is_logged_while_nothing_changes(served):
    assert served.look() == []
    assert served.ready() == []


def test_copied_date_is_reported_and_served(served, put, whole):
    put("2020-01-06", whole["2020-01-06"])

    assert served.look() == ["reloaded: 1 date added to ndvi.NDVI"]
    assert served.days() == list(SCENE.days[:6])
    newest = served.metric("chronotile_layer_newest_time_seconds", layer="ndvi.NDVI")
    assert newest == 1_578_268_800  # date -ud 2020-01-06 +%s


def test_file_of_another_scale_is_reported_once_even_with_more_dates(served, put, whole, of_another_scale):
    put("2020-01-06", of_another_scale)
    first = served.look()
    put("2020-01-07", whole["2020-01-07"])
    second = served.look()

    assert len(first) == 2
    assert f"ndvi: {file_of('2020-01-06')}: the numbers of NDVI are " in first[1]
    assert second == ["reloaded: 1 date added to ndvi.NDVI"]


def test_half_copied_date_is_reported_once_and_served_when_complete(served, put, whole):
    put("2020-01-06", whole["2020-01-06"])
    put("2020-01-07", whole["2020-01-07"][:200])
    first, second = served.look(), served.look()

    assert first[0] == f"reloaded: 1 date added to ndvi.NDVI, 1 left out (ndvi: {file_of('2020-01-07')})"
    assert len(first) == 2
    assert first[1].startswith(f"error  ndvi: {file_of('2020-01-07')}: left out: it cannot be opened")
    assert second == []
    assert served.days() == list(SCENE.days[:6])
    reason = f"1 file or part of it is left out: {file_of('2020-01-07')}; see the log"
    assert served.ready() == [{"reason": reason, "collection": "ndvi"}]
    assert served.metric("chronotile_findings", severity="error") == 1

    put("2020-01-07", whole["2020-01-07"])
    third = served.look()

    assert third == [f"reloaded: 1 date added to ndvi.NDVI, 1 no longer left out (ndvi: {file_of('2020-01-07')})"]
    assert served.days() == list(SCENE.days[:7])
    assert served.ready() == []
    assert served.metric("chronotile_findings", severity="error") == 0


def test_date_of_another_grid_is_reported_once_with_the_difference(served, put, whole, of_another_grid):
    put("2020-01-06", of_another_grid)
    first = served.look()
    put("2020-01-07", whole["2020-01-07"])
    second = served.look()

    assert len(first) == 2
    assert first[1].startswith(f"warning  ndvi: {file_of('2020-01-06')}: left out: it is 33 x 30 pixels")
    assert second == [f"reloaded: 1 date added to ndvi.NDVI, {IRREGULAR}"]
    assert served.days() == [*SCENE.days[:5], "2020-01-07"]


def test_finding_that_comes_again_is_logged_again(served, put, whole, of_another_grid):
    logged = []
    for content in (of_another_grid, whole["2020-01-03"], of_another_grid):
        put("2020-01-03", content)
        logged.append(served.look())

    assert [sum("left out: it is 33 x 30" in line for line in lines) for lines in logged] == [1, 0, 1]
    assert (
        logged[2][0]
        == f"reloaded: 1 date removed from ndvi.NDVI, {IRREGULAR}, 1 left out (ndvi: {file_of('2020-01-03')})"
    )


def test_findings_of_other_sources_stay_when_one_is_opened_again(folder, put, whole, of_another_grid, caplog):
    caplog.set_level(logging.INFO, logger="chronotile")
    put("2020-01-06", of_another_grid)
    (folder.parent / "second").mkdir()
    write_cogs(folder.parent / "second", replace(SCENE, days=SCENE.days[:2]))
    file = folder.parent / "chronotile.yaml"
    file.write_text(CONFIGURATION + '  other: {source: {kind: cog, href: "second/*.tif"}, variables: {NDVI: {}}}\n')
    one = Served(file, caplog)
    with one.client:
        (folder.parent / "second" / file_of("2020-01-03")).write_bytes(whole["2020-01-03"])
        first = one.look()
        put("2020-01-07", whole["2020-01-07"])
        second, faults = one.look(), one.ready()

    assert first == ["reloaded: 1 date added to other.NDVI"]
    assert second == [f"reloaded: 1 date added to ndvi.NDVI, {IRREGULAR}"]
    assert [fault["collection"] for fault in faults] == ["ndvi"]


def test_file_without_a_matching_href_is_reported_once_and_served_dates_stay(folder, whole, caplog):
    caplog.set_level(logging.INFO, logger="chronotile")
    file = folder.parent / "chronotile.yaml"
    file.write_text(CONFIGURATION)
    one = Served(file, caplog)
    with one.client:
        (folder / "S2_20200106.tif").write_bytes(whole["2020-01-06"])
        (folder / ".NDVI_20200107.tif").write_bytes(whole["2020-01-07"])
        first, second = one.look(), one.look()
        (folder / "S2_20200106.tif").rename(folder / file_of("2020-01-06"))
        third = one.look()
        again = one.look()
        days = one.days()

    assert first[0] == "reloaded: findings changed"
    assert len(first) == 2
    assert "note  ndvi: 1 other file of data in the folder of its files, which no href " in first[1]
    assert ": S2_20200106.tif; " in first[1]
    assert (second, again) == ([], [])
    assert third == ["reloaded: 1 date added to ndvi.NDVI"]
    assert days == list(SCENE.days[:6])


def test_removed_date_is_reported(served, folder):
    (folder / file_of("2020-01-02")).unlink()

    assert served.look() == [f"reloaded: 1 date removed from ndvi.NDVI, {IRREGULAR}"]
    assert served.days() == [SCENE.days[0], *SCENE.days[2:5]]


def test_replaced_date_is_reported_and_read_again(served, put, whole):
    put("2020-01-05", whole["2020-01-05"])

    assert served.look() == ["reloaded: files of collection ndvi replaced"]
    assert served.days() == list(SCENE.days[:5])


def damaged(content):
    """Return the file with zeros instead of compressed pixels, otherwise unchanged."""
    return content[:8] + bytes(1600) + content[1608:]


def test_date_with_damaged_pixels_is_reported_once_and_the_others_are_right(served, put, whole, caplog):
    content = whole["2020-01-03"]
    put("2020-01-03", damaged(content))
    served.look()
    caplog.clear()

    series = [served.client.get(POINT).json() for _ in range(3)][-1]
    logged = [message for message in caplog.messages if file_of("2020-01-03") in message]

    assert series["reasons"] == [None, None, "unreadable", None, None]
    assert [is_right(day, value) for day, value in zip(SCENE.days[:5], series["values"], strict=True)] == [
        day != "2020-01-03" for day in SCENE.days[:5]
    ]
    assert len(logged) == 1
    assert logged[0].startswith("ndvi: NDVI of 2020-01-03T00:00:00Z cannot be read: ")
    fault = {"reason": "cannot be read", "collection": "ndvi", "variable": "NDVI", "time": "2020-01-03T00:00:00Z"}
    assert served.ready() == [fault]
    assert served.metric("chronotile_unreadable_dates", collection="ndvi") == 1

    put("2020-01-03", content)
    served.look()

    assert served.ready() == []
    assert served.days() == list(SCENE.days[:5])


MAP = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=ndvi.NDVI&STYLES=&CRS=EPSG:32631&FORMAT=image/png"
    "&WIDTH=40&HEIGHT=30&BBOX=500000,5649700,500400,5650000"
)


def test_damaged_newest_date_makes_its_collection_fail_and_is_reported_to_the_operator(served, put, whole):
    """This server and all others of the archive can draw other dates: it stays ready."""
    put("2020-01-05", damaged(whole["2020-01-05"]))
    served.look()

    newest, older = served.client.get(MAP), served.client.get(f"{MAP}&TIME=2020-01-04")
    ready = served.client.get("/health/ready")

    assert (newest.status_code, older.status_code, ready.status_code) == (503, 200, 200)
    assert newest.headers["retry-after"]
    assert "layer ndvi.NDVI cannot be read at a requested time" in newest.text
    assert "the operator of this server has to replace the files that its log names" in newest.text
    assert "try again" not in newest.text
    assert file_of("2020-01-05") not in newest.text
    assert (ready.json()["status"], ready.json()["failing"]) == ("ready", ["ndvi"])

    put("2020-01-05", whole["2020-01-05"])
    served.look()

    ready = served.client.get("/health/ready").json()
    assert (ready["status"], ready["failing"], ready["faults"]) == ("ready", [], [])
    assert served.client.get(MAP).status_code == 200


def test_damaged_older_date_makes_no_collection_fail(served, put, whole):
    put("2020-01-03", damaged(whole["2020-01-03"]))
    served.look()
    served.client.get(POINT)

    document = served.client.get("/health/ready").json()

    assert (document["failing"], len(document["faults"])) == ([], 1)


def test_date_with_incompatible_numbers_is_reported_once_with_its_file(folder, caplog, monkeypatch):
    monkeypatch.setattr("chronotile.readers.raster.survey.MAX_FILES", 2)
    write_tif(folder / file_of("2020-01-03"), SCENE.numbers(2).astype("float32"), SCENE)
    served = Served(folder, caplog)

    with served.client as client:
        answers = [client.get(path) for path in (POINT, POINT, f"{POINT}&datetime=2020-01-03")]

    told = [record for record in caplog.messages if "its numbers are float32" in record]
    assert answers[0].json()["reasons"] == answers[1].json()["reasons"] == [None, None, "unreadable", None, None]
    assert len(told) == 1
    assert file_of("2020-01-03") in told[0]
    assert not any(str(folder) in answer.text for answer in answers)


def test_findings_of_a_configuration_name_its_file_and_line(folder, tmp_path, caplog):
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION + '  gone:\n    source:\n      kind: cog\n      href: "gone/*.tif"\n')

    with TestClient(create_app(Settings(config=file, watch_s=0))) as client:
        ready = client.get("/health/ready").text

    expected = f"gone: left out: no file matches *.tif; looked for {tmp_path}/gone/*.tif ({file}:11)"
    assert [message for message in caplog.messages if "gone" in message] == [f"error  {expected}"]
    assert '"collection":"gone"' in ready
    assert str(tmp_path) not in ready


def test_configuration_with_mistakes_is_logged_once(folder, tmp_path, caplog):
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION)
    one = Served(file, caplog)
    with one.client:
        file.write_text(CONFIGURATION.replace("href", "hreff"))
        first, second, faults = one.look(), one.look(), one.ready()
        file.write_text(CONFIGURATION)
        third, mended = one.look(), one.ready()

    assert [len(first), second, third] == [1, [], []]
    assert "hreff" in first[0]
    assert [list(fault) for fault in faults] == [["reason"]]
    assert mended == []


def told_of(address, name):
    """Return the value of a metric by number of the worker."""
    with urlopen(f"{address}/metrics", timeout=PATIENCE_S) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = [sample for family in families for sample in family.samples]
    return {each.labels["worker"]: each.value for each in samples if each.name == name}


def reloads_of(address):
    """How often each worker has reloaded, by its number."""
    return told_of(address, "chronotile_reloads_total")


def worker_0_of(process):
    """Return the process of the worker that logs findings."""
    arguments = {pid: Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0") for pid in workers_of(process)}
    return next(pid for pid, words in arguments.items() if words[NUMBER] == b"0")


@pytest.mark.slow
@pytest.mark.client(str(PROGRAM))
def test_of_two_workers_one_logs_each_finding_once(folder, put, whole, of_another_grid, tmp_path):
    (tmp_path / "chronotile.yaml").write_text(CONFIGURATION)
    put("2020-01-06", of_another_grid)
    arguments = ("serve", tmp_path / "chronotile.yaml", "--workers", 2)

    with (
        (tmp_path / "log").open("w") as log,
        serving(*arguments, log=log, CHRONOTILE_WATCH_S="0") as (process, address, lines),
    ):
        put("2020-01-07", whole["2020-01-07"][:200])
        process.send_signal(signal.SIGHUP)
        until(lambda: reloads_of(address) == {"0": 1, "1": 1})
        os.kill(worker_0_of(process), signal.SIGKILL)
        until(lambda: reloads_of(address) == {"0": 0, "1": 1})
        (folder / file_of("2020-01-07")).unlink()
        process.send_signal(signal.SIGHUP)
        until(lambda: reloads_of(address) == {"0": 1, "1": 2})
        put("2020-01-07", whole["2020-01-07"][:200])
        process.send_signal(signal.SIGHUP)
        until(lambda: reloads_of(address) == {"0": 2, "1": 3})

    logged = (tmp_path / "log").read_text().splitlines()
    found = [line for line in logged if "finding_log" in line]
    assert sum(file_of("2020-01-06") in line for line in lines) == 1
    assert [file_of("2020-01-07") in line for line in found] == [True, True]
    assert sum("reloaded: " in line for line in logged) == 3


@pytest.mark.slow
@pytest.mark.client(str(PROGRAM))
def test_date_unreadable_for_one_of_two_workers_is_listed_by_both(folder, put, whole, tmp_path):
    (tmp_path / "chronotile.yaml").write_text(CONFIGURATION)
    put("2020-01-03", damaged(whole["2020-01-03"]))
    arguments = ("serve", tmp_path / "chronotile.yaml", "--workers", 2)

    with (
        (tmp_path / "log").open("w") as log,
        serving(*arguments, log=log, CHRONOTILE_WATCH_S="0") as (process, address, _lines),
    ):
        for _ in range(8):
            with urlopen(f"{address}{POINT}", timeout=PATIENCE_S) as answer:
                assert b'"unreadable"' in answer.read()
        listed = until(lambda: told if len(told := told_of(address, "chronotile_unreadable_dates")) == 2 else {})
        process.send_signal(signal.SIGHUP)
        until(lambda: told_of(address, "chronotile_unreadable_dates") == {"0": 0, "1": 0})

    logged = (tmp_path / "log").read_text().splitlines()
    assert listed == {"0": 1, "1": 1}
    assert sum("cannot be read" in line for line in logged) == 1
