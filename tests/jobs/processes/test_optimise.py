"""Serving cubes of layers by jobs, compared with the layers, numpy's numbers and xarray's reading."""

import errno
import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray
import zarr
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.core.errors import (
    ClientGone,
    InvalidParameter,
    LimitExceeded,
    OutsideData,
    SourceUnavailable,
    StorageFull,
    TimeNotAvailable,
    UnknownLayer,
)
from chronotile.core.model.job import Execution
from chronotile.core.model.time.domain import NO_TIME
from chronotile.jobs.processes import optimise
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work import cubes
from chronotile.readers.kinds import open_source
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, work_in
from tests.optimise.conftest import COORDINATES, numbers_of
from tests.protocols import served
from tests.real_data.truth import CONFIGURED, open_place, raster_truth
from tests.scenes import KINDS, NODATA, Scene, write_scene
from tests.zipped import open_zipped

SCENE = Scene(width=600, height=530, days=tuple(f"2020-01-{day:02}" for day in range(1, 8)))
INPUTS = {"layer": "NDVI"}


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    reader = open_source(write_scene("cog", tmp_path_factory.mktemp("scene"), SCENE))
    yield served.make_services_of(reader)
    reader.close()


@pytest.fixture
def many_tasks(monkeypatch):
    """Tasks of two dates of maps, and of three of series."""
    monkeypatch.setattr(optimise, "TASK_S", 2.5 * SCENE.width * SCENE.height * optimise.NUMBER_S)
    monkeypatch.setattr(cubes, "BLOCK", 3)


def made(services, folder, **inputs):
    """Return the ZIP file of a cube that is computed synchronously."""
    (folder / "made").mkdir()
    results = execute(Execution(process="optimise", inputs=INPUTS | inputs), services, folder / "made")
    return folder / "made" / results["cube"].file


def planned_in(folder, services):
    """Return the tasks of a job, and the work for them in a folder."""
    plan = plan_of("optimise", INPUTS, services)
    return plan.tasks, work_in(folder, services, shared=plan.shared)


def unpacked(file):
    """Return the store of a ZIP file, as a folder next to it."""
    folder = file.with_name("cube.zarr")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(folder)
    return folder


@pytest.mark.quick_cases("cog", "zarr-v3")
@pytest.mark.parametrize("kind", KINDS)
def test_numbers_equal_those_of_the_layer_in_maps_and_series(kind, tmp_path):
    reader = open_source(write_scene(kind, tmp_path, Scene()))

    store = unpacked(made(served.make_services_of(reader), tmp_path))

    reader.close()
    np.testing.assert_array_equal(numbers_of(store), Scene().cube())


@pytest.mark.parametrize("options", [{}, {"group": "series", "consolidated": False}], ids=["maps", "series"])
def test_xarray_opens_the_file(services, tmp_path, options):
    file = made(services, tmp_path)

    with zarr.storage.ZipStore(file, mode="r") as store:
        values = xarray.open_zarr(store, **options)["NDVI"].load()

    cube = SCENE.cube()
    expected = np.where(cube == NODATA, np.nan, cube * SCENE.scale + SCENE.offset)
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    np.testing.assert_array_equal(values["time"], SCENE.times)


@pytest.mark.parametrize("group", ["", "series"])
@pytest.mark.parametrize("is_zipped", [True, False])
def test_xarray_opens_a_layout_by_one_address(services, tmp_path, is_zipped, group):
    file = made(services, tmp_path)

    opened = open_zipped(file, group) if is_zipped else xarray.open_zarr(unpacked(file) / group)
    values = opened["NDVI"].values

    cube = SCENE.cube()
    expected = np.where(cube == NODATA, np.nan, cube * SCENE.scale + SCENE.offset)
    np.testing.assert_allclose(values, expected, rtol=1e-6)


@pytest.mark.usefixtures("many_tasks")
def test_tasks_in_an_odd_order_and_twice_give_the_same_bytes(services, tmp_path):
    once = made(services, tmp_path).read_bytes()

    do_oddly("optimise", INPUTS, services, tmp_path / "job")

    tasks = tasks_of("optimise", INPUTS, services)
    assert [task["maps"] for task in tasks if "maps" in task] == [[0, 2], [2, 4], [4, 6], [6, 7]]
    assert len([task for task in tasks if "series" in task]) == 3 * 2
    assert (tmp_path / "job" / "results" / "cube.zarr.zip").read_bytes() == once
    assert not list((tmp_path / "job").rglob("*.part"))


@pytest.mark.usefixtures("many_tasks")
def test_concurrent_tasks_in_four_threads_give_the_same_bytes(services, tmp_path):
    once, process = made(services, tmp_path).read_bytes(), process_of("optimise")
    tasks, work = planned_in(tmp_path / "job", services)

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda task: process.run(INPUTS, task, work), [*tasks, *tasks]))
    results = process.finish(INPUTS, done[: len(tasks)], work)

    assert (work.results / results["cube"].file).read_bytes() == once


@pytest.mark.usefixtures("many_tasks")
def test_job_of_the_previous_release_continues_in_its_format(services, tmp_path):
    plan, process = plan_of("optimise", INPUTS, services), process_of("optimise")
    work = work_in(tmp_path / "job", services, shared={name: plan.shared[name] for name in ("times", "state")})

    results = process.finish(INPUTS, [process.run(INPUTS, task, work) for task in plan.tasks], work)

    store = unpacked(work.results / results["cube"].file)
    assert plan.shared["format"] == 2
    assert {each.name for each in store.iterdir() if each.is_dir()} == {"0", "1", "2", "series", "sources"}
    np.testing.assert_array_equal(numbers_of(store), SCENE.cube())


@pytest.mark.parametrize("name", ["series", "1", "time"])
def test_a_variable_that_a_cube_cannot_name_is_refused_before_the_job(tmp_path, name):
    variable = served.make_variable(name)
    services = served.make_services(served.make_collection(served.make_layer(name, variable=variable)))

    with pytest.raises(InvalidParameter, match=f"cannot be called {name}, the name of") as refused:
        plan_of("optimise", {"layer": name}, services)

    assert refused.value.locator == "inputs.layer"


@pytest.mark.slow
@pytest.mark.usefixtures("many_tasks")
def test_job_killed_at_any_write_continues_to_the_same_bytes(services, tmp_path, monkeypatch):
    once, process = made(services, tmp_path).read_bytes(), process_of("optimise")
    tasks, work = planned_in(tmp_path / "job", services)
    kept, replaced = os.fsync, Path.replace
    calls = {"left": 0, "made": 0}

    def killing(original):
        def call(*arguments):
            calls["made"] += 1
            if calls["made"] == calls["left"]:
                raise KeyboardInterrupt
            return original(*arguments)

        return call

    def attempt(left):
        calls.update(left=left, made=0)
        done = [process.run(INPUTS, task, work) for task in tasks]
        return process.finish(INPUTS, done, work)

    monkeypatch.setattr(os, "fsync", killing(kept))
    monkeypatch.setattr(Path, "replace", killing(replaced))
    attempt(0)
    count = calls["made"]
    shutil.rmtree(work.folder)
    work.folder.mkdir()
    for left in (1, 2, count // 4, count // 2, 3 * count // 4, count - 2, count - 1, count):
        (work.results / "cube.zarr.zip").unlink(missing_ok=True)
        with pytest.raises(KeyboardInterrupt):
            attempt(left)
        assert {file.read_bytes() for file in work.results.glob("cube.zarr.zip")} <= {once}
    results = attempt(0)

    assert (work.results / results["cube"].file).read_bytes() == once


@pytest.fixture
def served_cube(services, tmp_path):
    """Clients of the layer's own files, and of the cube that a job made of them."""
    folders = tmp_path / "files", tmp_path / "cubes"
    for folder in folders:
        folder.mkdir()
    write_scene("cog", folders[0], SCENE)
    shutil.move(unpacked(made(services, tmp_path)), folders[1] / "cube.zarr")
    kinds = ("{kind: cog, href: 'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'}", "{kind: zarr, href: cube.zarr}")
    for folder, source in zip(folders, kinds, strict=True):
        said = f"collections: {{made: {{source: {source}, variables: {{NDVI: {{layer: NDVI, styles: [ndvi]}}}}}}}}"
        (folder / "chronotile.yaml").write_text(said)
    apps = [create_app(Settings(config=folder / "chronotile.yaml", watch_s=0)) for folder in folders]
    with TestClient(apps[0]) as files, TestClient(apps[1]) as cube:
        yield files, cube


@pytest.mark.slow
def test_server_answers_from_the_cube_as_from_the_files(served_cube):
    wms = (
        "/wms?service=WMS&version=1.3.0&request=GetMap&layers=NDVI&styles=&crs=EPSG:32631&format=image/png"
        "&bbox=500000,5644700,506000,5650000&width=600&height=530&time=2020-01-03"
    )
    point = "/timeseries/NDVI/point?lon=3.001&lat=50.99"

    files, cube = ([client.get(path) for path in (wms, point)] for client in served_cube)

    assert [answer.status_code for answer in cube] == [200, 200]
    assert cube[0].content == files[0].content
    assert cube[1].json()["values"] == files[1].json()["values"]


def test_zip_file_of_a_cube_is_read_without_unpacking(services, tmp_path):
    file = made(services, tmp_path)

    np.testing.assert_array_equal(numbers_of(file), SCENE.cube())


@pytest.mark.parametrize(
    ("layout", "groups"),
    [("map", {"NDVI", "1", "2", "sources"}), ("series", {"NDVI", "sources"})],
    ids=["map", "series"],
)
def test_one_layout_alone_has_all_numbers(services, tmp_path, layout, groups):
    store = unpacked(made(services, tmp_path, layout=layout))

    np.testing.assert_array_equal(numbers_of(store), SCENE.cube())
    assert {each.name for each in store.iterdir() if each.is_dir()} == groups | COORDINATES


def test_overviews_are_means_of_native_cells(services, tmp_path):
    store = unpacked(made(services, tmp_path, layout="map", datetime="2020-01-04"))

    numbers, coarse = SCENE.numbers(3), xarray.open_zarr(store / "1", mask_and_scale=False)["NDVI"].values[0]

    values = np.where(numbers == NODATA, np.nan, numbers).astype(float).reshape(265, 2, 300, 2)
    np.testing.assert_array_equal(coarse, np.rint(np.nanmean(values, axis=(1, 3))))


def test_a_box_and_times_are_cut_out(services, tmp_path):
    box = {"bbox": [500_330, 5_648_990, 505_200, 5_649_830], "crs": "http://www.opengis.net/def/crs/EPSG/0/32631"}

    store = unpacked(made(services, tmp_path, bbox=box, datetime="2020-01-02/2020-01-03,2020-01-06"))

    np.testing.assert_array_equal(numbers_of(store), SCENE.cube()[[1, 2, 5], 17:101, 33:520])
    dataset = xarray.open_zarr(store)
    assert (dataset["x"].values[0], dataset["y"].values[0]) == (500_335, 5_649_825)
    assert dataset["time"].values.astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-02",
        "2020-01-03",
        "2020-01-06",
    ]


def test_cells_from_both_sides_of_the_antimeridian_lie_together(tmp_path):
    variable = served.make_variable(grid=served.WORLD_4326)
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))

    store = unpacked(made(services, tmp_path, bbox={"bbox": [170, 0, -170, 10]}))

    rows, columns = np.meshgrid(np.arange(80, 90), np.arange(350, 370) % 360, indexing="ij")
    for group in ("", "series"):
        numbers = xarray.open_zarr(store / group, mask_and_scale=False)["NDVI"].values
        np.testing.assert_array_equal(numbers[2], served.number_at(rows, columns, 2))


@pytest.mark.slow
def test_layers_of_a_collection_lie_in_one_cube(tmp_path):
    lai = served.make_variable("LAI", times=served.days_of("2020-06-01", "2020-06-21"), dtype="float32", nodata=None)
    services = served.make_services(
        served.make_collection(served.make_layer("NDVI"), served.make_layer("LAI", variable=lai))
    )
    inputs = {"layer": ["LAI", "NDVI"]}

    results = do_oddly("optimise", inputs, services, tmp_path / "job")

    with zarr.storage.ZipStore(tmp_path / "job" / "results" / results["cube"].file, mode="r") as store:
        for group in (None, "series"):
            cube = xarray.open_zarr(store, group=group, mask_and_scale=False, consolidated=False)
            places = np.indices((300, 400))
            np.testing.assert_array_equal(cube["NDVI"][2], served.number_at(*places, 2))
            np.testing.assert_array_equal(cube["LAI"][3], served.number_at(*places, 1))
            assert np.isnan(cube["LAI"][[0, 2]]).all()
        states = xarray.open_zarr(store, group="sources", consolidated=False)["state"]
        assert (states.values == 0).tolist() == [[True, False], [False, False], [True, False], [False, False]]


def test_missing_values_become_one_number(tmp_path):
    variable = served.make_variable(flags=((7, "cloud"),), valid_range=(0.0, 200.0))
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))

    store = unpacked(made(services, tmp_path, layout="map"))

    expected = served.number_at(*np.indices((300, 400)), 0)
    np.testing.assert_array_equal(numbers_of(store)[0], np.where((expected == 7) | (expected > 200), NODATA, expected))


def test_source_replaced_during_the_job_ends_it(tmp_path):
    services = served.make_services()
    tasks, work = planned_in(tmp_path, services)
    done = [process_of("optimise").run(INPUTS, task, work) for task in tasks]
    services.readers["s2"].replaced[1] = "r2"

    with pytest.raises(SourceUnavailable, match="has changed since the job began"):
        process_of("optimise").finish(INPUTS, done, work)


@pytest.mark.parametrize(
    ("inputs", "error", "locator"),
    [
        ({"datetime": "soon"}, InvalidParameter, "inputs.datetime"),
        ({"datetime": "1999"}, TimeNotAvailable, "inputs.datetime"),
        ({"bbox": {"bbox": [100, 10, 101, 11]}}, OutsideData, "inputs.bbox"),
        ({"layer": "LAI"}, UnknownLayer, "inputs.layer"),
        ({"layout": "cube"}, InvalidParameter, "inputs.layout"),
    ],
    ids=str,
)
def test_impossible_cube_is_refused_before_anything_is_read(services, inputs, error, locator):
    with pytest.raises(error) as refused:
        tasks_of("optimise", INPUTS | inputs, services)

    assert refused.value.locator == locator


def test_a_layer_without_times_is_refused():
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME), times=NO_TIME)

    with pytest.raises(InvalidParameter, match="has no times"):
        tasks_of("optimise", INPUTS, served.make_services(served.make_collection(layer)))


def test_cube_has_a_limit_of_bytes_and_one_of_cells():
    def services_of(side):
        grid = replace(served.BELGIUM_31N, width=side, height=side)
        return served.make_services(served.make_collection(served.make_layer(variable=served.make_variable(grid=grid))))

    with pytest.raises(LimitExceeded, match="bytes of a cube: at most 274877906944, 1000000000000 requested"):
        tasks_of("optimise", INPUTS, services_of(500_000))
    with pytest.raises(InvalidParameter, match="overviews of 200000 x 200000 cells take more memory"):
        tasks_of("optimise", INPUTS, services_of(200_000))


def test_a_dismissed_job_stops_and_leaves_nothing(services, tmp_path):
    tasks, work = planned_in(tmp_path, services)
    done = [process_of("optimise").run(INPUTS, task, work) for task in tasks]
    shutil.rmtree(work.folder)

    with pytest.raises(ClientGone):
        process_of("optimise").run(INPUTS, tasks[0], work)
    with pytest.raises(ClientGone):
        process_of("optimise").finish(INPUTS, done, work)
    with pytest.raises(ClientGone):
        process_of("optimise").run(INPUTS, tasks[0], replace(work, is_active=lambda: False))
    assert not work.folder.exists()
    assert not list(work.results.iterdir())


def test_full_disk_is_reported(services, tmp_path, monkeypatch):
    (task, *_rest), work = planned_in(tmp_path, services)

    def full(_descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(StorageFull, match="the file: No space left on device in the folder of the job"):
        process_of("optimise").run(INPUTS, task, work)


@pytest.mark.data
@pytest.mark.slow
def test_real_data_are_in_the_cube_number_by_number(tmp_path, shared_data):
    truth = raster_truth(sorted((shared_data / "modis_sinop").glob("*.jp2")), dtype="int16", scale=1e-4)
    archive = open_place(CONFIGURED["modis_sinop"])

    file = made(archive.services, tmp_path, layer="sinop.NDVI")

    archive.close()
    with zarr.storage.ZipStore(file, mode="r") as store:
        for group in (None, "series"):
            cube = xarray.open_zarr(store, group=group, mask_and_scale=False, consolidated=False)
            np.testing.assert_array_equal(cube["NDVI"].values, truth.numbers)
