"""The current archive: the server, the providers of pygeoapi and the jobs keep it current in the same way."""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.upkeep import Upkeep
from chronotile.archive import live_archive
from chronotile.archive.finding_log import FindingLog
from chronotile.archive.live_archive import NOT_RELOADED, LiveArchive, LiveArchives
from chronotile.core.errors import ConfigurationError
from chronotile.jobs.runner import tasks
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.pygeoapi import archives as providers
from tests.clock import Clock
from tests.scenes import Scene, write_cogs

DAYS = ("2020-01-01", "2020-01-11")
LATER = (*DAYS, "2020-01-21")
CONFIGURATION = 'collections: {made: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {}}}}'
CUBE = "collections: {made: {source: {kind: zarr, href: cube.zarr}}}"


def _by_server(live: LiveArchive, _clock: Clock) -> None:
    Upkeep(live, watch_s=0).refresh_on_signal()


def _by_pygeoapi(live: LiveArchive, clock: Clock) -> None:
    clock.now_s += providers.CHECK_S + 1
    providers.restrict_current(live)


def _by_job(live: LiveArchive, _clock: Clock) -> None:
    tasks.current_services(live, "of another state")


@pytest.fixture(params=[_by_server, _by_pygeoapi, _by_job], ids=["server", "pygeoapi", "jobs"])
def look(request, clock) -> Callable[[LiveArchive], None]:
    """Return `look(live)`, with which one of the three users of an archive checks for changes."""
    return lambda live: request.param(live, clock)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def folder(tmp_path):
    write_cogs(tmp_path, Scene(days=DAYS))
    return tmp_path


@pytest.fixture(params=["configuration", "folder"])
def place(request, folder):
    """Return a configuration, and the folder of data by itself."""
    if request.param == "folder":
        return folder
    return configured(folder)


def configured(folder):
    file = folder / "chronotile.yaml"
    file.write_text(CONFIGURATION)
    return file


def times(live):
    """How many times the only layer has."""
    (layer,) = live.services.catalogue.layers
    return len(layer.times)


def test_an_unchanged_archive_stays(place, clock, look):
    live = LiveArchive.open(place, clock=clock)
    before = live.archive

    look(live)

    assert live.archive is before
    assert (live.reloads, live.failed_reloads, live.is_stale) == (0, 0, False)


def test_new_files_are_served(place, folder, clock, look):
    live = LiveArchive.open(place, clock=clock)
    before = live.services
    write_cogs(folder, Scene(days=LATER))

    look(live)

    assert (times(live), live.reloads) == (3, 1)
    assert live.services.caches is before.caches


def test_configuration_with_mistakes_is_not_served(folder, clock, look):
    file = configured(folder)
    live = LiveArchive.open(file, clock=clock)
    before = live.archive
    file.write_text("collections: {")

    look(live)

    assert live.archive is before
    assert (live.reloads, live.failed_reloads, live.is_stale) == (0, 1, True)


def test_reload_works_again_after_the_mistake_is_fixed(folder, clock, look):
    file = configured(folder)
    live = LiveArchive.open(file, clock=clock)
    file.write_text("collections: {")
    look(live)
    file.write_text(CONFIGURATION)
    write_cogs(folder, Scene(days=LATER))

    look(live)

    assert (times(live), live.is_stale) == (3, False)


def test_link_to_itself_does_not_stop_a_reload(folder, clock, look, caplog):
    live = LiveArchive.open(folder, clock=clock)
    before = times(live)
    (folder / "loop").symlink_to("loop")

    look(live)

    assert (times(live), live.is_stale) == (before, False)
    assert [record for record in caplog.records if record.message.startswith(NOT_RELOADED)] == []


def test_unexpected_failure_is_survived_and_logged_with_its_stack(folder, clock, look, caplog, monkeypatch):
    """An error that is in no list of expected errors."""
    file = configured(folder)
    live = LiveArchive.open(file, clock=clock)
    before = live.archive

    def fail(*_args, **_more):
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(live_archive, "refresh_archive", fail)

    look(live)

    assert (live.archive, live.is_stale) == (before, True)
    assert [each.exc_info[0] for each in caplog.records if each.message == NOT_RELOADED] == [RuntimeError]


def test_failure_of_a_reload_at_the_end_is_not_logged(folder, clock, look, caplog, monkeypatch):
    live = LiveArchive.open(configured(folder), clock=clock)

    def fail(*_args, **_more):
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(live_archive, "refresh_archive", fail)
    with TestClient(application(live.services, ServerOptions(upkeep=Upkeep(live, watch_s=0)))):
        pass

    look(live)

    assert caplog.records == []


def test_failure_is_logged_once_until_another_comes(folder, clock, look, caplog):
    file = configured(folder)
    live = LiveArchive.open(file, clock=clock)
    for text in ("services: {}", "services: {}", "service: 1", "service: 1"):
        file.write_text(text)
        look(live)

    assert [each.levelname for each in caplog.records if each.message.startswith(NOT_RELOADED)] == ["WARNING"] * 2
    assert live.failed_reloads == 4


def test_reload_lists_the_changes(folder, clock, look, caplog):
    caplog.set_level(logging.INFO, logger="chronotile")
    live = LiveArchive.open(configured(folder), clock=clock)
    write_cogs(folder, Scene(days=LATER))

    look(live)

    assert "reloaded: 1 date added to made.NDVI" in caplog.messages


def test_findings_of_a_reload_are_logged_if_there_is_a_finding_log(folder, clock, look, caplog, open_at):
    file = configured(folder)
    archive = open_at(file)
    finding_log = FindingLog()
    finding_log.skip(archive.findings)
    live = LiveArchive(archive, file, finding_log=finding_log, clock=clock)
    (folder / "NDVI_20200121.tif").write_bytes(b"half a file")

    look(live)

    assert [each.levelname for each in caplog.records if "NDVI_20200121.tif" in each.message] == ["ERROR"]


def test_a_worker_that_does_not_log_reloads_as_others_do(folder, clock, look, caplog, open_at):
    caplog.set_level(logging.INFO, logger="chronotile.archive")
    file = configured(folder)
    live = LiveArchive(open_at(file), file, is_logged=False, clock=clock)
    write_cogs(folder, Scene(days=LATER))
    look(live)
    file.write_text("services: {}")
    look(live)

    assert (live.reloads, live.failed_reloads, caplog.messages) == (1, 1, [])


@pytest.fixture
def cube(folder):
    """Return `cube(count)`, which writes this number of dates to a serving cube and returns its configuration."""
    write_cogs(folder, Scene(days=LATER))
    files = sorted(map(str, folder.glob("*.tif")))

    def write(count):
        optimise(files[:count], folder / "cube.zarr", Options(layout="both", block=4, threads=1))
        file = folder / "chronotile.yaml"
        file.write_text(CUBE)
        return file

    return write


def test_serving_cube_that_grew_is_followed(cube):
    live = LiveArchive.open(cube(2))
    assert not live.has_grown("made")
    cube(3)
    assert live.has_grown("made")

    live.follow("made")

    assert (times(live), live.reloads, live.has_grown(None)) == (3, 1, False)


def test_serving_cube_is_followed_though_the_configuration_has_mistakes(cube):
    file = cube(2)
    live = LiveArchive.open(file)
    cube(3)
    file.write_text("services: {}")
    live.refresh()

    live.follow("made")

    assert (times(live), live.is_stale) == (3, True)


def test_fixed_mistake_leaves_nothing_stale(cube):
    file = cube(2)
    live = LiveArchive.open(file)
    file.write_text("services: {}")
    live.refresh()
    was_stale = live.is_stale

    file.write_text(CUBE)
    live.refresh()

    assert (was_stale, live.is_stale) == (True, False)


def test_collection_reloaded_by_follow_is_not_reloaded_again(cube):
    live = LiveArchive.open(cube(2))
    cube(3)
    live.follow("made")
    followed = live.archive

    live.refresh()

    assert live.archive is followed
    assert live.reloads == 1


def test_refresh_waits_for_the_interval(folder, clock):
    live = LiveArchive.open(configured(folder), clock=clock)
    write_cogs(folder, Scene(days=LATER))
    seen = []

    for now in (4.0, 11.0):
        clock.now_s = now
        live.refresh(after_s=10.0)
        seen.append(times(live))

    assert seen == [2, 3]


def test_all_threads_see_one_reload(folder):
    live, barrier = LiveArchive.open(configured(folder)), threading.Barrier(4)
    write_cogs(folder, Scene(days=LATER))

    def refresh(_number):
        barrier.wait()
        live.refresh()
        return live.services

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(refresh, range(4)))

    assert live.reloads == 1
    assert all(each is found[0] for each in found)


def test_archive_is_opened_once_however_many_threads_need_it(folder):
    archives, barrier = LiveArchives(most=2), threading.Barrier(8)

    def at(_number):
        barrier.wait()
        return archives.at(folder)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(at, range(8)))

    assert all(each is found[0] for each in found)


def test_no_more_archives_stay_open_than_the_bound(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write_cogs(other, Scene(days=DAYS))
    archives = LiveArchives(most=1)

    first, second = archives.at(folder), archives.at(other)

    assert archives.at(other) is second
    assert archives.at(folder) is not first


def test_archive_that_cannot_be_opened_is_tried_again(tmp_path):
    place = tmp_path / "later"
    archives = LiveArchives(most=1)
    with pytest.raises(ConfigurationError):
        archives.at(place)

    place.mkdir()
    write_cogs(place, Scene(days=DAYS))

    assert times(archives.at(place)) == 2


def test_archives_share_the_limits_of_reader_caches(folder):
    archives = LiveArchives(most=2)

    one, other = archives.at(folder), archives.at(configured(folder))

    assert one is not other
    assert one.services.reader_caches is other.services.reader_caches
