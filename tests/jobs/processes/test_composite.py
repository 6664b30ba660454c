"""Composites, compared with numpy's results for the same numbers."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import xarray
import zarr

from chronotile.core.errors import (
    ClientGone,
    InvalidParameter,
    LimitExceeded,
    OutsideData,
    SourceUnavailable,
    TimeNotAvailable,
    UnknownLayer,
    UnsupportedCrs,
)
from chronotile.core.model.job import Execution
from chronotile.core.model.source import TargetGrid, VariableSpec
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import NO_TIME
from chronotile.jobs.processes import process as process_module
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work import windows
from chronotile.optimise import plan
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, with_times, work_in
from tests.protocols import served
from tests.readers.made_swaths import aligned_dataset
from tests.real_data.truth import CONFIGURED, open_place, raster_truth
from tests.scenes import NODATA, Scene, make_spec, save_netcdf, write_scene


def newest(cube, *, first=-1):
    """Return the newest valid number of each cell; with `first=0` the oldest."""
    found = np.full(cube.shape[1:], NODATA, dtype=cube.dtype)
    for picture in cube if first == -1 else cube[::-1]:
        found = np.where(picture == NODATA, found, picture)
    return found


class GappyScene(Scene):
    """A scene with clouds."""

    def number(self, t, row, column):
        numbers = super().number(t, row, column)
        return np.where(((t + row) % 3 == 0) | (row == 5), NODATA, numbers).astype("uint8")


GAPPY = GappyScene(width=150, height=130)


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    spec = write_scene("cog", tmp_path_factory.mktemp("scene"), GAPPY)
    reader = open_source(spec)
    yield served.make_services_of(reader)
    reader.close()


@pytest.fixture
def small_windows(monkeypatch):
    """Windows of 64 cells a side."""
    monkeypatch.setattr(windows, "MAX_SIDE", 64)


def composite(services, folder, **inputs):
    """Return the open file of a composite that is computed synchronously."""
    results = execute(Execution(process="composite", inputs={"layer": "NDVI"} | inputs), services, folder)
    return rasterio.open(folder / results["composite"].file)


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        ("latest", newest(GAPPY.cube())),
        ("earliest", newest(GAPPY.cube(), first=0)),
        ("max", np.where(GAPPY.cube() == NODATA, 0, GAPPY.cube()).max(axis=0)),
        ("min", GAPPY.cube().min(axis=0)),
    ],
)
def test_numbers_equal_those_of_numpy(services, tmp_path, reducer, expected):
    has_any = (GAPPY.cube() != NODATA).any(axis=0)

    with composite(services, tmp_path, reducer=reducer) as file:
        np.testing.assert_array_equal(file.read(1), np.where(has_any, expected, NODATA))
        assert (file.dtypes, file.nodata, file.scales, file.offsets) == (("uint8",), 255, (0.004,), (-0.08,))
        assert (file.crs, file.transform) == (rasterio.CRS.from_string(GAPPY.crs), GAPPY.transform)


@pytest.mark.parametrize(("reducer", "numpy_reducer"), [("mean", np.nanmean), ("median", np.nanmedian)])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_values_equal_those_of_numpy(services, tmp_path, reducer, numpy_reducer):
    values = np.where(GAPPY.cube() == NODATA, np.nan, GAPPY.cube() * GAPPY.scale + GAPPY.offset)

    with composite(services, tmp_path, reducer=reducer) as file:
        np.testing.assert_allclose(file.read(1), numpy_reducer(values, axis=0), rtol=1e-6)
        assert file.dtypes == ("float32",)


def test_only_requested_times_are_used(services, tmp_path):
    with composite(services, tmp_path, reducer="min", datetime="2020-01-05/2020-01-25") as file:
        np.testing.assert_array_equal(file.read(1), GAPPY.cube()[1:3].min(axis=0))
        assert file.descriptions == ("NDVI min 2020-01-11/2020-01-21",)


@pytest.mark.parametrize("reducer", ["latest", "max", "mean", "median"])
@pytest.mark.usefixtures("small_windows")
def test_tasks_in_an_odd_order_and_twice_give_the_same_bytes(services, tmp_path, reducer):
    inputs = {"layer": "NDVI", "reducer": reducer}
    (tmp_path / "once").mkdir()
    execute(Execution(process="composite", inputs=inputs), services, tmp_path / "once")

    do_oddly("composite", inputs, services, tmp_path / "job")

    assert len(tasks_of("composite", inputs, services)) == 9
    once = (tmp_path / "once" / "composite.tif").read_bytes()
    assert (tmp_path / "job" / "results" / "composite.tif").read_bytes() == once
    assert not list((tmp_path / "job").rglob("*.part"))


@pytest.mark.usefixtures("small_windows")
def test_tasks_in_four_threads_give_the_same_bytes(services, tmp_path):
    inputs, process = {"layer": "NDVI", "reducer": "mean"}, process_of("composite")
    plan = plan_of("composite", inputs, services)
    jobs = [work_in(tmp_path / name, services, shared=plan.shared) for name in "ab"]
    process.finish(inputs, [process.run(inputs, task, jobs[0]) for task in plan.tasks], jobs[0])

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda task: process.run(inputs, task, jobs[1]), [*plan.tasks, *plan.tasks]))
    process.finish(inputs, done[: len(plan.tasks)], jobs[1])

    one, four = ((job.results / "composite.tif").read_bytes() for job in jobs)
    assert one == four


def test_size_of_windows_does_not_change_the_result(services, tmp_path, monkeypatch):
    with composite(services, tmp_path, reducer="mean"):
        whole = (tmp_path / "composite.tif").read_bytes()
    monkeypatch.setattr(windows, "MAX_SIDE", 32)

    with composite(services, tmp_path, reducer="mean"):
        assert (tmp_path / "composite.tif").read_bytes() == whole


@pytest.mark.usefixtures("small_windows")
def test_a_box_has_the_cells_that_lie_in_it(services, tmp_path):
    box = [500_330, 5_648_990, 501_400, 5_649_830]
    crs = "http://www.opengis.net/def/crs/EPSG/0/32631"

    with composite(services, tmp_path, reducer="min", bbox={"bbox": box, "crs": crs}) as file:
        np.testing.assert_array_equal(file.read(1), GAPPY.cube().min(axis=0)[17:101, 33:140])
        assert tuple(file.bounds) == tuple(box)


def test_coordinates_of_a_box_are_in_the_order_of_their_crs(services, tmp_path):
    west, south, east, north = services.catalogue.layer("NDVI").main_variable.grid.bbox_in(CRS84)
    middle = (south + north) / 2
    swapped = {"bbox": [middle, west, north, east], "crs": "http://www.opengis.net/def/crs/EPSG/0/4326"}

    with composite(services, tmp_path, bbox={"bbox": [west, middle, east, north]}) as file:
        expected = file.read(1)
    with composite(services, tmp_path, bbox=swapped) as file:
        np.testing.assert_array_equal(file.read(1), expected)


@pytest.mark.parametrize(
    ("datetime", "span"),
    [
        ("2020-05-25/..", "2020-06-01/2020-06-21"),
        ("2020-05-21,2020-06-05/..", "2020-05-21/2020-06-21"),
        ("latest", "2020-06-21"),
    ],
)
def test_a_map_has_the_times_that_were_planned_though_others_have_come(tmp_path, datetime, span):
    process, inputs = process_of("composite"), {"layer": "NDVI", "reducer": "max", "datetime": datetime}
    plan = plan_of("composite", inputs, with_times("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"))

    more = with_times("2020-05-01", "2020-05-21", "2020-05-29", "2020-06-01", "2020-06-11", "2020-06-21", "2020-07-01")
    work = work_in(tmp_path, more, shared=plan.shared)
    results = process.finish(inputs, [process.run(inputs, task, work) for task in plan.tasks], work)

    with rasterio.open(work.results / results["composite"].file) as file:
        assert file.descriptions == (f"NDVI max {span}",)


def test_removed_date_ends_the_job(tmp_path):
    plan = plan_of("composite", {"layer": "NDVI"}, with_times("2020-05-21", "2020-06-01"))
    work = work_in(tmp_path, with_times("2020-05-21", "2020-06-11"), shared=plan.shared)

    with pytest.raises(SourceUnavailable, match="no longer has all of the times"):
        process_of("composite").run({"layer": "NDVI"}, plan.tasks[0], work)


def test_tasks_do_not_repeat_the_inputs(services):
    datetime = ",".join(["2020-01-01/.."] * 500)

    (task,) = tasks_of("composite", {"layer": "NDVI", "datetime": datetime}, services)

    assert task.keys() == {"rows", "columns", "box"}


def test_too_many_tasks_are_refused(services, monkeypatch):
    monkeypatch.setattr(process_module, "MAX_TASKS", 8)
    monkeypatch.setattr(windows, "MAX_SIDE", 64)

    with pytest.raises(LimitExceeded, match="9 requested"):
        tasks_of("composite", {"layer": "NDVI"}, services)


@pytest.mark.parametrize(
    ("inputs", "error", "locator"),
    [
        ({"datetime": "soon"}, InvalidParameter, "inputs.datetime"),
        ({"bbox": {"bbox": [100, 10, 101, 11]}}, OutsideData, "inputs.bbox"),
        ({"bbox": {"bbox": [4, 50, 5]}}, InvalidParameter, "inputs.bbox.bbox"),
        ({"bbox": {"bbox": [4, 50, 5, 51], "crs": "nonsense"}}, UnsupportedCrs, "inputs.bbox.crs"),
        ({"datetime": "1999"}, TimeNotAvailable, "inputs.datetime"),
        ({"layer": "LAI"}, UnknownLayer, "inputs.layer"),
        ({"reducer": "mode"}, InvalidParameter, "inputs.reducer"),
    ],
    ids=str,
)
def test_impossible_map_is_refused_before_anything_is_read(services, inputs, error, locator):
    with pytest.raises(error) as refused:
        tasks_of("composite", {"layer": "NDVI"} | inputs, services)

    assert refused.value.locator == locator


def test_a_layer_without_times_is_refused():
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME), times=NO_TIME)

    with pytest.raises(InvalidParameter, match="has no times"):
        tasks_of("composite", {"layer": "NDVI"}, served.make_services(served.make_collection(layer)))


def test_a_dismissed_job_ends_before_it_reads(services, tmp_path):
    plan = plan_of("composite", {"layer": "NDVI"}, services)
    work = replace(work_in(tmp_path, services, shared=plan.shared), is_active=lambda: False)

    with pytest.raises(ClientGone):
        process_of("composite").run({"layer": "NDVI"}, plan.tasks[0], work)


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("reducer", "numpy_reducer"), [("mean", np.mean), ("median", np.median), ("max", np.max)])
def test_real_data_are_reduced_as_numpy_does_it(tmp_path, shared_data, reducer, numpy_reducer):
    truth = raster_truth(sorted((shared_data / "modis_sinop").glob("*.jp2")), dtype="int16", scale=1e-4)
    archive = open_place(CONFIGURED["modis_sinop"])

    with composite(archive.services, tmp_path, layer="sinop.NDVI", reducer=reducer) as file:
        found = file.read(1) * file.scales[0] + file.offsets[0]
    archive.close()

    np.testing.assert_allclose(found, numpy_reducer(truth.numbers * truth.scale, axis=0), rtol=1e-6)


def test_a_job_that_was_dismissed_leaves_nothing_for_its_end(services, tmp_path):
    plan = plan_of("composite", {"layer": "NDVI"}, services)
    (task,), work = plan.tasks, work_in(tmp_path, services, shared=plan.shared)
    done = process_of("composite").run({"layer": "NDVI"}, task, work)
    shutil.rmtree(work.folder)

    with pytest.raises(ClientGone):
        process_of("composite").run({"layer": "NDVI"}, task, work)
    with pytest.raises(ClientGone):
        process_of("composite").finish({"layer": "NDVI"}, [done], work)
    assert not list(work.results.iterdir())


@pytest.mark.parametrize("reducer", ["latest", "max", "mean"])
@pytest.mark.usefixtures("small_windows")
def test_a_serving_cube_has_the_numbers_of_the_geotiff(services, tmp_path, reducer):
    with composite(services, tmp_path, reducer=reducer) as file:
        expected = file.read(1)

    do_oddly("composite", {"layer": "NDVI", "reducer": reducer, "format": "cube"}, services, tmp_path / "job")

    with zarr.storage.ZipStore(tmp_path / "job" / "results" / "composite.zarr.zip", mode="r") as store:
        cube = xarray.open_zarr(store, mask_and_scale=False)
        np.testing.assert_array_equal(cube["NDVI"].values, expected[np.newaxis])
        assert cube["time"].values.astype(str).tolist() == ["2020-01-01T00:00:00.000000000"]
        assert cube["NDVI"].attrs["long_name"] == f"NDVI, {reducer} 2020-01-01/2020-02-11"


def test_a_serving_cube_is_a_source_with_overviews(services, tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "COARSEST_PX", 64)
    inputs = {"layer": "NDVI", "reducer": "max", "format": "cube"}
    results = execute(Execution(process="composite", inputs=inputs), services, tmp_path)

    cube = open_source(make_spec("zarr", tmp_path / results["composite"].file))

    native = np.where(GAPPY.cube() == NODATA, 0, GAPPY.cube()).max(axis=0)
    found = cube.read_window("NDVI", index=0, level=0, window=Window(0, 130, 0, 150)).numbers
    np.testing.assert_array_equal(found, np.where((GAPPY.cube() != NODATA).any(axis=0), native, NODATA))
    assert [(level.height, level.width) for level in cube.info.variables["NDVI"].levels] == [
        (130, 150),
        (65, 75),
        (33, 38),
    ]
    cube.close()


@pytest.fixture(scope="module")
def coarse_swath(tmp_path_factory):
    """Services of a swath on a grid whose cells have 4 by 4 of its cells, and its (time, y, x) values."""
    values = np.random.default_rng(8).normal(280, 10, (2, 40, 60)).astype("float32")
    path = save_netcdf(aligned_dataset(values), tmp_path_factory.mktemp("swath") / "made.nc")
    reader = open_source(
        make_spec("netcdf", path, variables={}, grid=TargetGrid(crs="EPSG:4326", resolution=0.2)), ReaderCaches()
    )
    yield served.make_services_of(reader), values
    reader.close()


def test_composite_of_a_swath_on_a_coarser_grid_has_means(tmp_path, coarse_swath):
    services, values = coarse_swath

    with composite(services, tmp_path, layer="v", reducer="max") as file:
        numbers = file.read(1)

    np.testing.assert_allclose(numbers, values.reshape(2, 10, 4, 15, 4).mean(axis=(2, 4)).max(axis=0), rtol=1e-6)


def test_composite_of_one_date_of_a_swath_has_means(tmp_path, coarse_swath):
    services, values = coarse_swath

    with composite(services, tmp_path, layer="v", reducer="max", datetime="2020-01-01") as file:
        numbers = file.read(1)

    np.testing.assert_allclose(numbers, values[0].reshape(10, 4, 15, 4).mean(axis=(1, 3)), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_composite_of_a_swath_of_configured_classes_has_the_most_frequent(tmp_path, dtype):
    values = np.random.default_rng(3).choice([1, 2, 9], (10, 15, 16), p=[0.45, 0.1, 0.45]).astype(dtype)
    values[..., :9] = values[..., :1]
    cells = values.reshape(1, 10, 15, 4, 4).swapaxes(2, 3).reshape(1, 40, 60)
    path = save_netcdf(aligned_dataset(cells, days=["2020-01-01"], _FillValue=values.dtype.type(0)), tmp_path / "a.nc")
    spec = make_spec(
        "netcdf",
        path,
        variables={"v": VariableSpec(id="v", has_classes=True)},
        grid=TargetGrid(crs="EPSG:4326", resolution=0.2),
    )
    with (
        closing(open_source(spec, ReaderCaches())) as reader,
        composite(served.make_services_of(reader), tmp_path, layer="v", reducer="max") as file,
    ):
        numbers = file.read(1)

    np.testing.assert_array_equal(numbers, values[..., 0])


def test_export_of_a_swath_on_a_coarser_grid_has_nearest_cells(tmp_path, coarse_swath):
    services, values = coarse_swath
    inputs = {"layer": "v", "datetime": "2020-01-01"}

    results = execute(Execution(process="export", inputs=inputs), services, tmp_path)

    with rasterio.open(tmp_path / results["export"].file) as file:
        numbers = file.read(1)
    assert np.isin(numbers, values[0]).all()
