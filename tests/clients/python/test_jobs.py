"""Executions and jobs: synchronous, by a worker, cancelled and failed; results compared with scipy and the API."""

import asyncio
import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray
from scipy.stats import theilslopes
from shapely.geometry import box

from chronotile_client import Archive, InvalidRequest, JobFailed, NotFound
from chronotile_client.opening import open_content
from chronotile_client.progress import show_progress
from tests.jobs.runner.deployment import working
from tests.running import PATIENCE_S, serving

BOX = (4.4, 50.97, 4.43, 51.0)


def test_values_are_available_immediately(archive):
    job = archive.process("echo", string="Hello", number=3)

    assert job.status == "successful"
    assert job.wait().open("string") == "Hello"
    assert {name: result.value for name, result in job.results().items()} == {"string": "Hello", "number": 3}


def test_output_must_be_named_if_there_are_several(archive):
    job = archive.process("echo", string="Hello", number=3)

    with pytest.raises(KeyError, match="name one of the outputs string, number"):
        job.open()


def test_refused_input_is_named(archive):
    with pytest.raises(NotFound, match=r"parameter: inputs\.layer"):
        archive.process("trend", layer="NDVJ")
    with pytest.raises(InvalidRequest, match=r"parameter: inputs\.bbox"):
        archive.process("trend", layer="NDVI", bbox=(1, 2, 3))
    with pytest.raises(NotFound, match="bake"):
        archive.process("bake", layer="NDVI")


def test_synchronous_histogram_equals_that_of_the_api(recorded):
    layer = recorded.archive.layers["NDVI"]

    found = recorded.archive.process("histogram", layer=layer, time=["2020-06-01", "2020-06-11"], bins=5).open()

    body = {"inputs": {"layer": "NDVI", "datetime": "2020-06-01,2020-06-11", "bins": 5}}
    assert found == recorded.document("/ogcapi/processes/histogram/execution", body)
    assert sum(found["counts"]) > 100_000


def test_area_of_a_process_may_be_a_geometry(archive):
    area = box(4.6, 50.8, 4.61, 50.81)

    found = archive.process("histogram", layer="NDVI", area=area, bins=np.int64(5)).open()

    assert 0 < sum(found["counts"]) < 5000


def test_job_waits_for_a_worker_and_can_be_cancelled(archive):
    job = archive.process("echo", at_once_s=0, string="Hello")
    states = []

    with pytest.raises(TimeoutError, match="has not ended within 0 s: accepted, queued; no worker"):
        job.wait(timeout_s=0, progress=states.append)
    with pytest.raises(NotFound, match="no results yet"):
        job.results()
    again = archive.job(job.id)
    job.cancel()

    assert [state.status for state in states] == ["accepted"]
    assert again.status == "dismissed"
    with pytest.raises(JobFailed, match="was cancelled"):
        job.wait(progress=None)
    with pytest.raises(JobFailed, match="was cancelled"):
        job.results()


def test_wait_in_a_script_logs_each_step_once(archive, caplog):
    caplog.set_level(logging.INFO, logger="chronotile_client")
    job = archive.process("echo", at_once_s=0, string="Hello")
    for _ in range(2):
        with pytest.raises(TimeoutError):
            job.wait(timeout_s=0)

    for percent in range(101):
        show_progress(replace(job.state, status="running", progress=percent))

    first, *others = caplog.messages
    assert first.startswith(f"job {job.id}: echo: accepted, 0 % queued; no worker")
    assert [int(each.split()[4]) for each in others] == list(range(0, 101, 10))


def test_job_that_is_forgotten_counts_as_dismissed(archive):
    job = archive.process("echo", at_once_s=0, string="Hello")
    archive.job(job.id).cancel()
    archive.job(job.id).cancel()

    job.cancel()

    assert job.status == "dismissed"
    with pytest.raises(NotFound, match="there is no job"):
        archive.job(job.id)


@pytest.mark.slow
def test_trend_equals_that_of_scipy(demo, ndvi_of_files):
    found = demo.archive.process("trend", layer=demo.archive.layers["NDVI"], bbox=BOX).wait().open()

    series = ndvi_of_files.sel(x=found.x, y=found.y)
    years = (series.time.values - series.time.values[0]) / np.timedelta64(1, "D") / 365.25
    for row, column in [(0, 0), (5, 7), (20, 11)]:
        values = series.values[:, row, column]
        expected = theilslopes(values[np.isfinite(values)], years[np.isfinite(values)])
        assert float(found.slope[row, column]) == pytest.approx(expected.slope, abs=1e-6)
        assert float(found["count"][row, column]) == np.isfinite(values).sum()
    assert found.attrs["attribution"] == demo.archive.layers["NDVI"].attribution


@pytest.mark.slow
@pytest.mark.parametrize("form", ["GTiff", "NetCDF", "zarr"])
def test_export_is_the_cube_in_every_format(demo, form, tmp_path):
    cube = demo.archive.layers["NDVI"].cube(BOX, "2023-06")

    job = demo.archive.process("export", layer=["NDVI", "LAI"], time="2023-06", bbox=BOX, format=form)
    opened = [job.open(), job.open(to=tmp_path)]

    for found in opened:
        assert {"NDVI", "LAI"} <= set(found.data_vars)
        np.testing.assert_allclose(found.NDVI.values, cube.values, atol=1e-6)
        assert found.NDVI.dims == cube.dims
        for name in ("time", "y", "x"):
            np.testing.assert_array_equal(found[name].values, cube[name].values)
        found.close()
    assert [path.stem.split(".")[0] for path in tmp_path.iterdir()] == ["export"]


@pytest.mark.slow
def test_serving_cube_opens_as_the_layer(demo, ndvi_of_files, tmp_path):
    job = demo.archive.process("optimise", layer="NDVI", time="2023-06", bbox=BOX)
    opened = [job.open(), job.open(to=tmp_path)]

    for dataset in opened:
        assert dataset.NDVI.dims == ("time", "y", "x")
        expected = ndvi_of_files.sel(x=dataset.x, y=dataset.y, time=dataset.time)
        assert dataset.NDVI.size > 1000
        np.testing.assert_allclose(dataset.NDVI.where(dataset.NDVI < 0.921), expected, rtol=1e-6)
        dataset.close()


@pytest.mark.slow
def test_anomaly_has_times_and_composite_is_one_map(demo, ndvi_of_files):
    anomaly = demo.archive.process("anomaly", layer="NDVI", time="2023-06", bbox=BOX).open()
    composite = demo.archive.process("composite", layer="NDVI", reducer="max", bbox=BOX).open()

    assert list(anomaly.NDVI.time.values) == list(demo.archive.layers["NDVI"].times("2023-06"))
    assert composite.NDVI.dims == ("y", "x")
    expected = ndvi_of_files.sel(x=composite.x, y=composite.y).max("time")
    np.testing.assert_allclose(composite.NDVI, expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_statistics_of_areas_are_a_table(demo, form):
    found = demo.archive.process("zonal-statistics", layer="NDVI", places="regions", time="2023-06", format=form).open()

    series = demo.archive.layers["NDVI"].series("regions/mechelen", time="2023-06")
    own = found[found["id"] == "mechelen"]
    assert own["mean"].tolist() == pytest.approx(series["mean"].tolist(), abs=1e-6)


IDS = ["007", "NA", "1e3", ""]


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"dialect": "semicolon"}, {"date": "day", "columns": "all"}, {"dialect": "semicolon", "columns": "all"}],
    ids=["comma", "semicolon", "days", "all"],
)
def test_csv_is_the_table_that_parquet_is(archive, options, tmp_path):
    square = {"type": "Polygon", "coordinates": box(4.6, 50.8, 4.61, 50.81).__geo_interface__["coordinates"]}
    features = [{"type": "Feature", "id": id_, "properties": {}, "geometry": square} for id_ in IDS]
    inputs = {
        "layer": "NDVI",
        "places": {"type": "FeatureCollection", "features": features},
        "reducers": ["mean", "std"],
    }

    job = archive.process("zonal-statistics", at_once_s=20, format="csv", **options, **inputs)
    expected = archive.process("zonal-statistics", at_once_s=20, format="parquet", **inputs).open()

    assert expected["id"].tolist() == [id_ for id_ in IDS for _ in range(4)]
    assert expected["std"].between(1, 100).all()
    assert (expected.index.tz, expected.index.name) == (None, "time")
    for found in (job.open(), job.open(to=tmp_path / "table.csv")):
        pd.testing.assert_frame_equal(found[expected.columns], expected)


def test_csv_without_a_value_or_a_time():
    text = b'id;time;value;reason\n1e3;;;cloud\n"a;b,c";2020-01-01T00:00:00.5Z;-1,5;NA\n;2020-01-01;1e-05;\n'

    found = open_content(text, "text/csv; charset=utf-8")

    assert found["id"].tolist() == ["1e3", "a;b,c", ""]
    assert found["value"].tolist() == pytest.approx([np.nan, -1.5, 1e-5], nan_ok=True)
    assert found["reason"].tolist()[:2] == ["cloud", "NA"]
    assert pd.isna(found["reason"].iloc[2])
    assert [pd.NaT if pd.isna(time) else time for time in found.index] == [
        pd.NaT, pd.Timestamp("2020-01-01T00:00:00.5"), pd.Timestamp("2020-01-01"),
    ]  # fmt: skip


@pytest.mark.slow
def test_file_of_another_kind_is_saved(demo, tmp_path):
    job = demo.archive.process("animation", layer="NDVI", time="2023-06", width=64, format="image/gif")

    saved = job.save(tmp_path)

    assert saved == tmp_path / "animation.gif"
    assert saved.read_bytes() == job.open()
    assert saved.read_bytes()[:6] == b"GIF89a"


@pytest.fixture(scope="module")
def with_worker(demo_folder, tmp_path_factory):
    """URL of the demo, served by a separate process with a worker."""
    environment = {"CHRONOTILE_JOBS_DIR": str(tmp_path_factory.mktemp("jobs"))}
    with (
        serving("serve", demo_folder / "demo.yaml", "--workers", "1", **environment) as (_, url, _lines),
        working(demo_folder / "demo.yaml", **environment),
    ):
        yield url


@pytest.mark.slow
def test_job_is_done_by_a_worker(with_worker, tmp_path):
    states = []

    with Archive(with_worker) as archive:
        job = archive.process("composite", at_once_s=0, layer="NDVI", time="2023-06", reducer="max", bbox=BOX)
        found = job.wait(timeout_s=PATIENCE_S, progress=states.append).open(to=tmp_path / "composite.tif")
        expected = archive.layers["NDVI"].cube(BOX, "2023-06").max("time")
        job.cancel()

    assert states[0].status == "accepted"
    assert (states[-1].status, states[-1].progress) == ("successful", 100)
    np.testing.assert_allclose(found.NDVI, expected, atol=1e-6)
    assert (tmp_path / "composite.tif").stat().st_size > 0


@pytest.mark.slow
def test_async_archive_gives_the_same(demo):
    archive = demo.archive
    layer = archive.layers["NDVI"]
    area = box(4.4, 50.97, 4.43, 51.0)

    async def request():
        async with demo.async_archive() as other:
            found = (await other.layers())["NDVI"]
            job = await other.process("trend", layer=found, bbox=BOX)
            return (
                found,
                await asyncio.gather(
                    found.series((4.42, 50.98)),
                    found.series(area, reducers=["mean", "p10"]),
                    found.cube(BOX, "2023-06"),
                    found.times("2023"),
                    found.map(BOX, width=32),
                    (await job.wait()).open(),
                ),
            )

    other, (point, areas, cube, times, picture, trend) = asyncio.run(request())

    assert other.id == layer.id
    pd.testing.assert_frame_equal(point, layer.series((4.42, 50.98)))
    pd.testing.assert_frame_equal(areas, layer.series(area, reducers=["mean", "p10"]))
    xarray.testing.assert_identical(cube, layer.cube(BOX, "2023-06"))
    assert list(times) == list(layer.times("2023"))
    assert picture == layer.map(BOX, width=32)
    xarray.testing.assert_identical(trend, archive.process("trend", layer=layer, bbox=BOX).open())
