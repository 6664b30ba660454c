"""Cubes that jobs publish under a name in a folder that the server serves."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from chronotile.archive.open import refresh_archive
from chronotile.core.errors import ClientGone, InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.core.model.job import Execution
from chronotile.core.model.time.instants import system_clock
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from chronotile.pipeline.services import PublishedCubes
from tests.jobs.processes.doing import plan_of, tasks_of, work_in
from tests.optimise.conftest import numbers_of
from tests.protocols import served
from tests.running import PATIENCE_S
from tests.scenes import Scene, write_cogs

INPUTS = {"layer": "NDVI", "name": "ndvi-2020"}
NUMBERS = np.stack([served.number_at(*np.indices((300, 400)), time) for time in range(4)])


@pytest.fixture
def published_cubes(tmp_path):
    return PublishedCubes(folder=tmp_path / "kept" / "cubes", max_bytes=1 << 30)


@pytest.fixture
def services(published_cubes):
    return replace(served.make_services(), published_cubes=published_cubes)


@pytest.fixture
def job(services, tmp_path):
    """Return `job()`: the end of another job for the cube after its tasks, and its work."""

    def make(id_="a", of=services, *, name=INPUTS["name"], is_active=lambda: True):
        inputs = INPUTS | {"name": name}
        plan, process = plan_of("optimise", inputs, of), process_of("optimise")
        work = work_in(tmp_path / "jobs" / id_, of, shared=plan.shared)
        done = [process.run(inputs, task, work) for task in plan.tasks]
        return lambda: process.finish(inputs, done, replace(work, is_active=is_active)), work

    return make


def names_in(folder):
    return sorted(each.name for each in folder.iterdir())


def test_a_cube_with_a_name_lies_under_it(services, published_cubes, tmp_path):
    results = execute(Execution(process="optimise", inputs=INPUTS), services, tmp_path)

    assert (results["cube"].value, results["cube"].file) == ({"name": "ndvi-2020"}, None)
    assert names_in(published_cubes.folder) == ["ndvi-2020.zarr"]
    np.testing.assert_array_equal(numbers_of(published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)


def test_a_composite_may_have_a_name(services, published_cubes, tmp_path):
    inputs = INPUTS | {"reducer": "max", "format": "cube"}

    execute(Execution(process="composite", inputs=inputs), services, tmp_path)

    found = numbers_of(published_cubes.folder / "ndvi-2020.zarr")
    np.testing.assert_array_equal(found[0, 1:], NUMBERS[:, 1:].max(axis=0))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("../ndvi", "inputs.name must match"),
        ("a/b", "inputs.name must match"),
        (".hidden", "inputs.name must match"),
        ("NDVI", "inputs.name must match"),
        ("", "inputs.name must match"),
        ("a" * 65, "inputs.name must match"),
        ("ndvi\n", "must match"),
        (7, "inputs.name must be text"),
    ],
    ids=repr,
)
def test_invalid_name_is_refused(services, name, message):
    with pytest.raises(InvalidParameter, match=message) as refused:
        tasks_of("optimise", INPUTS | {"name": name}, services)

    assert refused.value.locator == "inputs.name"


def test_name_in_use_is_refused(services, published_cubes):
    (published_cubes.folder / "ndvi-2020.zarr").mkdir(parents=True)

    with pytest.raises(InvalidParameter, match="there is a cube ndvi-2020 already") as refused:
        tasks_of("optimise", INPUTS, services)

    assert refused.value.locator == "inputs.name"


def test_a_server_that_keeps_no_cubes_refuses_names(services):
    with pytest.raises(InvalidParameter, match="does not store cubes by name; leave name out") as refused:
        tasks_of("optimise", INPUTS, replace(services, published_cubes=None))

    assert refused.value.locator == "inputs.name"


def test_a_geotiff_has_no_name(services):
    with pytest.raises(InvalidParameter, match="only cubes have names"):
        tasks_of("composite", INPUTS, services)


def test_the_end_of_a_job_may_be_made_once_more(job, published_cubes):
    finish, _work = job()

    assert finish() == finish()

    assert names_in(published_cubes.folder) == ["ndvi-2020.zarr"]


def test_second_of_two_jobs_for_one_name_is_refused(services, job, published_cubes):
    first, _work = job()
    other = served.make_services(served.make_collection(served.make_layer(variable=served.make_variable(units="m"))))
    second, _work = job("b", of=replace(other, published_cubes=published_cubes))
    first()

    with pytest.raises(InvalidParameter, match="there is a cube ndvi-2020 already"):
        second()

    np.testing.assert_array_equal(numbers_of(published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)


def test_concurrent_ends_of_jobs_for_one_cube_publish_it_once(job, published_cubes):
    ends = [job(name)[0] for name in "abcd"]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda end: end()["cube"].value, ends))

    assert results == [{"name": "ndvi-2020"}] * 4
    assert names_in(published_cubes.folder) == ["ndvi-2020.zarr"]
    np.testing.assert_array_equal(numbers_of(published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)


def test_concurrent_ends_of_one_job_publish_the_cube_once(job, published_cubes):
    finish, _work = job()

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _number: finish()["cube"].value, range(4)))

    assert results == [{"name": "ndvi-2020"}] * 4
    assert names_in(published_cubes.folder) == ["ndvi-2020.zarr"]
    np.testing.assert_array_equal(numbers_of(published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)


@pytest.fixture
def far(services, tmp_path):
    """Services whose cubes are kept on another disk than jobs."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second disk")
    with TemporaryDirectory(dir=memory) as folder:
        yield replace(services, published_cubes=PublishedCubes(folder=Path(folder), max_bytes=1 << 30))


def copies_in(published_cubes):
    return {each.stat().st_ino for each in published_cubes.folder.iterdir()}


def halfway(published_cubes, act, *, file=5, beside=frozenset()):
    """Return the check of an active job; it calls `act` at the `file`-th copied file, not counting `beside`."""
    asked = []

    def is_active():
        if copies_in(published_cubes) - beside:
            asked.append(None)
            if len(asked) == file:
                act()
        return True

    return is_active


def test_another_disk_gets_a_copy(job, far):
    finish, _work = job(of=far)

    finish()

    assert names_in(far.published_cubes.folder) == ["ndvi-2020.zarr"]
    np.testing.assert_array_equal(numbers_of(far.published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)


def test_two_copies_to_one_name_do_not_touch_each_other(job, far):
    begun, put = Event(), Event()

    with ThreadPoolExecutor(1) as pool:

        def wait_for_the_first():
            begun.set()
            assert put.wait(PATIENCE_S)

        def let_the_second_begin():
            is_active = halfway(far.published_cubes, wait_for_the_first, file=1, beside=copies_in(far.published_cubes))
            second, _work = job("b", of=far, is_active=is_active)
            ends.append(pool.submit(second))
            assert begun.wait(PATIENCE_S)

        ends = []
        first, _work = job(of=far, is_active=halfway(far.published_cubes, let_the_second_begin))
        try:
            first()
            np.testing.assert_array_equal(numbers_of(far.published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)
        finally:
            put.set()
        assert ends[0].result()["cube"].value == {"name": "ndvi-2020"}

    assert names_in(far.published_cubes.folder) == ["ndvi-2020.zarr"]
    np.testing.assert_array_equal(numbers_of(far.published_cubes.folder / "ndvi-2020.zarr"), NUMBERS)


def test_abandoned_copy_is_removed_after_a_while(job, far):
    old, new = (far.published_cubes.folder / f".{name}.zarr.0123.part" for name in ("old", "new"))
    for left in (old, new):
        (left / "maps").mkdir(parents=True)
    os.utime(old, (0, 0))
    finish, _work = job(of=far)

    finish()

    assert names_in(far.published_cubes.folder) == [new.name, "ndvi-2020.zarr"]


def test_copy_considered_abandoned_is_never_published_in_part(job, far):
    def remove():
        (left,) = far.published_cubes.folder.iterdir()
        os.utime(left, (0, 0))
        other, _work = job("b", of=far, name="other")
        other()

    finish, _work = job(of=far, is_active=halfway(far.published_cubes, remove))

    with pytest.raises(SourceUnavailable, match="cannot be written now"):
        finish()

    assert names_in(far.published_cubes.folder) == ["other.zarr"]


def test_copy_of_a_job_dismissed_during_it_is_not_published(job, far, tmp_path):
    finish, _work = job(
        of=far, is_active=halfway(far.published_cubes, lambda: (tmp_path / "jobs" / "a").rename(tmp_path / "gone"))
    )

    with pytest.raises(SourceUnavailable, match="cannot be written now"):
        finish()

    assert names_in(far.published_cubes.folder) == []


def test_all_cubes_together_have_a_limit(job, services, published_cubes):
    published_cubes.folder.mkdir(parents=True)
    (published_cubes.folder / "others").write_bytes(bytes(900))
    finish, _work = job(of=replace(services, published_cubes=replace(published_cubes, max_bytes=1000)))

    with pytest.raises(LimitExceeded, match=r"stored by name: at most 1000, .* leave name out"):
        finish()

    assert names_in(published_cubes.folder) == ["others"]


def test_copies_that_are_not_whole_do_not_count(job, services, published_cubes):
    left = published_cubes.folder / ".others.zarr.0123.part"
    left.mkdir(parents=True)
    (left / "half").write_bytes(bytes(2 << 20))
    finish, _work = job(of=replace(services, published_cubes=replace(published_cubes, max_bytes=2 << 20)))

    finish()

    assert names_in(published_cubes.folder) == [left.name, "ndvi-2020.zarr"]


def test_read_only_folder_is_reported(job, published_cubes):
    finish, _work = job()
    published_cubes.folder.parent.write_text("no folder")

    with pytest.raises(SourceUnavailable, match="cannot be written now"):
        finish()


def test_a_job_that_was_dismissed_puts_nothing(job, published_cubes):
    finish, work = job()
    shutil.rmtree(work.folder)

    with pytest.raises(ClientGone):
        finish()

    assert not published_cubes.folder.exists() or not names_in(published_cubes.folder)


@pytest.fixture
def settings(tmp_path):
    """Return the settings of a server of a folder of data, which also stores cubes."""
    (tmp_path / "data").mkdir()
    write_cogs(tmp_path / "data", Scene())
    return Settings(config=tmp_path / "data", jobs_cubes_dir=tmp_path / "data" / "cubes", watch_s=0)


def test_cube_submitted_with_a_name_is_served(settings):
    with TestClient(create_app(settings)) as client:
        inputs = {"layer": "ndvi.NDVI", "name": "ndvi-2020"}
        answer = client.post("/ogcapi/processes/optimise/execution", json={"inputs": inputs})
        expected = client.get("/timeseries/ndvi.NDVI/point?lon=3.001&lat=51.001").json()["values"]

    with TestClient(create_app(settings)) as client:
        found = client.get("/timeseries/ndvi-2020.NDVI/point?lon=3.001&lat=51.001").json()["values"]

    assert answer.json() == {"name": "ndvi-2020"}
    assert found == expected


def test_reloaded_archive_has_the_same_published_cubes(settings, tmp_path):
    archive = open_configured(settings)
    write_cogs(tmp_path / "data", Scene(days=("2020-03-01",)))

    newer = refresh_archive(archive, settings.config, environment=os.environ, clock=system_clock)

    assert newer is not archive
    assert newer.services.published_cubes == PublishedCubes(folder=tmp_path / "data" / "cubes", max_bytes=100 << 30)
