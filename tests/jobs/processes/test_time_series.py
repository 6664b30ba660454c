"""Series of many points, compared with those of requests and with the numbers in the files."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from pyarrow import parquet
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.errors import ClientGone, InvalidParameter, LimitExceeded, UnknownLayer
from chronotile.core.model.job import Execution
from chronotile.jobs.processes import process as process_module
from chronotile.jobs.processes import time_series
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, work_in
from tests.protocols import served
from tests.real_data.truth import SHARED, open_place, xarray_truth

NORTH_AMERICA = SHARED / "data" / "modis_ndvi_north_america"
REAL_LAYER = "ndvi-north-america-2001.ndvi"
POSITIONS = [[4.5 + 0.04 * number, 50.75 + 0.01 * number] for number in range(11)] + [[40.0, 40.0]]
COLLECTION = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": f"place {number}",
            "properties": None,
            "geometry": {"type": "Point", "coordinates": [*position, 12.0]},
        }
        for number, position in enumerate(POSITIONS)
    ],
}
NAMED = [{"id": f"place {number}", "lon": lon, "lat": lat} for number, (lon, lat) in enumerate(POSITIONS)]


@pytest.fixture(scope="module")
def services():
    return served.make_services(*served.varied_collections())


@pytest.fixture
def small_tasks(monkeypatch):
    """Tasks of five points."""
    monkeypatch.setattr(time_series, "POINTS_PER_TASK", 5)


def answer_of(services, layers, points, format_):
    """Return the answer of `/timeseries/points`."""
    with TestClient(application(services)) as client:
        return client.post(f"/timeseries/points?format={format_}", json={"layers": layers, "points": points}).content


@pytest.mark.parametrize(
    ("layers", "points", "same", "format_"),
    [
        ("NDVI", POSITIONS, POSITIONS, "csv"),
        (["NDVI"], COLLECTION, NAMED, "csv"),
        (["NDVI", "TIMED"], COLLECTION, NAMED, "json"),
        (["TIMED"], {"type": "MultiPoint", "coordinates": POSITIONS}, POSITIONS, "json"),
    ],
    ids=["positions as csv", "features as csv", "layers as json", "multipoint as json"],
)
def test_files_equal_the_series_of_points(services, small_tasks, tmp_path, layers, points, same, format_):
    inputs = {"layers": layers, "points": points, "format": format_}

    results = do_oddly("time-series", inputs, services, tmp_path)

    listed = [layers] if isinstance(layers, str) else layers
    written = (tmp_path / "results" / results["series"].file).read_bytes()
    assert written == answer_of(services, listed, same, format_)


@pytest.mark.parametrize("format_", time_series.FORMATS)
def test_each_partial_result_is_read_once(services, small_tasks, tmp_path, monkeypatch, format_):
    names = []
    read = time_series.read_partial_result
    monkeypatch.setattr(time_series, "read_partial_result", lambda work, name: names.append(name) or read(work, name))

    do_oddly("time-series", {"layers": "NDVI", "points": COLLECTION, "format": format_}, services, tmp_path)

    assert len(names) > 1
    assert len(set(names)) == len(names)


def test_parquet_has_the_rows_of_the_series_of_points(services, small_tasks, tmp_path):
    do_oddly("time-series", {"layers": "NDVI", "points": COLLECTION, "format": "parquet"}, services, tmp_path)

    written = parquet.read_table(tmp_path / "results" / "series.parquet")
    expected = parquet.read_table(io.BytesIO(answer_of(services, ["NDVI"], NAMED, "parquet")))
    assert written.equals(expected, check_metadata=True)


@pytest.mark.parametrize(
    ("inputs", "error", "locator"),
    [
        ({"layers": "nonsense"}, UnknownLayer, "inputs.layers"),
        ({"layers": ["NDVI", "TIMED"]}, InvalidParameter, "inputs.format"),
        ({"datetime": "nonsense"}, InvalidParameter, "inputs.datetime"),
        ({"points": []}, InvalidParameter, "inputs.points"),
        ({"points": [[4.5, 50.8], [4.5, 95]]}, InvalidParameter, "inputs.points[1]"),
        ({"points": [[4.5, 50.8], [4.5]]}, InvalidParameter, "inputs.points[1]"),
        ({"points": [[4.5, "north"]]}, InvalidParameter, "inputs.points[0][1]"),
        (
            {"points": {"type": "MultiPoint", "coordinates": [[400, 5]]}},
            InvalidParameter,
            "inputs.points.coordinates[0]",
        ),
        (
            {"points": {"type": "FeatureCollection", "features": [{"geometry": None}]}},
            InvalidParameter,
            "inputs.points.features[0].geometry",
        ),
        ({"format": "geojson"}, InvalidParameter, "inputs.format"),
    ],
    ids=str,
)
def test_impossible_request_is_refused_before_anything_is_done(services, inputs, error, locator):
    with pytest.raises(error) as refused:
        tasks_of("time-series", {"layers": "NDVI", "points": POSITIONS} | inputs, services)

    assert refused.value.locator == locator


def test_tasks_hold_few_values(services, monkeypatch):
    monkeypatch.setattr(time_series, "TASK_VALUES", 5 * len(served.DEKADS))

    tasks = tasks_of("time-series", {"layers": "NDVI", "points": POSITIONS}, services)

    assert [(task["first"], task["last"]) for task in tasks] == [(0, 5), (5, 10), (10, 12)]


def test_too_many_tasks_are_refused(services, monkeypatch):
    monkeypatch.setattr(time_series, "POINTS_PER_TASK", 2)
    monkeypatch.setattr(process_module, "MAX_TASKS", 4)

    with pytest.raises(LimitExceeded, match="request fewer p"):
        tasks_of("time-series", {"layers": "NDVI", "points": POSITIONS}, services)


def test_a_job_that_is_dismissed_leaves_nothing(services, tmp_path):
    inputs = {"layers": "NDVI", "points": POSITIONS}
    process, plan = process_of("time-series"), plan_of("time-series", inputs, services)
    (task,), work = plan.tasks, work_in(tmp_path, services, shared=plan.shared)
    done = process.run(inputs, task, work)

    with pytest.raises(ClientGone):
        process.finish(inputs, [done], replace(work, is_active=lambda: False))

    assert not list(work.results.iterdir())


@pytest.mark.data
def test_points_of_a_continent_have_the_numbers_of_the_file(small_tasks, tmp_path):
    truth = xarray_truth(NORTH_AMERICA / "ndvi_north_america_2001.nc", "ndvi")
    cells = truth.cells(60)
    archive = open_place(NORTH_AMERICA)
    inputs = {"layers": REAL_LAYER, "points": [list(truth.lonlat(*cell)) for cell in cells]}

    results = execute(Execution(process="time-series", inputs=inputs), archive.services, tmp_path)
    archive.close()

    rows = list(csv.DictReader((tmp_path / results["series"].file).read_text().splitlines()))
    values = np.array([float(row["value"] or "nan") for row in rows]).reshape(len(cells), -1)
    expected = np.array([truth.expected(*cell) for cell in cells], dtype=np.float64)
    np.testing.assert_array_equal(values, expected.round(12))
