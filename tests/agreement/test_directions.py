"""Means of directions and phases are circular in every protocol, or refused; compared with scipy.

CHRONOTILE_TEST_FULL=1 makes more members.
"""

import io
import warnings

import numpy as np
import pytest
import rasterio
import xarray
from rasterio.enums import Resampling
from scipy.stats import circmean, circstd
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.job import Execution
from chronotile.core.model.space.grid import Window
from chronotile.jobs.processes.execute import execute
from tests.odd_archives.directions import CELL, DAYS, NORTH, SIDE, WEST, write_directions
from tests.odd_archives.files import write_tif
from tests.sampling import IS_FULL

SEEDS = range(60) if IS_FULL else range(3)
PX = 180 / 2**9 / 256
"""Size of a pixel of the tiles below."""
LEAST_LENGTH = 1e-9
"""Minimum length of the mean vector of directions; opposite ones that cancel have no mean."""
BOX = (WEST + 3 * CELL, NORTH - 15 * CELL, WEST + 13 * CELL, NORTH - 4 * CELL)
ROWS, COLUMNS = slice(4, 15), slice(3, 13)


@pytest.fixture(scope="module", params=SEEDS)
def served(request, tmp_path_factory):
    member = write_directions(tmp_path_factory.mktemp("made"), request.param)
    archive = open_archive(member.path, environment={}, clock=lambda: np.datetime64("2022-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield member, client, archive.services


def means_of(member, values, axis):
    angles = values * (2 * np.pi / member.circle)
    with warnings.catch_warnings(action="ignore"):
        sines, cosines = np.nanmean(np.sin(angles), axis=axis), np.nanmean(np.cos(angles), axis=axis)
    means = np.arctan2(sines, cosines) * (member.circle / (2 * np.pi))
    return np.where(np.hypot(sines, cosines) < LEAST_LENGTH, np.nan, means)


def assert_same(found, expected, circle, tolerance=1e-4):
    """Directions that are the same, however often they go round, and lack the same values."""
    found, expected = np.asarray(found, dtype=float), np.asarray(expected, dtype=float)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    apart = (found - expected + circle / 2) % circle - circle / 2
    assert np.nanmax(np.abs(apart)) < tolerance * circle


def json_of(answer):
    assert answer.status_code == 200, answer.text
    return answer.json()


def tile_of(answer):
    """Return (y, x) cells from a tile with many pixels per cell."""
    assert answer.status_code == 200, answer.text
    pixels = np.load(io.BytesIO(answer.content))
    column, row = 523, 111
    west, north = -180 + column * 180 / 2**9, 90 - row * 180 / 2**9
    columns = ((WEST + (np.arange(SIDE) + 0.5) * CELL - west) / PX).astype(int)
    rows = ((north - NORTH + (np.arange(SIDE) + 0.5) * CELL) / PX).astype(int)
    return pixels[np.ix_(rows, columns)]


TILE = "/tiles/D/WorldCRS84Quad/9/523/111.npy"


@pytest.mark.parametrize("weights", ["pixel", "area"])
def test_area_mean_of_directions_is_circular(served, weights):
    member, client, _services = served
    query = {"bbox": ",".join(map(repr, BOX)), "reducers": "mean,std,count", "weights": weights}

    found = json_of(client.get("/timeseries/D/area", params=query))
    found = found["features"][0]["series"]

    cells = member.values[:, ROWS, COLUMNS].reshape(DAYS.size, -1)
    means = circmean(cells, high=member.circle, axis=1, nan_policy="omit")
    deviations = circstd(cells, high=member.circle, axis=1, nan_policy="omit")
    assert_same(found["mean"], means, member.circle)
    np.testing.assert_allclose(found["std"], deviations, rtol=1e-3)
    assert found["count"] == np.isfinite(cells).sum(axis=1).tolist()


@pytest.mark.parametrize("reducer", ["median", "min", "max", "sum", "p10"])
def test_ordered_reducer_of_directions_is_refused(served, reducer):
    answer = served[1].get("/timeseries/D/area", params={"bbox": ",".join(map(repr, BOX)), "reducers": reducer})

    assert answer.status_code == 400
    assert f"directions, which have no {reducer}" in answer.text


def test_layer_of_directions_names_its_full_turn(served):
    member, client, _services = served

    assert json_of(client.get("/layers/D"))["full_turn"] == pytest.approx(member.circle)


def test_picture_mean_of_directions_is_circular(served):
    member, client, _services = served
    is_shown = DAYS.astype("datetime64[Y]") == np.datetime64("2019")

    found = tile_of(client.get(TILE, params={"datetime": "2019", "reducer": "mean"}))

    assert_same(found, means_of(member, member.values[is_shown], 0), member.circle)


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("datetime=2019&reducer=median", "median"),
        ("datetime=2019&reducer=max", "max"),
        ("datetime=2019-01&anomaly=z", "anomaly z"),
    ],
)
def test_ordered_picture_of_directions_is_refused(served, query, what):
    answer = served[1].get(f"{TILE}?{query}")

    assert answer.status_code == 400
    assert f"directions, which have no {what}" in answer.text


def test_difference_of_directions_is_the_shorter_way_round(served):
    member, client, _services = served

    found = tile_of(client.get(TILE, params={"datetime": str(DAYS[9]), "difference": str(DAYS[4])}))

    expected = member.values[9] - member.values[4]
    assert np.nanmax(np.abs(found)) <= member.circle / 2 * 1.001
    assert_same(found, expected, member.circle)


def test_steps_and_normals_of_directions_are_circular(served):
    member, client, _services = served
    months = DAYS.astype("datetime64[M]")
    query = {"lon": WEST + 5.5 * CELL, "lat": NORTH - 7.5 * CELL, "step": "P1M", "climatology": "mean"} | {
        "climatology_by": "month"
    }

    found = json_of(client.get("/timeseries/D/point", params=query))

    values = member.values[:, 7, 5]
    means = np.array([means_of(member, values[months == month], 0) for month in np.unique(months)])
    of_year = np.unique(months).astype(int) % 12
    normals = [means_of(member, means[of_year == month], 0) for month in range(12)]
    assert_same(found["values"], means, member.circle)
    assert_same(found["analysis"]["normals"]["values"], normals, member.circle)


def test_period_anomaly_of_directions_is_date_matched(served):
    member, client, _services = served
    dekads = DAYS.astype("datetime64[M]").astype(int) % 12 * 3
    dekads += np.minimum((DAYS - DAYS.astype("datetime64[M]").astype("datetime64[D]")).astype(int) // 10, 2)
    usual = np.stack([means_of(member, member.values[dekads == dekad], 0) for dekad in range(36)])[dekads]
    apart = (member.values - usual + member.circle / 2) % member.circle - member.circle / 2
    is_shown = DAYS.astype("datetime64[M]").astype(int) // 3 == np.datetime64("2020-04").astype(int) // 3

    found = tile_of(client.get(TILE, params={"datetime": "2020-04/2020-06", "anomaly": "abs"}))

    with warnings.catch_warnings(action="ignore"):
        expected = np.nanmean(apart[is_shown], axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-4 * member.circle)


@pytest.mark.parametrize("query", ["smooth=whittaker", "trend=theil_sen", "fill=linear", "climatology=median"])
def test_analysis_of_order_is_refused_for_directions(served, query):
    answer = served[1].get(f"/timeseries/D/point?lon={WEST + CELL}&lat={NORTH - CELL}&{query}")

    assert answer.status_code == 400
    assert "directions, which have no" in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "/ogcapi/collections/D/coverage?scale-factor=0.5&interpolation=bilinear&f=GTiff&datetime=DAY",
        "/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID=D&FORMAT=image/tiff&SCALEFACTOR=0.5&INTERPOLATION="
        'http://www.opengis.net/def/interpolation/OGC/1/linear&SUBSET=time("DAYT00:00:00Z")',
    ],
)
def test_bilinear_coverage_of_directions_is_refused(served, url):
    answer = served[1].get(url.replace("DAY", str(DAYS[3])))

    assert answer.status_code in {400, 404}
    assert "directions, which have no mean" in answer.text


def test_coverage_overviews_of_directions_are_stored_values(served, tmp_path):
    member, client, _services = served
    answer = client.get(f"/ogcapi/collections/D/coverage?f=GTiff&datetime={DAYS[3]}")
    (tmp_path / "coverage.tif").write_bytes(answer.content)

    with rasterio.open(tmp_path / "coverage.tif") as file:
        half = file.read(1, out_shape=(SIDE // 2, SIDE // 2), masked=True) * file.scales[0]

    assert np.isin(np.round(half.compressed(), 6), np.round(member.values[3], 6)).all()


@pytest.mark.parametrize(("process", "inputs"), [("climatology", {"by": "month"}), ("composite", {"reducer": "mean"})])
def test_job_mean_of_directions_is_circular(served, tmp_path, process, inputs):
    member, _client, services = served
    months = DAYS.astype("datetime64[M]").astype(int) % 12
    groups = {"climatology": [months == month for month in range(12)], "composite": [months >= 0]}[process]

    results = execute(Execution(process=process, inputs={"layer": "D"} | inputs), services, tmp_path)
    with rasterio.open(tmp_path / results[process].file) as file:
        bands = file.read()

    expected = np.stack([means_of(member, member.values[group], 0) for group in groups])
    assert_same(bands, expected, member.circle)


@pytest.mark.parametrize("overviews", [(2, 4), ()])
def test_levels_of_directions_are_made_of_native_cells(tmp_path, overviews):
    degrees = np.random.default_rng(4).vonmises(0, 1, (1024, 1024)) * 180 / np.pi % 360
    path = write_tif(tmp_path / "D_20200101.tif", degrees, units=("degree_true",))
    with rasterio.open(path, "r+") as file:
        file.build_overviews(list(overviews), Resampling.average)
    archive = open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2022-01-01", "ns"))
    (layer,) = archive.services.catalogue.layers
    reader, variable = archive.services.reader(layer), layer.main_variable

    found = reader.read_window(variable.name, index=0, level=1, window=Window(0, 512, 0, 512)).numbers

    groups = degrees.astype("float32").reshape(512, 2, 512, 2).swapaxes(1, 2).reshape(512, 512, 4)
    assert_same(found, circmean(groups, high=360, axis=2), 360)


def test_pyramid_of_plain_means_of_directions_is_skipped(tmp_path):
    member = write_directions(tmp_path, 1)
    fine = xarray.open_zarr(tmp_path / "made.zarr", mask_and_scale=False)
    for number, each in enumerate((fine, fine.coarsen(lat=2, lon=2).mean().astype(fine.D.dtype))):
        each.to_zarr(tmp_path / "levels.zarr", group=str(number), zarr_format=2)
    member.path.write_text(member.path.read_text().replace("made.zarr", "levels.zarr"))

    archive = open_archive(member.path, environment={}, clock=lambda: np.datetime64("2022-01-01", "ns"))

    (layer,) = archive.services.catalogue.layers
    assert len(layer.main_variable.levels) == 1
    assert "plain means" in "".join(finding.message for finding in archive.findings)
