"""Coverages, areas and cube tiles of a mosaic have the cells of its pictures and points."""

import io
import math

import numpy as np
import pyproj
import pytest
import rasterio
import shapely

from tests.agreement.mosaics.shown import CRS84, NATIVE_ZOOM, compare, extent, tile_values, tiles_of
from tests.ctc1 import decode_cube
from tests.decimals import statistic
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow

GRID = '    grid: {crs: "EPSG:3035", resolution: 10}\n'
CENTRE = (6.0, 50.5)


def coverage(client, layer: str, **query: str) -> tuple[np.ndarray, rasterio.Affine, str]:
    """(y, x) values of the first date of a GeoTIFF, its transform and CRS."""
    answer = client.get(f"/ogcapi/collections/{layer}/coverage", params={"f": "GTiff", **query})
    assert answer.status_code == 200, answer.text
    with rasterio.open(io.BytesIO(answer.content)) as file:
        numbers = file.read(1)
        valid = file.read_masks(1) > 0
        values = np.where(valid, numbers * file.scales[0] + file.offsets[0], np.nan)
        return values, file.transform, f"EPSG:{file.crs.to_epsg()}"


def box_around(longitude: float, latitude: float, half: float = 0.01) -> str:
    return f"{longitude - half},{latitude - half},{longitude + half},{latitude + half}"


def expected_cells(asset: str, shape: tuple[int, int], transform: rasterio.Affine, crs: str, date: int) -> np.ndarray:
    """(y, x) by the formula, at the centres of the cells."""
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    x, y = transform @ (columns, rows)
    return SMALL.mosaic(asset, x, y, date=date, crs=crs).values


@pytest.mark.parametrize("date", [0, 1, 4], ids=[SMALL.days[date] for date in (0, 1, 4)])
@pytest.mark.parametrize("asset", ["CELL", "B04"])
@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:32632", "EPSG:3035"])
def test_coverage_in_a_named_crs_equals_the_formula_at_the_centres_of_its_cells(serve, crs, asset, date):
    query = {"bbox": box_around(*CENTRE), "crs": f"[{crs}]", "datetime": SMALL.days[date]}

    values, transform, found = coverage(serve().client, asset, **query)

    assert found == crs
    expected = expected_cells(asset, values.shape, transform, crs, date)
    assert min(values.shape) > 100
    assert compare(values, expected).same >= 0.999


@pytest.mark.parametrize("date", [0, 1, 4], ids=[SMALL.days[date] for date in (0, 1, 4)])
def test_coverage_on_the_grid_of_the_collection_begins_at_the_origin_of_its_crs(serve, date):
    query = {"bbox": box_around(*CENTRE), "datetime": SMALL.days[date]}

    values, transform, crs = coverage(serve(grid=GRID).client, "CELL", **query)

    assert crs == "EPSG:3035"
    assert (transform.a, transform.e, transform.c % 10, transform.f % 10) == (10, -10, 0, 0)
    assert compare(values, expected_cells("CELL", values.shape, transform, crs, date)).same >= 0.999


def test_coverage_of_two_zones_without_a_crs_names_the_missing_parameter(serve):
    answer = serve().client.get(
        "/ogcapi/collections/CELL/coverage", params={"bbox": box_around(*CENTRE), "datetime": SMALL.days[0]}
    )

    assert answer.status_code == 400
    assert "crs" in answer.text


def test_series_of_a_small_area_equals_its_cells(serve):
    tile = SMALL.tiles()[0]  # no other tile covers its middle
    west, south, _east, north = tile.box
    to_degrees = pyproj.Transformer.from_crs(tile.crs, CRS84, always_xy=True)
    area = shapely.Polygon(
        [(west + 205, south + 1_005), (west + 805, south + 905), (west + 905, north - 805), (west + 305, north - 905)]
    )
    in_degrees = shapely.transform(area, to_degrees.transform, interleaved=False)
    x, y = tile.centres("B04")

    answer = serve().client.post("/timeseries/B04/area", json=shapely.geometry.mapping(in_degrees))

    assert answer.status_code == 200, answer.text
    document = answer.json()
    is_inside = shapely.contains_xy(area, x, y)
    for date in range(len(SMALL.days)):
        chosen = SMALL.mosaic("B04", x[is_inside], y[is_inside], date=date, crs=tile.crs)
        values = chosen.values[np.isfinite(chosen.values)]
        (feature,) = document["features"]
        assert abs(feature["valid"][date] - len(values)) <= 2  # edges on the ellipsoid
        found = feature["series"]["mean"][date]
        assert found is None if not len(values) else found == pytest.approx(values.mean(), abs=2e-4)


def test_series_of_an_area_in_both_zones_is_close_to_the_formula(serve):
    area = shapely.Point(*CENTRE).buffer(0.01)
    west, south, east, north = area.bounds
    longitude, latitude = np.meshgrid(np.linspace(west, east, 400), np.linspace(south, north, 400))
    is_inside = shapely.contains_xy(area, longitude, latitude)

    answer = serve().client.post("/timeseries/B08/area", json=shapely.geometry.mapping(area))

    (feature,) = answer.json()["features"]
    expected = [
        np.nanmean(values) if np.isfinite(values).any() else math.nan
        for values in (
            SMALL.mosaic("B08", longitude[is_inside], latitude[is_inside], date=date).values
            for date in range(len(SMALL.days))
        )
    ]
    found = np.array(feature["series"]["mean"], dtype=float)
    assert np.allclose(found, expected, rtol=0.01, equal_nan=True)


@pytest.mark.parametrize("crs", ["EPSG:32631", "EPSG:32632"])
def test_cells_of_an_edr_area_in_the_crs_of_its_pieces_equal_those_of_the_series(serve, crs):
    tile = SMALL.tiles()[0 if crs == "EPSG:32631" else -1]
    middle = (tile.box[0] + 600 if crs == "EPSG:32631" else tile.box[2] - 600, tile.box[3] - 900)
    area = shapely.Point(*middle).buffer(250)
    to_degrees = pyproj.Transformer.from_crs(crs, CRS84, always_xy=True)
    in_degrees = shapely.transform(area, to_degrees.transform, interleaved=False)
    client, day = serve().client, SMALL.days[0]

    cut = client.get("/ogcapi/collections/B08/area", params={"coords": area.wkt, "crs": f"[{crs}]", "datetime": day})
    series = client.post(f"/timeseries/B08/area?datetime={day}", json=shapely.geometry.mapping(in_degrees))

    assert cut.status_code == 200, cut.text
    (found,) = cut.json()["ranges"].values()
    values = [value for value in found["values"] if value is not None]
    (expected,) = series.json()["features"]
    assert [len(values)] == expected["valid"]
    assert [statistic(math.fsum(values) / len(values))] == expected["series"]["mean"]


def test_mean_of_an_area_on_the_grid_of_the_collection_is_close_to_that_of_native_cells(serve):
    area = shapely.Point(*CENTRE).buffer(0.004)
    client, day = serve(grid=GRID).client, SMALL.days[0]

    cut = client.get("/ogcapi/collections/B08/area", params={"coords": area.wkt, "datetime": day})
    series = client.post(f"/timeseries/B08/area?datetime={day}", json=shapely.geometry.mapping(area))

    (found,) = cut.json()["ranges"].values()
    values = [value for value in found["values"] if value is not None]
    (expected,) = series.json()["features"]
    assert [len(values)] == pytest.approx(expected["valid"], rel=0.01)
    assert [math.fsum(values) / len(values)] == pytest.approx(expected["series"]["mean"], rel=0.005)


@pytest.mark.parametrize("layer", ["B04", "CLEAR"])
def test_cube_tile_has_the_pixels_of_the_tiles_of_its_dates(serve, layer):
    served = serve()
    tile = tiles_of(SMALL, NATIVE_ZOOM)[len(tiles_of(SMALL, NATIVE_ZOOM)) // 2]

    answer = served.client.get(f"/cubes/{layer}/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.ctc")

    assert answer.status_code == 200, answer.text
    cube = decode_cube(answer.content)
    tiles = np.stack([tile_values(served, layer, tile, day) for day in SMALL.days])
    # Numbers of a formula are rounded to the steps of the cube.
    step = 1e-6 if layer == "B04" else cube.header["scale"]
    assert np.allclose(cube.values(), tiles, rtol=0, atol=step, equal_nan=True)


def test_extent_of_the_collection_holds_all_tiles(serve):
    (box,) = serve().client.get("/ogcapi/collections/CELL").json()["extent"]["spatial"]["bbox"]

    west, south, east, north = extent(SMALL)
    assert box[0] <= west + 1e-6
    assert box[1] <= south + 1e-6
    assert box[2] >= east - 1e-6
    assert box[3] >= north - 1e-6
    assert box[2] - box[0] < 1.05 * (east - west)
