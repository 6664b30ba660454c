"""Exports: the numbers that coverages have, beyond the limit of a request."""

import shutil
import tempfile
import tracemalloc
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import xarray
import zarr
from rasterio.windows import Window

from chronotile.catalog.limits import Limits
from chronotile.core.errors import (
    ClientGone,
    InvalidParameter,
    LimitExceeded,
    SourceUnavailable,
    TimeNotAvailable,
    UnsupportedCrs,
)
from chronotile.core.model.coverage import CoverageRequest
from chronotile.core.model.job import Execution
from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.time.domain import NO_TIME
from chronotile.jobs.processes import export
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work import stored_coverage
from chronotile.jobs.processes.work.coverage_files import FILE_FORMATS
from chronotile.pipeline.coverage import extract as coverage_warped
from chronotile.pipeline.coverage import source_coverage as coverage_runs
from chronotile.pipeline.coverage.deliver import deliver_coverage
from chronotile.pipeline.encoders import scratch_files
from chronotile.readers.kinds import open_source
from tests.full_disk import full_disk
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, with_files_of_dates, work_in
from tests.protocols import served
from tests.real_data.truth import CONFIGURED, open_place, raster_truth
from tests.scenes import Scene, write_zarr

SHAPE = (served.BELGIUM_31N.height, served.BELGIUM_31N.width)
ALL_DATES = np.stack([served.number_at(*np.indices(SHAPE), time) for time in range(len(served.DEKADS))])


@pytest.fixture
def services():
    return served.make_services(limits=Limits(max_coverage_bytes=1000))


def exported(services, folder, **inputs):
    """Return the file of an export that is computed synchronously, and its media type."""
    results = execute(Execution(process="export", inputs={"layer": "NDVI"} | inputs), services, folder)
    return folder / results["export"].file, results["export"].media_type


def test_a_geotiff_has_a_band_a_time(services, tmp_path):
    path, media_type = exported(services, tmp_path)

    assert (path.name, media_type) == ("s2_2020-05-21_2020-06-21.tif", "image/tiff; application=geotiff")
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), ALL_DATES)


def test_netcdf_has_the_requested_times(services, tmp_path):
    path, media_type = exported(services, tmp_path, format="NetCDF", datetime="2020-06")

    assert media_type == "application/x-netcdf"
    with xarray.open_dataset(path, engine="h5netcdf", mask_and_scale=False) as dataset:
        np.testing.assert_array_equal(dataset["NDVI"].values, ALL_DATES[1:])


def test_a_zarr_store_is_zipped(services, tmp_path):
    path, media_type = exported(services, tmp_path, format="zarr")

    assert (path.suffixes[-2:], media_type) == ([".zarr", ".zip"], "application/zip")
    with zarr.storage.ZipStore(path, mode="r") as store:
        np.testing.assert_array_equal(xarray.open_zarr(store, mask_and_scale=False)["NDVI"].values, ALL_DATES)


def test_a_box_is_cut_out(services, tmp_path):
    box = {"bbox": [601_000, 5_640_000, 602_000, 5_642_000], "crs": "http://www.opengis.net/def/crs/EPSG/0/32631"}

    path, _media_type = exported(services, tmp_path, bbox=box)

    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), ALL_DATES[:, 80:100, 10:20])


def test_a_file_may_be_in_another_crs(services, tmp_path):
    path, _media_type = exported(services, tmp_path, crs="EPSG:3035", datetime="2020-06-01")

    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 3035


def test_several_layers_of_a_collection_come_together(tmp_path):
    layers = [served.make_layer("NDVI"), served.make_layer("LAI")]

    path, _media_type = exported(served.make_services(served.make_collection(*layers)), tmp_path, layer=["NDVI", "LAI"])

    with rasterio.open(path) as file:
        assert [name.split()[0] for name in file.descriptions] == ["NDVI", "LAI"] * 4


@pytest.fixture
def small_runs(monkeypatch):
    """Set runs of 5 kB; two of them are a partial result."""
    for module in (coverage_runs, coverage_warped):
        monkeypatch.setattr(module, "RUN_BYTES", 5_000)
    monkeypatch.setattr(stored_coverage, "PARTIAL_BYTES", 10_000)


SCENE = Scene(width=150, height=130)


@pytest.fixture(scope="module", params=["a chunk a time", "chunks along time"])
def scene(request, tmp_path_factory):
    """Services over a scene."""
    chunks = (1, 16, 16) if request.param == "a chunk a time" else (5, 16, 16)
    reader = open_source(write_zarr(tmp_path_factory.mktemp("scene"), SCENE, chunks=chunks))
    yield served.make_services_of(reader)
    reader.close()


@pytest.mark.quick_cases("chunks along time-GTiff-warped", "a chunk a time-zarr-native", "a chunk a time-NetCDF-native")
@pytest.mark.parametrize("crs", [None, "EPSG:3035"], ids=["native", "warped"])
@pytest.mark.parametrize("format_", FILE_FORMATS)
@pytest.mark.usefixtures("small_runs")
def test_many_tasks_make_the_file_that_coverages_give(scene, tmp_path, format_, crs):
    inputs = {"layer": "NDVI", "format": format_} | ({} if crs is None else {"crs": crs})

    results = do_oddly("export", inputs, scene, tmp_path)

    assert len(tasks_of("export", inputs, scene)) > 5
    request = CoverageRequest(layers=("NDVI",), crs=None if crs is None else crs_of(crs))
    with closing(deliver_coverage(request, format_, scene).body) as body:
        assert (tmp_path / "results" / results["export"].file).read_bytes() == b"".join(body.iter_bytes())


@pytest.mark.parametrize("format_", FILE_FORMATS)
def test_small_pictures_of_many_times_are_chunked_as_coverages_are(scene, tmp_path, monkeypatch, format_):
    monkeypatch.setattr(coverage_runs, "RUN_BYTES", 2 * 150 * 130)
    monkeypatch.setattr(stored_coverage, "PARTIAL_BYTES", 2 * 150 * 130)

    results = do_oddly("export", {"layer": "NDVI", "format": format_}, scene, tmp_path)

    request = CoverageRequest(layers=("NDVI",))
    with closing(deliver_coverage(request, format_, scene).body) as body:
        assert (tmp_path / "results" / results["export"].file).read_bytes() == b"".join(body.iter_bytes())


def two_layers(*days):
    """Services with NDVI at three dates, and with LAI at others."""
    times = {"NDVI": served.days_of("2020-05-21", "2020-06-01", "2020-06-11"), "LAI": served.days_of(*days)}
    variables = [served.make_variable(name, times=own) for name, own in times.items()]
    layers = [served.make_layer(each.name, variable=each) for each in variables]
    return with_files_of_dates(served.make_services(served.make_collection(*layers)))


@pytest.mark.usefixtures("small_runs")
def test_time_missing_from_a_layer_is_absent_even_if_added_during_the_job(tmp_path):
    inputs = {"layer": ["NDVI", "LAI"], "format": "NetCDF", "datetime": "2020-05/.."}
    plan, process = plan_of("export", inputs, two_layers("2020-06-01", "2020-06-21")), process_of("export")

    more = two_layers("2020-05-21", "2020-05-29", "2020-06-01", "2020-06-21", "2020-07-01")
    work = work_in(tmp_path, more, shared=plan.shared)
    results = process.finish(inputs, [process.run(inputs, task, work) for task in plan.tasks], work)

    with xarray.open_dataset(work.results / results["export"].file, engine="h5netcdf", mask_and_scale=False) as file:
        assert [f"{day:.10}" for day in file["time"].values.astype(str)] == [
            *("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"),
        ]
        assert (file["LAI"].values != served.NODATA).any(axis=(1, 2)).tolist() == [False, True, False, True]
        assert (file["NDVI"].values != served.NODATA).any(axis=(1, 2)).tolist() == [True, True, True, False]


def test_layers_without_time_are_exported(tmp_path):
    layer = served.make_layer(variable=served.make_variable(times=NO_TIME), times=NO_TIME)

    path, _media_type = exported(served.make_services(served.make_collection(layer)), tmp_path)

    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), ALL_DATES[:1])


@pytest.mark.slow
def test_memory_is_bounded_however_large_the_coverage(tmp_path):
    """The coverage has 400 MB of numbers."""
    grid = replace(served.BELGIUM_31N, width=10_000, height=10_000)
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    services = served.make_services(served.make_collection(layer))
    services = replace(services, readers={"s2": PlainReader(services.readers["s2"].info)})
    tracemalloc.start()
    try:
        results = do_oddly("export", {"layer": "NDVI"}, services, tmp_path)
        _now, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 100 << 20
    with rasterio.open(tmp_path / "results" / results["export"].file) as file:
        assert file.read(4, window=Window(9_000, 5_000, 1, 1)) == PlainReader.number(3)


class PlainReader(served.FormulaReader):
    """Reads one number per time, without any other memory."""

    @staticmethod
    def number(index):
        return 10 + index

    def read_window(self, variable, *, index, level, window, step=1):
        return Pixels(np.full((window.height, window.width), self.number(index), dtype=np.uint8))


@pytest.mark.parametrize("format_", FILE_FORMATS)
def test_files_are_written_in_the_folder_of_the_job_without_the_bound_of_requests(
    services, tmp_path, monkeypatch, format_
):
    monkeypatch.setattr(scratch_files, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    plan = plan_of("export", {"layer": "NDVI", "format": format_}, services)
    process, work = process_of("export"), work_in(tmp_path, services, shared=plan.shared)
    done = [process.run({"layer": "NDVI"}, task, work) for task in plan.tasks]

    with full_disk():
        results = process.finish({"layer": "NDVI", "format": format_}, done, work)

    assert (work.results / results["export"].file).stat().st_size > 0


def test_repeated_task_leaves_one_result(services, tmp_path):
    results = do_oddly("export", {"layer": "NDVI"}, services, tmp_path)
    again = do_oddly("export", {"layer": "NDVI"}, services, tmp_path)

    assert again == results
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["s2_2020-05-21_2020-06-21.tif"]
    assert not list(tmp_path.rglob("*.part"))


def test_a_job_that_was_dismissed_leaves_nothing(services, tmp_path):
    process, plan = process_of("export"), plan_of("export", {"layer": "NDVI"}, services)
    (task,), work = plan.tasks, work_in(tmp_path, services, shared=plan.shared)
    done = process.run({"layer": "NDVI"}, task, work)

    with pytest.raises(ClientGone):
        process.run({"layer": "NDVI"}, task, replace(work, is_active=lambda: False))
    shutil.rmtree(work.folder)
    with pytest.raises(ClientGone):
        process.run({"layer": "NDVI"}, task, work)
    with pytest.raises(ClientGone):
        process.finish({"layer": "NDVI"}, [done], work)
    assert not list(work.results.iterdir())


def test_another_grid_ends_the_job(services, tmp_path):
    plan = plan_of("export", {"layer": "NDVI"}, services)
    layer = served.make_layer(variable=served.make_variable(grid=replace(served.BELGIUM_31N, width=500)))
    work = work_in(tmp_path, served.make_services(served.make_collection(layer)), shared=plan.shared)

    with pytest.raises(SourceUnavailable, match="grid"):
        process_of("export").run({"layer": "NDVI"}, plan.tasks[0], work)


@pytest.mark.parametrize(
    ("inputs", "error"),
    [
        ({"datetime": "2019"}, TimeNotAvailable),
        ({"crs": "EPSG:1"}, UnsupportedCrs),
        ({"format": "png"}, InvalidParameter),
        ({"layer": []}, InvalidParameter),
    ],
    ids=str,
)
def test_impossible_file_is_refused_before_anything_is_read(services, inputs, error):
    with pytest.raises(error):
        tasks_of("export", {"layer": "NDVI"} | inputs, services)


def test_file_above_the_limit_of_bytes_is_refused(services, monkeypatch):
    monkeypatch.setattr(export, "MAX_BYTES", 479_999)

    with pytest.raises(LimitExceeded, match="smaller bbox"):
        tasks_of("export", {"layer": "NDVI"}, services)


@pytest.mark.data
def test_real_data_are_exported_unchanged(tmp_path, shared_data):
    truth = raster_truth(sorted((shared_data / "modis_sinop").glob("*.jp2")), dtype="int16", scale=1e-4)
    archive = open_place(CONFIGURED["modis_sinop"])

    path, _media_type = exported(archive.services, tmp_path, layer="sinop.NDVI")
    archive.close()

    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), truth.numbers)
