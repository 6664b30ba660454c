"""Grids across the edges of cylindrical projections, compared with arithmetic."""

import io
import math

import numpy as np
import pyproj
import pytest
import rasterio
import shapely
import xarray
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.job import Execution
from chronotile.jobs.processes.execute import execute
from tests.rasters import write_raster
from tests.scenes import save_netcdf
from tests.walk.serving import served

PROJECTIONS = {
    "Mercator": "+proj=merc +lat_ts=20 +lon_0=0 +R=6371200",
    "Mercator at 150": "+proj=merc +lon_0=150 +ellps=WGS84",
    "Web Mercator": "EPSG:3857",
    "plate carrée": "+proj=eqc +lat_ts=30 +lon_0=0 +ellps=WGS84",
    "equal area": "+proj=cea +lat_ts=30 +lon_0=0 +ellps=WGS84",
    "Miller": "+proj=mill +lon_0=-20 +R=6371007",
    "false easting": "+proj=merc +lon_0=10 +x_0=3000000 +ellps=WGS84",
}
STEP_DEG = 2.0
"""Width of a cell; the cells are 60 or 180 columns."""
ROWS = 20
TIME = "2020-01-05"
CONFIG = """
collections:
  worlds:
    source: {{kind: {kind}, href: '{href}'{more}}}
    variables:
      {name}: {{layer: V, range: [0, 255], styles: [greys]}}
"""


class Cylinder:
    """Random numbers from 50° west of the edge on, or in all longitudes from the central meridian on."""

    def __init__(self, name, columns):
        self.crs = pyproj.CRS(PROJECTIONS[name])
        self.to_crs = pyproj.Transformer.from_crs("OGC:CRS84", self.crs, always_xy=True)
        self.middle = float(np.rint(self.crs.to_dict().get("lon_0", 0)))
        self.cell = abs(self.to_crs.transform(self.middle + 1, 0)[0] - self.to_crs.transform(self.middle, 0)[0]) * 2
        self.west = self.middle + 130 if columns < 180 else self.middle
        origin = self.to_crs.transform(self.middle, 0)[0]
        self.x = origin + (self.west - self.middle) / STEP_DEG * self.cell
        self.transform = Affine(self.cell, 0, self.x, 0, -self.cell, self.cell * 12)
        self.columns = columns
        self.numbers = np.random.default_rng(columns).integers(1, 255, (ROWS, columns), dtype="uint8")

    def cell_at(self, longitude, latitude):
        """Return the row and column of a point, by the longitude alone and the projection of its latitude."""
        _x, y = self.to_crs.transform(self.middle, latitude)
        return math.floor((self.transform.f - y) / self.cell), math.floor((longitude - self.west) % 360 / STEP_DEG)

    def points(self, count):
        """Return longitudes in -180 … 180 and latitudes of points in the middle half of random cells."""
        random = np.random.default_rng(5)
        columns, rows = random.integers(0, self.columns, count), random.integers(0, ROWS, count)
        longitudes = self.west + (columns + random.uniform(0.25, 0.75, count)) * STEP_DEG
        y = self.transform.f - (rows + random.uniform(0.25, 0.75, count)) * self.cell
        origin = self.to_crs.transform(self.middle, 0)[0]
        _longitude, latitudes = self.to_crs.transform(np.full(count, origin), y, direction="INVERSE")
        return (longitudes + 180) % 360 - 180, latitudes

    def value_at(self, longitude, latitude):
        return float(self.numbers[self.cell_at(longitude, latitude)])


def write_tiff(data, folder):
    path = folder / "v_20200105.tif"
    write_raster(path, data.numbers, crs=rasterio.CRS.from_user_input(data.crs), transform=data.transform, nodata=0)
    return CONFIG.format(kind="cog", href=path, more=r", time_pattern: '_(?P<time>\d{8})'", name="band1")


def write_netcdf(data, folder):
    x = data.x + (np.arange(data.columns) + 0.5) * data.cell
    y = data.transform.f - (np.arange(ROWS) + 0.5) * data.cell
    attributes = {"grid_mapping": "crs", "_FillValue": np.uint8(0)}
    dataset = xarray.Dataset(
        {
            "band1": (("time", "y", "x"), data.numbers[None], attributes),
            "crs": ((), 0, {"crs_wkt": data.crs.to_wkt()}),
        },
        {
            "time": ("time", np.array([TIME], "datetime64[ns]")),
            "y": ("y", y, {"standard_name": "projection_y_coordinate", "units": "m"}),
            "x": ("x", x, {"standard_name": "projection_x_coordinate", "units": "m"}),
        },
    )
    save_netcdf(dataset, folder / "v.nc")
    return CONFIG.format(kind="netcdf", href=folder / "v.nc", more="", name="band1")


def write_tiles(data, folder):
    """Write two halves; in the second, x continues beyond the edge."""
    for tile, first in (("a", 0), ("b", data.columns // 2)):
        numbers = data.numbers[:, first : first + data.columns // 2]
        transform = data.transform @ Affine.translation(first, 0)
        crs = rasterio.CRS.from_user_input(data.crs)
        write_raster(folder / f"v_{tile}_20200105.tif", numbers, crs=crs, transform=transform, nodata=0)
    more = r", time_pattern: '_(?P<time>\d{8})', tiles: true"
    return CONFIG.format(kind="cog", href=folder / "v_*.tif", more=more, name="band1")


WRITERS = {"GeoTIFF": write_tiff, "NetCDF": write_netcdf}


@pytest.fixture(
    scope="module",
    params=[(name, columns, kind) for name in PROJECTIONS for columns in (60, 180) for kind in WRITERS],
    ids=lambda case: "-".join(map(str, case)),
)
def world(request, tmp_path_factory):
    name, columns, kind = request.param
    folder = tmp_path_factory.mktemp("cylinder")
    data = Cylinder(name, columns)
    config = folder / "served.yaml"
    config.write_text(WRITERS[kind](data, folder))
    archive = open_archive(config, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield data, client, archive.services


def get_answer(client, address, **query):
    response = client.get(address, params=query)
    assert response.status_code == 200, response.text
    return response


def test_points_have_the_value_of_their_cell(world):
    data, client, _services = world
    for longitude, latitude in zip(*data.points(12), strict=True):
        value = data.value_at(longitude, latitude)
        edr = get_answer(client, "/ogcapi/collections/V/position", coords=f"POINT({longitude} {latitude})").json()
        series = get_answer(client, "/timeseries/V/point", lon=longitude, lat=latitude).json()
        info = get_answer(
            client, "/wms", SERVICE="WMS", VERSION="1.3.0", REQUEST="GetFeatureInfo", LAYERS="V", QUERY_LAYERS="V",
            CRS="CRS:84", STYLES="", BBOX=f"{longitude - 1e-3},{latitude - 1e-3},{longitude + 1e-3},{latitude + 1e-3}",
            WIDTH=3, HEIGHT=3, I=1, J=1, INFO_FORMAT="application/json",
        ).json()  # fmt: skip

        (values,) = (item["values"] for item in edr["ranges"].values())
        assert values == [value]
        assert series["values"] == [value]
        assert info["features"][0]["properties"]["value"] == value


def get_picture(client, crs, box):
    response = get_answer(
        client, "/wms", SERVICE="WMS", VERSION="1.3.0", REQUEST="GetMap", LAYERS="V", STYLES="greys", CRS=crs,
        BBOX=",".join(map(repr, box)), WIDTH=40, HEIGHT=20, FORMAT="image/png", TRANSPARENT="TRUE",
    )  # fmt: skip
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA")).astype(int)


@pytest.mark.parametrize("centre", ["the edge", "a turn west of the edge", "east of the edge"])
def test_maps_in_degrees_show_the_cells(world, centre):
    data, client, _services = world
    edge = data.middle + 180
    west = {"the edge": edge - 20, "a turn west of the edge": edge - 380, "east of the edge": edge + 1}[centre]
    box = (west + 0.13, 1.1, west + 40.13, 11.1)

    picture = get_picture(client, "CRS:84", box)

    for row in range(20):
        for column in range(40):
            value = data.value_at(box[0] + column + 0.5, box[3] - (row + 0.5) / 2)
            assert picture[row, column, 3] == 255
            assert picture[row, column, 0] == pytest.approx(value, abs=1)


def test_maps_in_web_mercator_repeat_beyond_180(world):
    data, client, _services = world
    metres = 20037508.342789244 / 180
    west = data.middle + 180 - 4.93
    to_degrees = pyproj.Transformer.from_crs("EPSG:3857", "OGC:CRS84", always_xy=True)
    box = (west * metres, 1e5, (west + 8) * metres, 5e5)

    picture = get_picture(client, "EPSG:3857", box)

    for row in range(20):
        _longitude, latitude = to_degrees.transform(0, box[3] - (row + 0.5) * 2e4)
        for column in range(40):
            value = data.value_at(west + (column + 0.5) * 0.2, latitude)
            assert picture[row, column, 3] == 255
            assert picture[row, column, 0] == pytest.approx(value, abs=1)


def cells_in(data, west, east, south, north):
    """Return the numbers of the cells whose centres are in a box of longitudes and latitudes."""
    y = data.transform.f - (np.arange(ROWS) + 0.5) * data.cell
    origin = data.to_crs.transform(data.middle, 0)[0]
    _longitude, latitudes = data.to_crs.transform(np.full(ROWS, origin), y, direction="INVERSE")
    longitudes = data.west + (np.arange(data.columns) + 0.5) * STEP_DEG
    rows = (latitudes > south) & (latitudes < north)
    columns = (longitudes - west) % 360 < east - west
    return data.numbers[np.ix_(rows, columns)].astype(float)


def test_areas_across_the_edge_have_the_mean_of_their_cells(world):
    data, client, _services = world
    edge = data.middle + 180
    west = (edge - 15.5 + 180) % 360 - 180
    area = shapely.segmentize(shapely.box(west, -5.3, west + 30.2, 9.1), 1.0)
    turn = -360 if west > 0 else 360
    shifted = shapely.box(west + turn, -5.3, west + 30.2 + turn, 9.1)

    numbers = cells_in(data, west, west + 30.2, -5.3, 9.1)
    for shape in (area, shifted):
        response = client.post("/timeseries/V/area?reducers=mean,count", json=shapely.geometry.mapping(shape))
        assert response.status_code == 200, response.text
        (feature,) = response.json()["features"]
        series = feature["series"]
        assert series["count"] == [numbers.size]
        assert series["mean"] == [pytest.approx(numbers.mean())]


def test_coverages_across_the_edge_have_the_numbers_of_the_cells(world):
    data, client, _services = world
    west = data.middle + 180 - 15.5
    west = west - 360 if west > 180 else west
    east = west + 30.2

    response = get_answer(client, "/ogcapi/collections/V/coverage", f="GTiff", subset=f"Lon({west}:{east}),Lat(-5:9)")

    with rasterio.open(io.BytesIO(response.content)) as file:
        numbers, transform = file.read(1), file.transform
    assert numbers.shape[1] in range(15, 19)
    y = transform.f - 0.5 * data.cell
    row = round((data.transform.f - y) / data.cell - 0.5)
    column = round((transform.c - data.x) / data.cell) % round(360 / STEP_DEG)
    columns = (column + np.arange(numbers.shape[1])) % round(360 / STEP_DEG)
    assert (columns[0] + 0.5) * STEP_DEG == pytest.approx((west - data.west) % 360, abs=STEP_DEG)
    np.testing.assert_array_equal(numbers, data.numbers[row : row + numbers.shape[0]][:, columns])


def test_whole_coverage_has_all_cells(world):
    data, client, _services = world

    response = get_answer(client, "/ogcapi/collections/V/coverage", f="GTiff")

    with rasterio.open(io.BytesIO(response.content)) as file:
        numbers = file.read(1)
    assert sorted(numbers.ravel()) == sorted(data.numbers.ravel())


def test_job_composes_all_cells(world, tmp_path):
    data, _client, services = world

    results = execute(
        Execution(process="composite", inputs={"layer": "V", "datetime": TIME, "reducer": "latest"}), services, tmp_path
    )

    with rasterio.open(tmp_path / results["composite"].file) as file:
        numbers = file.read(1)
    assert sorted(numbers.ravel()) == sorted(data.numbers.ravel())


def test_documents_state_the_longitudes(world):
    data, client, _services = world

    west, _south, east, _north = client.get("/ogcapi/collections/V").json()["extent"]["spatial"]["bbox"][0][:4]

    if data.columns == 180:
        assert (west, east) == (-180, 180)
    else:
        start = (data.west + 180) % 360 - 180
        assert west == pytest.approx(start, abs=0.01)
        assert (east - start - 120) % 360 == pytest.approx(0, abs=0.01) or (east - start - 120) % 360 > 359.99


@pytest.mark.slow
@pytest.mark.parametrize("columns", [60, 180])
@pytest.mark.parametrize("name", ["Mercator", "plate carrée"])
def test_tiles_beyond_the_edge_are_one_map(name, columns, tmp_path):
    data = Cylinder(name, columns)
    (tmp_path / "served.yaml").write_text(write_tiles(data, tmp_path))

    with served(tmp_path / "served.yaml", tmp_path / "server") as client:
        test_points_have_the_value_of_their_cell((data, client, None))
        test_maps_in_degrees_show_the_cells((data, client, None), "the edge")
        test_maps_in_web_mercator_repeat_beyond_180((data, client, None))
        test_areas_across_the_edge_have_the_mean_of_their_cells((data, client, None))
        test_coverages_across_the_edge_have_the_numbers_of_the_cells((data, client, None))
