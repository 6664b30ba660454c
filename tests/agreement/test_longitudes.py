"""Grids of 0 to 360 degrees: documents, coverages and subsets from -180 on, compared with xarray."""

import io

import numpy as np
import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.job import Execution
from chronotile.jobs.processes.execute import execute
from tests.odd_archives.systems import write_circle
from tests.sampling import IS_FULL
from tests.zarr_stores import open_store

SEEDS = range(40) if IS_FULL else range(3)


@pytest.fixture(scope="module", params=SEEDS)
def world(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    data = write_circle(folder, request.param)
    archive = open_archive(folder, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    (layer,) = archive.services.catalogue.layers
    with TestClient(application(archive.services)) as client:
        yield data, layer.id, client, archive.services


def values_in(body, lons, lats):
    with rasterio.open(io.BytesIO(body)) as file:
        rows, columns = rasterio.transform.rowcol(file.transform, lons, lats)
        return file.read(1)[rows, columns], file.bounds


def test_documents_of_a_circle_begin_at_the_antimeridian(world):
    data, layer, client, _services = world
    cell = data.cell

    extent = client.get(f"/ogcapi/collections/{layer}").json()["extent"]["spatial"]
    stac = client.get(f"/stac/collections/{layer.partition('.')[0]}").json()
    wcs = client.get(f"/wcs?SERVICE=WCS&VERSION=1.0.0&REQUEST=DescribeCoverage&COVERAGE={layer}").text

    assert extent["bbox"] == [[-180, -90, 180, 90]]
    columns = next(axis for axis in extent["grid"] if axis["cellsCount"] == data.numbers.shape[1])
    assert -180 <= columns["firstCoordinate"] < -180 + cell
    assert stac["extent"]["spatial"]["bbox"] == [[-180, -90, 180, 90]]
    assert stac["cube:dimensions"]["x"]["extent"][0] == pytest.approx(-180, abs=cell / 2)
    assert f"<gml:pos>{columns['firstCoordinate'] - cell / 2:g}" in wcs.replace(".0 ", " ")


def test_whole_coverage_of_a_circle_begins_at_the_antimeridian(world):
    data, layer, client, _services = world
    random = np.random.default_rng(1)
    lons, lats = random.uniform(-179, 179, 20), random.uniform(-89, 89, 20)
    answers = [
        client.get(f"/ogcapi/collections/{layer}/coverage?f=GTiff&datetime=2019-01-21"),
        client.get(f"/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID={layer}&FORMAT=image/tiff"
                   '&SUBSET=time("2019-01-21T00:00:00Z")'),
    ]  # fmt: skip

    found = [values_in(answer.content, lons, lats) for answer in answers]

    for values, bounds in found:
        np.testing.assert_array_equal(values, data.at(lons, lats))
        assert bounds.left == pytest.approx(-180, abs=data.cell / 2)


@pytest.mark.parametrize(("west", "east"), [(-20, 25), (160, 200), (160, -160), (190, 260), (-170, -100)])
def test_subset_of_a_circle_crosses_any_meridian(world, west, east):
    data, layer, client, _services = world
    until = east if east > west else east + 360
    lons, lats = np.linspace(west + 6, until - 6, 7), np.linspace(-40, 40, 7)
    address = f"/ogcapi/collections/{layer}/coverage?f=GTiff&datetime=2019-01-21&subset=Lon({west}:{east}),Lat(-60:60)"

    values, bounds = values_in(client.get(address).content, lons, lats)

    np.testing.assert_array_equal(values, data.at(lons, lats))
    assert bounds.left <= west + 6


def test_store_of_a_circle_names_its_array_as_the_layer(world):
    data, layer, client, _services = world
    lons, lats = np.linspace(-169.3, 169.7, 20), np.linspace(-79.1, 80.3, 20)

    array = open_store(client, f"/zarr/{layer}")[layer].isel(time=-1)

    columns = np.abs((lons[:, None] - array.lon.to_numpy() + 180) % 360 - 180).argmin(axis=1)
    rows = np.abs(lats[:, None] - array.lat.to_numpy()).argmin(axis=1)
    np.testing.assert_array_equal(array.to_numpy()[rows, columns], data.at(lons, lats))


def test_job_over_a_circle_begins_at_the_antimeridian(world, tmp_path):
    data, layer, _client, services = world
    lons, lats = np.linspace(-169.3, 169.7, 20), np.linspace(-79.1, 80.3, 20)
    inputs = {"layer": layer, "datetime": "2019-01-21", "reducer": "latest"}

    results = execute(Execution(process="composite", inputs=inputs), services, tmp_path)
    values, bounds = values_in((tmp_path / results["composite"].file).read_bytes(), lons, lats)

    np.testing.assert_array_equal(values, data.at(lons, lats))
    assert bounds.left == pytest.approx(-180, abs=data.cell / 2)
