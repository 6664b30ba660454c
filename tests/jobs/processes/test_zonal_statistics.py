"""Statistics of many areas, compared with the series of the same areas and with numpy."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
import shapely
from pyarrow import parquet
from rasterio.features import rasterize
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.errors import (
    ClientGone,
    InvalidParameter,
    LimitExceeded,
    SourceUnavailable,
    UnknownLayer,
    UnknownPlace,
    UnsupportedCrs,
)
from chronotile.core.model.job import Execution
from chronotile.jobs.processes import process as process_module
from chronotile.jobs.processes import zonal_statistics
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.runner.tasks import TaskContext, do_task, finish, store_plan, store_task_results
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, with_times, work_in
from tests.places import make_places
from tests.protocols import served
from tests.real_data.truth import SHARED, open_place, xarray_truth

NORTH_AMERICA = SHARED / "data" / "modis_ndvi_north_america"
LAYER = "ndvi-north-america-2001.ndvi"
OTHER_CRS = {"type": "name", "properties": {"name": "EPSG:2180"}}
REDUCERS = ["mean", "std", "min", "max", "median", "p10", "count", "valid_share", "histogram:4:0:1"]


FLOAT32 = 1.2e-7
"""Statistics are written as shortest decimals of their float32."""


def squares(count, *, side=0.02, **members):
    """Return adjacent features in the formula's scene; the first lies outside it."""
    corners = [(40.0, 40.0), *((4.45 + 0.6 * k / count, 50.75 + 0.2 * k / count) for k in range(1, count))]
    features = [
        {
            "type": "Feature",
            "id": f"field {number}",
            "properties": {"crop": number},
            "geometry": shapely.geometry.mapping(shapely.box(x, y, x + side, y + side)),
        }
        for number, (x, y) in enumerate(corners)
    ]
    return {"type": "FeatureCollection", "features": features, **members}


@pytest.fixture(scope="module")
def services():
    return served.make_services()


@pytest.fixture
def small_tasks(monkeypatch):
    """Tasks of three places."""
    monkeypatch.setattr(zonal_statistics, "PLACES_PER_TASK", 3)


def answer_of(services, body, query):
    """Return the answer of `/timeseries/{layer}/areas`."""
    with TestClient(application(services)) as client:
        return client.post(f"/timeseries/NDVI/areas?{query}", json=body).content


@pytest.mark.parametrize("format_", ["csv", "geojson"])
def test_files_equal_the_series_of_areas_for_any_tasks(services, small_tasks, tmp_path, format_):
    places = squares(10)

    results = do_oddly(
        "zonal-statistics",
        {"layer": "NDVI", "places": places, "reducers": ["mean", "p10", "count", "histogram:4:0:1"], "format": format_},
        services,
        tmp_path,
    )

    written = (tmp_path / "results" / results["statistics"].file).read_bytes()
    assert written == answer_of(services, places, f"reducers=mean,p10,count,histogram:4:0:1&format={format_}")
    assert [path.name for path in (tmp_path / "results").iterdir()] == [f"statistics.{format_}"]


@pytest.mark.parametrize("format_", zonal_statistics.FORMATS)
def test_each_partial_result_is_read_once(services, small_tasks, tmp_path, monkeypatch, format_):
    names = []
    read = zonal_statistics.read_partial_result
    monkeypatch.setattr(
        zonal_statistics, "read_partial_result", lambda work, name: names.append(name) or read(work, name)
    )

    do_oddly("zonal-statistics", {"layer": "NDVI", "places": squares(10), "format": format_}, services, tmp_path)

    assert len(names) > 1
    assert len(set(names)) == len(names)


def test_parquet_has_the_rows_of_the_series_of_areas(services, small_tasks, tmp_path):
    places = squares(10)
    inputs = {"layer": "NDVI", "places": places, "reducers": ["mean", "count"], "weights": "area", "format": "parquet"}

    do_oddly("zonal-statistics", inputs, services, tmp_path)

    written = parquet.read_table(tmp_path / "results" / "statistics.parquet")
    expected = answer_of(services, places, "reducers=mean,count&weights=area&format=parquet")
    assert written.equals(parquet.read_table(io.BytesIO(expected)), check_metadata=True)


def test_places_of_a_set_have_its_ids(tmp_path):
    places = make_places()
    services = served.make_services(places=[places])

    results = execute(
        Execution(process="zonal-statistics", inputs={"layer": "NDVI", "places": places.id}), services, tmp_path
    )

    rows = list(csv.DictReader((tmp_path / results["statistics"].file).read_text().splitlines()))
    assert [row["id"] for row in rows[:: len(served.DEKADS)]] == list(places.ids)


@pytest.mark.parametrize(
    ("inputs", "error", "locator"),
    [
        ({"layer": "nonsense"}, UnknownLayer, "inputs.layer"),
        ({"datetime": "nonsense"}, InvalidParameter, "inputs.datetime"),
        ({"places": "nonsense"}, UnknownPlace, "inputs.places"),
        ({"places": {"type": "FeatureCollection", "features": [{"type": "Point"}]}}, InvalidParameter, "inputs.places"),
        ({"places": {"type": "FeatureCollection", "features": []}}, InvalidParameter, "inputs.places.features"),
        ({"places": squares(2, crs=OTHER_CRS)}, UnsupportedCrs, "inputs.places.crs"),
        ({"places": squares(1)}, InvalidParameter, "inputs.places"),
        ({"reducers": ["nonsense"]}, InvalidParameter, "inputs.reducers"),
        ({"reducers": [f"p{n}" for n in range(33)]}, InvalidParameter, "inputs.reducers"),
        ({"weights": "nonsense"}, InvalidParameter, "inputs.weights"),
        ({"min_valid": 2}, InvalidParameter, "inputs.min_valid"),
        ({"format": "nonsense"}, InvalidParameter, "inputs.format"),
    ],
    ids=str,
)
def test_impossible_request_is_refused_before_anything_is_done(services, inputs, error, locator):
    with pytest.raises(error) as refused:
        tasks_of("zonal-statistics", {"layer": "NDVI", "places": squares(2)} | inputs, services)

    assert refused.value.locator == locator


def elsewhere(count, *, but=()):
    """Return features outside the formula's scene, except for some."""
    places = squares(count)
    outside, *inside = places["features"]
    return places | {"features": [inside[place] if place in but else outside for place in range(count)]}


def test_places_of_many_tasks_are_refused_if_all_lie_outside_the_layer(services, small_tasks):
    with pytest.raises(
        InvalidParameter, match="none of the 100 places lies in the layer: of the first all 3 "
    ) as refused:
        tasks_of("zonal-statistics", {"layer": "NDVI", "places": elsewhere(100)}, services)

    assert refused.value.locator == "inputs.places"


def test_places_are_accepted_if_one_lies_in_the_layer(services, small_tasks):
    assert len(tasks_of("zonal-statistics", {"layer": "NDVI", "places": elsewhere(100, but=[4])}, services)) == 34


def test_crs_next_to_the_features_applies_in_every_task(services, small_tasks, tmp_path):
    crs = {"crs": {"type": "name", "properties": {"name": "EPSG:32631"}}}
    places = squares(10, **crs)
    for number, feature in enumerate(places["features"]):
        x, y = 601_000 + 1000 * number, 5_640_000
        feature["geometry"] = shapely.geometry.mapping(shapely.box(x, y, x + 500, y + 500))

    do_oddly("zonal-statistics", {"layer": "NDVI", "places": places}, services, tmp_path)

    assert (tmp_path / "results" / "statistics.csv").read_bytes() == answer_of(services, places, "format=csv")


def test_tasks_hold_few_values(services, monkeypatch):
    monkeypatch.setattr(zonal_statistics, "TASK_VALUES", 4 * len(served.DEKADS))

    tasks = tasks_of("zonal-statistics", {"layer": "NDVI", "places": squares(10), "reducers": ["min", "max"]}, services)

    assert [(task["first"], task["last"]) for task in tasks] == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]


def test_added_dates_are_excluded_and_a_removed_one_ends_the_job(tmp_path):
    inputs = {"layer": "NDVI", "places": squares(2), "datetime": "2020-05-25/.."}
    plan = plan_of("zonal-statistics", inputs, with_times("2020-05-21", "2020-06-01", "2020-06-11"))
    process, (task,) = process_of("zonal-statistics"), plan.tasks

    more = with_times("2020-05-21", "2020-05-29", "2020-06-01", "2020-06-11", "2020-06-21")
    work = work_in(tmp_path, more, shared=plan.shared)
    process.finish(inputs, [process.run(inputs, task, work)], work)

    lines = (tmp_path / "results" / "statistics.csv").read_text().splitlines()[1:]
    assert {line.split(",")[1] for line in lines} == {"2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z"}
    with pytest.raises(SourceUnavailable, match="is gone since the job began"):
        process.run(inputs, task, replace(work, services=with_times("2020-05-21", "2020-06-11")))


def test_too_many_tasks_are_refused(services, monkeypatch):
    monkeypatch.setattr(zonal_statistics, "PLACES_PER_TASK", 2)
    monkeypatch.setattr(process_module, "MAX_TASKS", 4)

    with pytest.raises(LimitExceeded, match="request fewer p"):
        tasks_of("zonal-statistics", {"layer": "NDVI", "places": squares(10)}, services)


def test_a_job_that_is_dismissed_leaves_nothing(services, tmp_path):
    inputs = {"layer": "NDVI", "places": squares(5)}
    process, plan = process_of("zonal-statistics"), plan_of("zonal-statistics", inputs, services)
    (task,), work = plan.tasks, work_in(tmp_path, services, shared=plan.shared)
    done = process.run(inputs, task, work)

    with pytest.raises(ClientGone):
        process.run(inputs, task, replace(work, is_active=lambda: False))
    with pytest.raises(ClientGone):
        process.finish(inputs, [done], replace(work, is_active=lambda: False))

    assert not list(work.results.iterdir())


def test_many_places_are_refused_by_a_request_that_waits(services, tmp_path, monkeypatch):
    monkeypatch.setattr(zonal_statistics, "PLACE_S", 30.0)

    with pytest.raises(LimitExceeded, match="respond-async"):
        execute(
            Execution(process="zonal-statistics", inputs={"layer": "NDVI", "places": squares(2)}), services, tmp_path
        )


@pytest.fixture(scope="module")
def north_america():
    archive = open_place(NORTH_AMERICA)
    yield archive.services
    archive.close()


@pytest.fixture(scope="module")
def states():
    text = (SHARED / "data" / "naturalearth" / "ne_50m_admin_1_states_provinces.json").read_text()
    return json.loads(text)


@pytest.mark.data
@pytest.mark.slow
def test_states_from_workers_equal_those_of_the_series_endpoint(north_america, states, small_tasks, tmp_path):
    inputs = {"layer": LAYER, "places": states, "reducers": REDUCERS}
    plan = plan_of("zonal-statistics", inputs, north_america)
    tasks = plan.tasks
    kept = store_plan(tmp_path, inputs, plan)
    context = TaskContext(
        place=str(NORTH_AMERICA), revision="", process="zonal-statistics", folder=str(tmp_path), plan=kept.id
    )

    done = [do_task(context, task) for task in reversed([*tasks, *tasks])]
    store_task_results(tmp_path, done[: len(tasks)][::-1])
    finish(context)

    with TestClient(application(north_america)) as client:
        query = f"reducers={','.join(REDUCERS)}&format=csv"
        answer = client.post(f"/timeseries/{LAYER}/areas?{query}", json=states)
    assert (tmp_path / "results" / "statistics.csv").read_bytes() == answer.content


@pytest.mark.data
@pytest.mark.slow
def test_states_equal_those_of_numpy_from_the_file(north_america, states, tmp_path):
    truth = xarray_truth(NORTH_AMERICA / "ndvi_north_america_2001.nc", "ndvi")
    values = np.where(truth.valid(), truth.numbers * truth.scale + truth.offset, np.nan)

    do_oddly("zonal-statistics", {"layer": LAYER, "places": states, "reducers": REDUCERS}, north_america, tmp_path)

    rows = list(csv.DictReader((tmp_path / "results" / "statistics.csv").read_text().splitlines()))
    means = np.array([float(row["mean"] or "nan") for row in rows]).reshape(len(states["features"]), -1)
    tenths = np.array([float(row["p10"] or "nan") for row in rows]).reshape(means.shape)
    shape, transform = truth.numbers.shape[1:], truth.transform
    found = 0
    for number, feature in enumerate(states["features"]):
        cells = rasterize([feature["geometry"]], out_shape=shape, transform=transform, dtype="uint8") == 1
        own = values[:, cells]
        if own.size and np.isfinite(own).any(axis=1).all():
            np.testing.assert_allclose(means[number], np.nanmean(own, axis=1), rtol=FLOAT32)
            np.testing.assert_allclose(tenths[number], np.nanpercentile(own, 10, axis=1), rtol=FLOAT32)
            found += 1
    assert found > 50
