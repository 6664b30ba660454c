"""An unmodified pygeoapi gives the values of the source through our providers."""

import io

import numpy as np
import pytest
from PIL import Image
from rasterio.io import MemoryFile

from chronotile.core.model.space.crs import CRS84, crs_of, transformer

COVERAGE = "/collections/ndvi/coverage"
POSITION = "/collections/ndvi/position"
CELL = (12, 7)
"""Row and column of the requested cell."""


def values_of(scene, t):
    """Return (y, x) of one time as exact decimals, as in text formats; NaN without a value."""
    numbers = scene.numbers(t)
    return np.where(numbers == 255, np.nan, np.round(numbers * scene.scale + scene.offset, 3))


def read(covjson, name="NDVI"):
    """Return the values of a CoverageJSON in their shape, NaN for null."""
    told = covjson["ranges"][name]
    return np.array(told["values"], dtype=float).reshape(told["shape"])


def centre(scene, crs=CRS84, cell=CELL):
    x, y = scene.transform @ (cell[1] + 0.5, cell[0] + 0.5)
    return transformer(crs_of(scene.crs), crs).transform(x, y)


@pytest.fixture(params=["bbox=2.9,50.9,3.1,51.2", ""], ids=["bbox", "whole"])
def whole(request):
    """Return queries that select all cells."""
    return request.param


def test_pygeoapi_describes_the_collection_with_fields_and_grid(stock):
    document = stock.get("/collections/ndvi", params={"f": "json"}).json()

    assert [each["cellsCount"] for each in document["extent"]["spatial"]["grid"]] == [40, 30]
    assert document["extent"]["temporal"]["interval"] == [["2020-01-01T00:00:00Z", "2020-02-11T00:00:00Z"]]
    assert set(document["parameter_names"]) == {"NDVI"}
    assert {"position", "area", "cube"} <= set(document["data_queries"])


def test_openapi_of_pygeoapi_describes_the_providers(stock):
    paths = stock.get("/openapi").json()["paths"]

    assert {COVERAGE, POSITION, "/collections/ndvi/cube", "/collections/ndvi/area"} <= set(paths)


def test_schema_has_the_field_with_its_units(stock):
    properties = stock.get("/collections/ndvi/schema", params={"f": "json"}).json()["properties"]

    assert properties["NDVI"]["x-ogc-unit"] == "1"


def test_coverage_as_json_has_the_values_of_the_source(stock, scene, whole):
    answer = stock.get(f"{COVERAGE}?f=json&datetime=2020-01-11&{whole}")

    found = read(answer.json())
    assert answer.headers["content-type"] == "application/prs.coverage+json"
    np.testing.assert_array_equal(found[0], values_of(scene, 1))


def test_coverage_as_geotiff_has_the_numbers_and_the_place_of_the_source(stock, scene):
    answer = stock.get(COVERAGE, params={"f": "GTiff", "datetime": "2020-01-01/2020-01-31"})

    assert answer.headers["content-type"] == "image/tiff; application=geotiff"
    assert "made_2020-01-01_2020-01-21.tif" in answer.headers["content-disposition"]
    with MemoryFile(answer.content) as memory, memory.open() as file:
        np.testing.assert_array_equal(file.read(), scene.cube()[:3])
        assert file.transform == scene.transform
        assert file.crs.to_epsg() == 32631


@pytest.mark.parametrize(
    "subset",
    [
        'x(500100:500200),y(5649800:5649900),time("2020-01-21")',
        'x(500100:500200),y(5649800:5649900),time("2020-01-15":"2020-01-25")',
    ],
)
def test_subsets_cut_along_the_axes_of_the_data(stock, scene, subset):
    found = read(stock.get(COVERAGE, params={"f": "json", "subset": subset}).json())

    np.testing.assert_array_equal(found, values_of(scene, 2)[np.newaxis, 10:20, 10:20])


def test_position_has_the_cell_along_time(stock, scene):
    longitude, latitude = centre(scene)

    document = stock.get(POSITION, params={"coords": f"POINT({longitude} {latitude})", "f": "json"}).json()

    expected = [values_of(scene, t)[CELL] for t in range(5)]
    np.testing.assert_array_equal(read(document), expected)
    assert document["domain"]["axes"]["t"]["values"][0] == "2020-01-01T00:00:00Z"


def test_cube_has_the_cells_of_the_box(stock, scene):
    west, south = centre(scene, cell=(19, 10))
    east, north = centre(scene, cell=(10, 19))

    document = stock.get(
        "/collections/ndvi/cube", params={"bbox": f"{west},{south},{east},{north}", "datetime": "2020-02-01"}
    ).json()

    found = read(document)[0]
    axis = document["domain"]["axes"]["x"]
    column = round((axis["start"] - 500_005) / 10)
    row = round((5_649_995 - document["domain"]["axes"]["y"]["start"]) / 10)
    assert found.shape >= (10, 10)
    np.testing.assert_array_equal(
        found, values_of(scene, 3)[row : row + found.shape[0], column : column + found.shape[1]]
    )


def test_area_has_the_cells_inside_and_no_others(stock, scene):
    corners = [centre(scene, cell=cell) for cell in ((5, 5), (5, 25), (25, 5), (5, 5))]
    ring = ",".join(f"{x} {y}" for x, y in corners)

    document = stock.get(
        "/collections/ndvi/area", params={"coords": f"POLYGON(({ring}))", "datetime": "2020-01-01"}
    ).json()

    rows, columns = np.mgrid[5:26, 5:26]
    axes = document["domain"]["axes"]
    row, column = round((5_649_995 - axes["y"]["start"]) / 10), round((axes["x"]["start"] - 500_005) / 10)
    found = np.full((30, 40), np.nan)
    part = read(document)[0]
    found[row : row + part.shape[0], column : column + part.shape[1]] = part
    strictly_inside = (rows + columns < 29) & (rows > 5) & (columns > 5)
    outside = rows + columns > 31
    np.testing.assert_array_equal(found[5:26, 5:26][strictly_inside], values_of(scene, 0)[5:26, 5:26][strictly_inside])
    assert np.isnan(found[5:26, 5:26][outside]).all()


def test_radius_has_the_cells_near_a_point(stock, scene):
    longitude, latitude = centre(scene)

    document = stock.get(
        "/collections/ndvi/radius",
        params={
            "coords": f"POINT({longitude} {latitude})",
            "within": "14",
            "within-units": "m",
            "datetime": "2020-01-01",
        },
    ).json()

    # The cell, its four neighbours 10 m away, and not those across its corners, 14.1 m away.
    row, column = CELL
    expected = values_of(scene, 0)[row - 1 : row + 2, column - 1 : column + 2]
    expected[np.ix_([0, 2], [0, 2])] = np.nan
    np.testing.assert_array_equal(read(document)[0], expected)


def test_locations_are_the_places_of_the_configuration(stock):
    document = stock.get("/collections/ndvi/locations").json()

    assert [each["id"] for each in document["features"]] == ["parts:S0"]
    assert document["features"][0]["properties"] == {"label": "Square 0"}


def test_a_location_has_the_mean_of_its_cells(stock, scene):
    document = stock.get("/collections/ndvi/locations/parts:S0").json()

    expected = [np.nanmean(values_of(scene, t)[:10, :10]) for t in range(5)]
    np.testing.assert_allclose(read(document), expected, rtol=0, atol=2e-3)
    assert document["parameters"]["NDVI"]["measurementType"]["method"] == "mean"


def test_map_is_a_picture(stock):
    answer = stock.get("/collections/ndvi/map", params={"bbox": "2.99,50.99,3.01,51", "width": 64, "height": 32})

    assert Image.open(io.BytesIO(answer.content)).size == (64, 32)
    assert answer.headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("path", "query", "status", "words"),
    [
        (POSITION, {"coords": "POINT(50 50)"}, 400, "outside"),
        (POSITION, {"coords": "POLYGON((1 1,2 2,3 3,1 1))"}, 400, "POINT"),
        (POSITION, {"coords": "POINT EMPTY"}, 400, "POINT"),
        ("/collections/ndvi/area", {"coords": "POLYGON((1 1,2 2,1 2,2 1,1 1))"}, 400, "area"),
        ("/collections/ndvi/area", {"coords": "POLYGON((1 1,2 2,1 2,1 1))"}, 400, "outside"),
        ("/collections/ndvi/cube", {"bbox": "50,50,51,51"}, 400, "outside"),
        ("/collections/ndvi/radius", {"coords": "POINT(3 50.99)"}, 400, "within is missing"),
        ("/collections/ndvi/radius", {"coords": "POINT(3 50.99)", "within": "1", "within-units": "ell"}, 400, "ell"),
        ("/collections/ndvi/radius", {"coords": "POINT(3 50.99)", "within": "x", "within-units": "m"}, 400, "number"),
        ("/collections/ndvi/radius", {"coords": "POINT(3 50.99)", "within": "0", "within-units": "m"}, 400, "within"),
        ("/collections/ndvi/locations/parts:S9", {}, 404, "S0"),
        ("/collections/ndvi/locations/nothing", {}, 404, "parts"),
        (COVERAGE, {"bbox": "50,50,51,51"}, 400, "outside"),
        (COVERAGE, {"bbox": "2.9,50.9,3.1,51.2", "bbox-crs": "EPSG:999999"}, 400, "offered"),
        (COVERAGE, {"subset": "x(a:b)"}, 400, "numbers"),
        (COVERAGE, {"subset": 'time("2020-01-11")', "datetime": "2020-01-11"}, 400, "either"),
        (COVERAGE, {"datetime": "2020-01-12T00:00:00Z"}, 404, "2020-01-11"),
        (COVERAGE, {"f": "GeoPackage"}, 400, ""),
        ("/collections/ndvi/map", {"bbox": "2.9,50.9,3.1,51.2", "width": 0}, 400, "width"),
        ("/collections/ndvi/map", {"bbox": "2.9,50.9,3.1,51.2", "width": 9999, "height": 9999}, 400, "max_pixels"),
    ],
)
def test_invalid_request_is_a_client_error_with_our_message(stock, path, query, status, words):
    answer = stock.get(path, params=query)

    assert answer.status_code == status
    assert words in answer.json()["description"]
