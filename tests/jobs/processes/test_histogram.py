"""Histograms, compared with numpy's for the same numbers."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import shapely

from chronotile.core.errors import (
    ClientGone,
    InvalidParameter,
    LimitExceeded,
    OutsideData,
    SourceUnavailable,
    UnknownLayer,
    UnsupportedCrs,
)
from chronotile.core.model.job import Execution
from chronotile.core.model.time.domain import NO_TIME
from chronotile.jobs.processes import histogram
from chronotile.jobs.processes import process as process_module
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.registry import process_of
from tests.jobs.processes.doing import do_oddly, plan_of, tasks_of, work_in
from tests.protocols import served
from tests.real_data.truth import SHARED, open_place, xarray_truth
from tests.scenes import Scene, write_cogs

NORTH_AMERICA = SHARED / "data" / "modis_ndvi_north_america"
REAL = {"layer": "ndvi-north-america-2001.ndvi"}
TRIANGLE = {"type": "Polygon", "coordinates": [[[4.5, 50.75], [5.0, 50.8], [4.7, 50.98], [4.5, 50.75]]]}
OTHER_CRS = {"type": "name", "properties": {"name": "EPSG:2180"}}
GRID = served.BELGIUM_31N


@pytest.fixture(scope="module")
def services():
    return served.make_services()


@pytest.fixture
def small_tasks(monkeypatch):
    """Tasks of 70 rows and one date."""
    monkeypatch.setattr(histogram, "TASK_CELLS", 70 * GRID.width)
    monkeypatch.setattr(histogram, "TASK_NUMBERS", 1)


def counted(inputs, services, folder):
    """Return the document of a histogram."""
    return do_oddly("histogram", inputs, services, folder)["histogram"].value


def expected_values(services, *, is_inside=True, times=4):
    """Values of the formula's cells at all times, and how many cells have none."""
    encoding = services.catalogue.layer("NDVI").main_variable.encoding
    rows, columns = np.indices((GRID.height, GRID.width))
    numbers = np.stack([served.number_at(rows, columns, time) for time in range(times)])
    is_value = (numbers != served.NODATA) & is_inside
    return encoding.values(numbers[is_value]), int((np.broadcast_to(is_inside, numbers.shape) & ~is_value).sum())


def histogram_of_steps(values, edges, steps):
    """numpy's histogram, of so many whole steps a unit: without noise, a value that is an edge is in the bin above."""
    return np.histogram(np.rint(values * steps), np.rint(edges * steps))


def inside(polygon):
    """(y, x): whether centres of cells lie in a polygon of degrees."""
    rows, columns = np.indices((GRID.height, GRID.width)) + 0.5
    x, y = GRID.transform @ (columns, rows)
    to_degrees = served.transformer(GRID.crs, served.CRS84)
    return shapely.contains_xy(shapely.geometry.shape(polygon), *to_degrees.transform(x, y))


def test_counts_equal_those_of_numpy_for_any_tasks(services, small_tasks, tmp_path):
    document = do_oddly("histogram", {"layer": "NDVI", "bins": 7, "range": [0.1, 0.8]}, services, tmp_path)[
        "histogram"
    ].value

    values, no_data = expected_values(services)
    edges = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
    counts, _ = histogram_of_steps(values, edges, 1000)
    assert len(tasks_of("histogram", {"layer": "NDVI"}, services)) == 5 * 4
    assert (document["counts"], document["edges"]) == (counts.tolist(), edges.tolist())
    assert (document["no_data"], document["outside"]) == (no_data, values.size - counts.sum())
    assert document["times"] == 4


def test_an_area_has_the_cells_whose_centres_lie_in_it(services, small_tasks, tmp_path):
    inputs = {"layer": "NDVI", "area": TRIANGLE, "edges": [0, 0.1, 0.5, 0.52, 1]}

    document = counted(inputs, services, tmp_path)

    values, no_data = expected_values(services, is_inside=inside(TRIANGLE))
    assert document["counts"] == np.histogram(values, inputs["edges"])[0].tolist()
    assert document["no_data"] == no_data


def test_a_box_may_be_in_another_order_and_times_are_chosen(services, tmp_path):
    uri = "http://www.opengis.net/def/crs/EPSG/0/4326"
    bbox = {"bbox": [50.75, 4.5, 50.9, 4.9], "crs": uri}
    inputs = {"layer": "NDVI", "bbox": bbox, "datetime": "2020-05-21", "bins": 10, "range": [0, 1]}

    results = execute(Execution(process="histogram", inputs=inputs), services, tmp_path)

    box = shapely.geometry.mapping(shapely.box(4.5, 50.75, 4.9, 50.9).segmentize(0.001))
    values, _ = expected_values(services, is_inside=inside(box), times=1)
    assert results["histogram"].value["counts"] == np.histogram(values, 10, (0, 1))[0].tolist()


def test_a_number_of_bins_may_be_written_with_a_point(services, tmp_path):
    document = counted({"layer": "NDVI", "bins": 10.0}, services, tmp_path)

    assert document == counted({"layer": "NDVI", "bins": 10}, services, tmp_path)


def test_no_time_has_no_counts(services, tmp_path):
    document = counted({"layer": "NDVI", "datetime": "1990/1991"}, services, tmp_path)

    assert (document["times"], sum(document["counts"]), document["no_data"]) == (0, 0, 0)


def test_a_layer_without_time_is_counted_once(tmp_path):
    variable = served.make_variable(times=NO_TIME)
    services = served.make_services(served.make_collection(served.make_layer(variable=variable)))

    document = counted({"layer": "NDVI"}, services, tmp_path)

    assert sum(document["counts"]) + document["outside"] + document["no_data"] == GRID.width * GRID.height


@pytest.mark.parametrize(
    ("inputs", "error", "locator"),
    [
        ({"layer": "nonsense"}, UnknownLayer, "inputs.layer"),
        ({"datetime": "nonsense"}, InvalidParameter, "inputs.datetime"),
        ({"area": {"type": "Point", "coordinates": [4.5, 50.8]}}, InvalidParameter, "inputs.area"),
        ({"area": TRIANGLE, "bbox": {"bbox": [4, 50, 5, 51]}}, InvalidParameter, "inputs.bbox"),
        ({"bbox": {"bbox": [40, 50, 41, 51]}}, OutsideData, "inputs.bbox"),
        ({"bbox": {"bbox": [4, 51, 5, 50]}}, InvalidParameter, "inputs.bbox"),
        ({"bbox": {"bbox": [4, 50, 5, 51], "crs": "EPSG:2180"}}, UnsupportedCrs, "inputs.bbox.crs"),
        ({"area": TRIANGLE | {"crs": OTHER_CRS}}, UnsupportedCrs, "inputs.area.crs"),
        ({"bins": 0}, InvalidParameter, "inputs.bins"),
        ({"range": [1, 0]}, InvalidParameter, "inputs.range"),
        ({"edges": [0, 2, 1]}, InvalidParameter, "inputs.edges"),
        ({"edges": [0, 1], "bins": 3}, InvalidParameter, "inputs.edges"),
    ],
    ids=str,
)
def test_impossible_request_is_refused_before_anything_is_done(services, inputs, error, locator):
    with pytest.raises(error) as refused:
        tasks_of("histogram", {"layer": "NDVI"} | inputs, services)

    assert refused.value.locator == locator


def test_failing_source_and_dismissed_job_are_reported(tmp_path):
    process, plan = process_of("histogram"), plan_of("histogram", {"layer": "NDVI"}, served.make_services())
    task, work = plan.tasks[0], work_in(tmp_path, served.make_services(broken=["NDVI"]), shared=plan.shared)

    with pytest.raises(SourceUnavailable):
        process.run({"layer": "NDVI"}, task, work)
    with pytest.raises(ClientGone):
        process.run({"layer": "NDVI"}, task, replace(work, is_active=lambda: False))


def test_source_without_any_readable_date_gives_no_histogram(tmp_path):
    write_cogs(tmp_path, Scene(days=("2020-01-01", "2020-01-11")))
    archive = open_place(tmp_path)
    inputs = {"layer": next(iter(archive.services.catalogue.layers)).id}
    plan = plan_of("histogram", inputs, archive.services)
    for path in tmp_path.glob("*.tif"):
        with rasterio.open(path) as file:
            place = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
        with path.open("r+b") as file:
            file.seek(place)
            file.write(bytes([255] * 16))

    with pytest.raises(SourceUnavailable):
        process_of("histogram").run(inputs, plan.tasks[0], work_in(tmp_path, archive.services, shared=plan.shared))


@pytest.mark.data
def test_histogram_of_a_continent_equals_that_of_numpy(monkeypatch, tmp_path):
    truth = xarray_truth(NORTH_AMERICA / "ndvi_north_america_2001.nc", "ndvi")
    values = truth.numbers[truth.valid()].astype(np.float64) * truth.scale + truth.offset
    monkeypatch.setattr(histogram, "TASK_CELLS", 100 * truth.numbers.shape[2])
    monkeypatch.setattr(histogram, "TASK_NUMBERS", 1)
    archive = open_place(NORTH_AMERICA)

    document = do_oddly("histogram", REAL | {"bins": 200, "range": [-0.2, 1]}, archive.services, tmp_path)[
        "histogram"
    ].value
    archive.close()

    edges = np.arange(-200, 1001, 6) / 1000
    counts, _ = histogram_of_steps(values, edges, 10_000)
    assert (document["counts"], document["edges"]) == (counts.tolist(), edges.tolist())
    assert document["no_data"] == truth.numbers.size - values.size


def test_too_many_tasks_are_refused_before_they_are_listed(services, monkeypatch):
    monkeypatch.setattr(histogram, "TASK_CELLS", 100)
    monkeypatch.setattr(histogram, "TASK_NUMBERS", 100)
    monkeypatch.setattr(process_module, "MAX_TASKS", 100)

    with pytest.raises(LimitExceeded, match="fewer times"):
        tasks_of("histogram", {"layer": "NDVI"}, services)
