"""Odd rasters of the field's own test suites: each served exactly, or refused with its own reason."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray
import zarr
from pyproj import Proj

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.request import Point
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from tests.strict import SHARED

pytestmark = pytest.mark.data

WEIRD = SHARED / "data" / "weird"
TABLE = Path(__file__).parents[2] / "docs" / "design" / "odd-rasters.md"
KINDS = {".tif": "cog", ".tiff": "cog", ".jpg": "cog", ".nc": "netcdf", ".zarr": "zarr", ".zip": "zarr"}

REFUSED = {
    "cint16.tif": "band 1 has complex numbers",
    "cog_gcps_ovr.tif": "ground control points only",
    "cog_nonearth.tif": "body of radius 1561 km, not of the Earth",
    "dataset_2d.nc": "no coordinate reference system; set crs:",
    "dataset_3d.nc": "no coordinate reference system; set crs:",
    "dataset_4d.nc": "no coordinate reference system; set crs:",
    "float_nan.tif": "no coordinate reference system; set crs:",
    "no_geo.jpg": "not georeferenced",
    "pyramid.zarr": "no coordinate reference system; set crs:",
    "rotated.tif": "no coordinate reference system; set crs:",
    "test_rpcs.tif": "sensor model",
    "timeseries.nc": r"dimensions \(station, time\) are not a grid",
}
CONFIGURED = {
    "dataset_2d.nc": "EPSG:4326",
    "dataset_3d.nc": "EPSG:4326",
    "dataset_4d.nc": "EPSG:4326",
    "float_nan.tif": "EPSG:3857",
    "pyramid.zarr": "EPSG:4326",
    "rotated.tif": "EPSG:3857",
}
"""Refused only for want of a CRS, and served with one in the configuration."""

DAMAGED = "corrupt.tif"
SERVED = (
    "MODIS_ARRAY.nc",
    "VNS_L6D_AEDB_v1_NRT_2019270_015400.tiff",
    "all-nodata.tif",
    "bcsd_obs_1999.nc",
    "byte.tif",
    "cog_cmap.tif",
    "cog_dateline.tif",
    "cog_int16.tif",
    "cog_nodata_nan.tif",
    "cog_scale.tif",
    "cog_scale_epsg4326.tif",
    "cog_tags.tif",
    "cog_uint8_rgb_mask.tif",
    "float_raster_with_nodata.tif",
    "geomatrix.tif",
    "goes.tif",
    "inverted_lat.tif",
    "lcc_km.nc",
    "nonstandard_dim.nc",
    "noweb.tif",
    "reduced.nc",
    "rotated_pole.nc",
    "sentinel_2_L1C_geographic.nc",
    "sic_daily_sample.zarr.zip",
    "ssmv_CCI_L3_v02.2_201411.tif",
    "ssmv_CCI_L3_v02.2_201412.tif",
    "testOffset.nc",
    "test_esri_wkt.tif",
    "test_find_crs.nc",
    "toa_brightness_stereographic.nc",
    "tos_O1_2001-2002.nc",
    "world.byte.tif",
    *CONFIGURED,
)


def open_weird(name):
    path = WEIRD / name
    return open_source(
        SourceSpec(collection="weird", kind=KINDS[path.suffix], href=str(path), crs=CONFIGURED.get(name))
    )


def info_of(name, variable=None):
    variables = open_weird(name).info.variables
    return variables[variable] if variable else next(iter(variables.values()))


def read_whole(reader, variable, *, index=0, level=0):
    grid = reader.info.variables[variable].levels[level]
    return reader.read_window(variable, index=index, level=level, window=Window(0, grid.height, 0, grid.width))


def read_truth(name, variable):
    """(y, x) of the first time by rasterio or xarray alone, and the centres of cells (0, 0) and (2, 1)."""
    path = WEIRD / name
    if KINDS[path.suffix] == "cog":
        with rasterio.open(path) as file:
            number = file.descriptions.index(variable) + 1 if variable in file.descriptions else int(variable[4:])
            return file.read(number), [file.xy(0, 0), file.xy(2, 1)] if file.height > 2 else [file.xy(0, 0)] * 2
    with open_with_xarray(path) as dataset:
        array = dataset[variable]
        y, x = array.dims[-2:]
        centres = [(float(dataset[x][column]), float(dataset[y][row])) for row, column in ((0, 0), (2, 1))]
        return array.values.reshape(-1, *array.shape[-2:])[0], centres


def open_with_xarray(path):
    options = {"mask_and_scale": False, "decode_times": False}
    if path.suffix == ".nc":
        return xarray.open_dataset(path, **options)
    return xarray.open_zarr(path, group="2", consolidated=False, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_odd_raster_is_refused_with_its_reason(name):
    path = WEIRD / name
    spec = SourceSpec(collection="weird", kind=KINDS[path.suffix], href=str(path))

    with pytest.raises(UnsupportedSource, match=REFUSED[name]) as raised:
        open_source(spec)

    assert "\n" not in raised.value.message


@pytest.mark.parametrize("name", [name for name in SERVED if not name.endswith(".zip")])
def test_odd_raster_is_served_with_its_stored_numbers(name):
    reader = open_weird(name)
    variable = next(iter(reader.info.variables))

    numbers = read_whole(reader, variable).numbers

    truth, _centres = read_truth(name, variable)
    np.testing.assert_array_equal(numbers, truth)


def test_curvilinear_array_has_its_numbers_at_its_positions():
    reader = open_weird("test_stageiv_xyt_borked.nc")
    (name,) = reader.info.variables
    with open_with_xarray(WEIRD / "test_stageiv_xyt_borked.nc") as dataset:
        cells = dataset.transpose("time", "y", "x", ...).isel(time=0, y=slice(20, 90, 10), x=slice(20, 80, 10))
        truth, latitudes, longitudes = (
            cells[array].transpose("y", "x").values.ravel() for array in (name, "lat", "lon")
        )

    points = [Point(x=x, y=y) for x, y in zip(longitudes.tolist(), latitudes.tolist(), strict=True)]
    numbers = [reader.read_point(name, indexes=[0], point=point).numbers[0] for point in points]

    np.testing.assert_array_equal(numbers, truth)


SCALED_COORDINATES = {"lcc_km.nc": 1000.0}


@pytest.mark.parametrize("name", [name for name in SERVED if not name.endswith(".zip")])
def test_cells_of_odd_raster_have_the_place_in_the_file(name):
    info = info_of(name)
    _truth, expected = read_truth(name, info.name)
    factor = SCALED_COORDINATES.get(name, 1.0)

    row = 2 if info.grid.height > 2 else 0
    found = [info.grid.centre_of(0, 0), info.grid.centre_of(row, 1 if row else 0)]

    tolerance = info.grid.resolution * 0.05
    assert found == [pytest.approx((x * factor, y * factor), abs=tolerance) for x, y in expected]


@pytest.mark.parametrize("name", SERVED)
def test_extent_of_odd_raster_is_known(name):
    box = info_of(name).grid.bbox_in(CRS84)

    assert -180 <= box.xmin < box.xmax <= 540
    assert -90 <= box.ymin < box.ymax <= 90


def test_zip_is_served_with_its_stored_numbers():
    numbers = read_whole(open_weird("sic_daily_sample.zarr.zip"), "siconc").numbers

    with zarr.storage.ZipStore(WEIRD / "sic_daily_sample.zarr.zip", mode="r") as store:
        truth = zarr.open_array(store, path="sic_daily_sample.zarr/siconc", mode="r")[0]
    np.testing.assert_array_equal(numbers, truth)


def test_damaged_file_opens_and_its_damaged_part_is_unavailable():
    reader = open_weird(DAMAGED)

    reader.read_window("band1", index=0, level=0, window=Window(0, 512, 0, 512))
    with pytest.raises(SourceUnavailable, match="band1 in collection weird"):
        reader.read_window("band1", index=0, level=0, window=Window(400, 700, 400, 700))


# Peculiarities of some files.


def test_south_up_raster_ascends():
    assert info_of("inverted_lat.tif").grid.transform.e == 0.5


def test_nan_is_missing_too_with_a_numeric_nodata():
    info = info_of("cog_nodata_nan.tif")
    numbers = read_whole(open_weird("cog_nodata_nan.tif"), info.name).numbers

    assert info.encoding.nodata == 0
    assert np.isnan(numbers).any()
    np.testing.assert_array_equal(info.encoding.valid(numbers), ~np.isnan(numbers) & (numbers != 0))


def test_large_negative_nodata_of_float32_is_met():
    info = info_of("float_raster_with_nodata.tif")
    numbers = read_whole(open_weird("float_raster_with_nodata.tif"), info.name).numbers

    with rasterio.open(WEIRD / "float_raster_with_nodata.tif") as file:
        np.testing.assert_array_equal(info.encoding.valid(numbers), file.read_masks(1) > 0)


def test_raster_of_nodata_has_no_valid_pixel():
    reader = open_weird("all-nodata.tif")

    for name, info in reader.info.variables.items():
        assert not info.encoding.valid(read_whole(reader, name).numbers).any()


@pytest.mark.parametrize("level", [0, 1, 2])
def test_internal_mask_is_read_at_every_level(level):
    pixels = read_whole(open_weird("cog_uint8_rgb_mask.tif"), "band2", level=level)

    options = {"overview_level": level - 1} if level else {}
    with rasterio.open(WEIRD / "cog_uint8_rgb_mask.tif", **options) as file:
        np.testing.assert_array_equal(pixels.valid, file.read_masks(2) > 0)


@pytest.mark.parametrize(("name", "bands"), [("cog_scale.tif", 2), ("cog_scale_epsg4326.tif", 2), ("cog_tags.tif", 1)])
def test_scale_and_offset_are_those_of_each_band(name, bands):
    encodings = [info.encoding for info in open_weird(name).info.variables.values()]

    with rasterio.open(WEIRD / name) as file:
        assert [(each.scale, each.offset) for each in encodings] == list(zip(file.scales, file.offsets, strict=True))
    assert len(encodings) == bands


def test_offset_of_netcdf_is_applied():
    assert info_of("testOffset.nc", "variableWithOffset").encoding.offset == 100


@pytest.mark.parametrize("name", ["cog_cmap.tif", "VNS_L6D_AEDB_v1_NRT_2019270_015400.tiff"])
def test_palette_holds_every_number_that_occurs(name):
    info = info_of(name)
    numbers = read_whole(open_weird(name), info.name, level=len(info.levels) - 1).numbers

    assert info.is_categorical
    assert set(np.unique(numbers)) - {info.encoding.nodata} <= {each.value for each in info.classes}


@pytest.mark.parametrize(
    ("name", "is_circular"),
    [("tos_O1_2001-2002.nc", True), ("reduced.nc", True), ("world.byte.tif", True), ("byte.tif", False)],
)
def test_grids_round_the_globe_are_circular(name, is_circular):
    assert info_of(name).grid.is_circular == is_circular


def test_months_of_a_360_day_calendar_are_months():
    times = info_of("tos_O1_2001-2002.nc").times

    assert len(times) == 24
    assert [str(each)[:10] for each in (times.starts[1], times.ends[1])] == ["2001-02-01", "2001-03-01"]


def test_kilometres_are_metres():
    grid = info_of("lcc_km.nc").grid

    assert (grid.transform.a, grid.transform.e) == (1000, -1000)
    projection = Proj(proj="lcc", lat_1=25, lat_2=60, lat_0=42.5, lon_0=-100, a=6378137, rf=298.257223563)
    expected = projection(-778_250, -120_000, inverse=True)
    assert transformer(grid.crs, CRS84).transform(*grid.centre_of(0, 0)) == pytest.approx(expected, abs=1e-9)


def test_levels_of_the_pyramid_are_ordered_by_size():
    assert [grid.width for grid in info_of("pyramid.zarr").levels] == [250, 50, 10]


@pytest.mark.parametrize("name", ["rotated.tif", "geomatrix.tif"])
def test_rotation_is_preserved(name):
    with rasterio.open(WEIRD / name) as file:
        assert info_of(name).grid.transform == file.transform


@pytest.mark.parametrize(
    ("name", "crs"),
    [
        ("MODIS_ARRAY.nc", "sinu"),
        ("goes.tif", "geos"),
        ("rotated_pole.nc", "ob_tran"),
        ("toa_brightness_stereographic.nc", "stere"),
        ("lcc_km.nc", "lcc"),
        ("test_esri_wkt.tif", "aea"),
    ],
)
@pytest.mark.filterwarnings("ignore:You will likely lose important projection information")
def test_projection_is_that_of_the_file(name, crs):
    assert info_of(name).grid.crs.definition.to_dict()["proj"] == crs


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("sentinel_2_L1C_geographic.nc", "EPSG:4326"),
        ("nonstandard_dim.nc", "EPSG:4326"),
        ("test_find_crs.nc", "EPSG:32614"),
        ("cog_dateline.tif", "EPSG:32660"),
        ("byte.tif", "EPSG:26711"),
    ],
)
def test_code_of_the_system_is_found_in_odd_places(name, code):
    assert info_of(name).grid.crs.name == code


def test_every_odd_raster_is_in_the_table():
    table = TABLE.read_text("utf-8")

    assert [path.name for path in sorted(WEIRD.iterdir()) if f"`{path.name}`" not in table] == []
