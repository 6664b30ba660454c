"""Coverages as NetCDF and as Zarr, both with the CF conventions, as xarray and GDAL read them."""

import io
import json
import re
import subprocess
import zipfile

import h5netcdf
import numpy as np
import pytest
import rasterio
import xarray as xr
import zarr
from pyproj import CRS

from chronotile.core.errors import ClientGone, SourceUnavailable
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import NO_TIME, domain_of_bounds
from chronotile.pipeline.encoders.coverage.netcdf import coverage_netcdf
from chronotile.pipeline.encoders.coverage.zarr import iter_coverage_zarr
from tests.pipeline.encoders.coverages import (
    CLASSES,
    DEGREES,
    LARGE,
    NODATA_OF_TYPES,
    UTM,
    WIDE,
    expected_numbers,
    expected_values,
    make_coverage,
    make_field,
)
from tests.protocols.served import days_of

RUNS = {"pictures": (10**6, 2), "strips": (100, 1), "rows": (7, 1), "all times of some rows": (100, 3)}


def netcdf_file(coverage, **more):
    file = coverage_netcdf(coverage, **more)
    body = b"".join(file.iter_bytes())
    file.close()
    return body


def zarr_file(coverage, **more):
    return b"".join(iter_coverage_zarr(coverage, **more))


def open_netcdf(coverage, folder, **options):
    (folder / "coverage.nc").write_bytes(netcdf_file(coverage))
    with xr.open_dataset(folder / "coverage.nc", engine="h5netcdf", **options) as dataset:
        return dataset.load()


def open_zarr(coverage, folder, **options):
    (folder / "coverage.zarr.zip").write_bytes(zarr_file(coverage))
    with zarr.storage.ZipStore(folder / "coverage.zarr.zip", mode="r") as store:
        return xr.open_zarr(store, consolidated=True, chunks=None, **options).load()


def netcdf_in_gdal(folder, name):
    return f'NETCDF:"{folder}/coverage.nc":{name}'


def zarr_in_gdal(folder, name):
    return f'ZARR:"/vsizip/{folder}/coverage.zarr.zip":/{name}:1'


FORMATS = {"netcdf": open_netcdf, "zarr": open_zarr}
both = pytest.mark.parametrize("opened", FORMATS.values(), ids=FORMATS)
both_written = pytest.mark.parametrize("written", [netcdf_file, zarr_file], ids=["netcdf", "zarr"])


def test_xarray_opens_the_zip_by_one_address(tmp_path):
    coverage = make_coverage()
    (tmp_path / "made.zarr.zip").write_bytes(zarr_file(coverage))

    dataset = xr.open_zarr(f"zip::{tmp_path}/made.zarr.zip")

    np.testing.assert_array_equal(dataset["NDVI"].values, open_zarr(coverage, tmp_path)["NDVI"].values)


@pytest.mark.quick_cases("int16-")
@both
@pytest.mark.parametrize(("dtype", "nodata"), NODATA_OF_TYPES.items(), ids=NODATA_OF_TYPES)
def test_digital_numbers_equal_those_of_the_source(opened, dtype, nodata, tmp_path):
    coverage = make_coverage(make_field(dtype=dtype, nodata=nodata))

    found = opened(coverage, tmp_path, mask_and_scale=False)["NDVI"]

    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected_numbers(coverage))


@pytest.mark.quick_cases("int16-")
@both
@pytest.mark.parametrize(("dtype", "nodata"), NODATA_OF_TYPES.items(), ids=NODATA_OF_TYPES)
def test_scaled_numbers_are_the_values_of_the_source(opened, dtype, nodata, tmp_path):
    coverage = make_coverage(make_field(dtype=dtype, nodata=nodata, scale=0.004, offset=-0.08))

    found = opened(coverage, tmp_path)["NDVI"]

    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, expected_values(coverage))


@both
def test_half_precision_floats_become_single_precision(opened, tmp_path):
    coverage = make_coverage(make_field(dtype="float16", nodata=np.nan))

    found = opened(coverage, tmp_path, mask_and_scale=False)["NDVI"]

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected_numbers(coverage))


@both
@pytest.mark.parametrize(("rows", "times"), RUNS.values(), ids=RUNS)
def test_numbers_are_right_however_the_source_is_best_read(opened, rows, times, tmp_path):
    coverage = make_coverage(grid=LARGE, rows_at_once=rows, times_at_once=times)

    found = opened(coverage, tmp_path, mask_and_scale=False)["NDVI"]

    np.testing.assert_array_equal(found, expected_numbers(coverage))


@both
@pytest.mark.parametrize("times", [1, 4, 6])
def test_small_grid_at_many_times_has_many_times_in_a_chunk(opened, times, tmp_path):
    days = days_of(*(f"2020-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 26)))
    coverage = make_coverage(times=days, times_at_once=times)

    found = opened(coverage, tmp_path, mask_and_scale=False)["NDVI"]

    assert found.encoding.get("chunksizes", found.encoding.get("chunks")) == (262_144 // (41 * 37), 37, 41)
    np.testing.assert_array_equal(found, expected_numbers(coverage))


@both
def test_large_grid_lies_in_squares_of_one_time(opened, tmp_path):
    found = opened(make_coverage(grid=LARGE), tmp_path)["NDVI"]

    assert found.encoding.get("chunksizes", found.encoding.get("chunks")) == (1, 512, 512)


@both
def test_wide_grid_lies_in_flat_chunks_that_are_no_burden_to_memory(opened, tmp_path):
    coverage = make_coverage(make_field(dtype="float64", nodata=np.nan), grid=WIDE, times=NO_TIME, rows_at_once=7)

    found = opened(coverage, tmp_path, mask_and_scale=False)["NDVI"]

    assert found.encoding.get("chunksizes", found.encoding.get("chunks")) == (16, 512)
    np.testing.assert_array_equal(found, expected_numbers(coverage)[0])


@both
def test_axes_are_centres_of_cells(opened, tmp_path):
    found = opened(make_coverage(), tmp_path)

    assert found["NDVI"].dims == ("time", "y", "x")
    np.testing.assert_array_equal(found["x"], 600_050.0 + 100.0 * np.arange(41))
    np.testing.assert_array_equal(found["y"], 5_649_950.0 - 100.0 * np.arange(37))
    assert found["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert (found["y"].attrs["units"], found["y"].attrs["axis"]) == ("metre", "Y")


@both
def test_degrees_have_latitudes_and_longitudes(opened, tmp_path):
    found = opened(make_coverage(grid=DEGREES), tmp_path)

    assert found["NDVI"].dims == ("time", "lat", "lon")
    np.testing.assert_allclose(found["lat"], 50.7375 - 0.025 * np.arange(30), rtol=1e-15)
    np.testing.assert_allclose(found["lon"], 4.0125 + 0.025 * np.arange(20), rtol=1e-15)
    assert (found["lat"].attrs["standard_name"], found["lat"].attrs["units"]) == ("latitude", "degrees_north")
    assert (found["lon"].attrs["standard_name"], found["lon"].attrs["units"]) == ("longitude", "degrees_east")


MAPPINGS = {
    "EPSG:32631": "transverse_mercator",
    "EPSG:3035": "lambert_azimuthal_equal_area",
    "EPSG:31370": "lambert_conformal_conic",
    "EPSG:3031": "polar_stereographic",
    "EPSG:4326": "latitude_longitude",
    "+proj=sinu +R=6371007.181 +units=m": "sinusoidal",
    "ESRI:54009": None,
}
"""Names of CF-1.11 Appendix F, which has none for Mollweide."""


@pytest.mark.quick_cases("EPSG:4326", "EPSG:3035")
@both
@pytest.mark.parametrize(("name", "mapping_name"), MAPPINGS.items(), ids=MAPPINGS)
def test_grid_mapping_is_the_crs(opened, name, mapping_name, tmp_path):
    grid = Grid(crs=crs_of(name), bbox=DEGREES.bbox, width=20, height=30)

    found = opened(make_coverage(grid=grid), tmp_path)

    mapping = found[found["NDVI"].encoding.get("grid_mapping") or found["NDVI"].attrs["grid_mapping"]].attrs
    assert CRS.from_cf(mapping) == CRS.from_user_input(name)
    assert mapping.get("grid_mapping_name") == mapping_name
    assert [float(number) for number in mapping["GeoTransform"].split()] == [4.0, 0.025, 0.0, 50.75, 0.0, -0.025]


@both
def test_days_have_bounds(opened, tmp_path):
    found = opened(make_coverage(), tmp_path)

    days = np.array(["2020-06-01", "2020-06-11", "2020-06-21"], dtype="datetime64[ns]")
    np.testing.assert_array_equal(found["time"], days)
    np.testing.assert_array_equal(found["time_bnds"], np.stack([days, days + np.timedelta64(1, "D")], axis=1))
    assert found["time"].attrs["standard_name"] == "time"
    assert (found["time"].encoding.get("bounds") or found["time"].attrs["bounds"]) == "time_bnds"


@both
def test_periods_have_bounds(opened, tmp_path):
    months = np.array(["2020-01", "2020-02", "2020-03"], dtype="datetime64[M]").astype("datetime64[ns]")

    found = opened(make_coverage(times=domain_of_bounds(months[:2], months[1:])), tmp_path)

    np.testing.assert_array_equal(found["time_bnds"], np.stack([months[:2], months[1:]], axis=1))


@both
def test_instants_have_none(opened, tmp_path):
    moments = days_of("2020-06-20T10:50:31", "2020-06-25T10:50:29.024")

    found = opened(make_coverage(times=moments), tmp_path)

    np.testing.assert_array_equal(found["time"], moments.instants)
    assert "time_bnds" not in found


@both
def test_coverage_without_time_has_two_axes(opened, tmp_path):
    coverage = make_coverage(times=NO_TIME)

    found = opened(coverage, tmp_path)

    assert found["NDVI"].dims == ("y", "x")
    assert "time" not in found
    np.testing.assert_array_equal(found["NDVI"], expected_values(coverage)[0])


@both
def test_field_is_described(opened, tmp_path):
    field = make_field("LAI", units="m2 m-2", scale=0.1, standard_name="leaf_area_index")

    found = opened(make_coverage(field), tmp_path)["LAI"]

    assert {name: found.attrs[name] for name in ("long_name", "units", "standard_name")} == {
        "long_name": "LAI of fields",
        "units": "m2 m-2",
        "standard_name": "leaf_area_index",
    }
    assert (found.encoding["scale_factor"], found.encoding["add_offset"], found.encoding["_FillValue"]) == (0.1, 0, 255)


@both
def test_numbers_that_are_values_are_not_scaled(opened, tmp_path):
    found = opened(make_coverage(make_field()), tmp_path)["NDVI"]

    assert "scale_factor" not in found.encoding


@both
def test_all_numbers_may_be_values(opened, tmp_path):
    coverage = make_coverage(make_field(nodata=None))

    found = opened(coverage, tmp_path)["NDVI"]

    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected_numbers(coverage))


@both
def test_classes_are_flags(opened, tmp_path):
    found = opened(make_coverage(make_field("CROP", classes=CLASSES)), tmp_path)["CROP"].attrs

    np.testing.assert_array_equal(found["flag_values"], [0, 1, 2])
    assert found["flag_meanings"] == "water___ice forest fields"


@both
def test_file_has_its_attribution(opened, tmp_path):
    found = dict(opened(make_coverage(), tmp_path).attrs)

    assert re.fullmatch(r"written by chronotile \S+", found.pop("history"))
    assert found == {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": "Vegetation: NDVI of fields",
        "id": "s2",
        "source": "collection s2",
        "attribution": "Copernicus & co",
        "acknowledgement": "Copernicus & co",
        "license": "CC-BY-4.0",
        "references": "https://example.org/metadata.xml",
        "time_coverage_start": "2020-06-01T00:00:00Z",
        "time_coverage_end": "2020-06-21T00:00:00Z",
    }


@both
def test_names_are_plain_and_each_once(opened, tmp_path):
    coverage = make_coverage(*(make_field(name) for name in ("p2.5", "p2-5", "time", "x")))

    found = opened(coverage, tmp_path, mask_and_scale=False)

    assert {"p2_5", "p2_5_2", "time_2", "x_2"} <= set(found.variables)
    np.testing.assert_array_equal(found["x_2"], expected_numbers(coverage, 3))


@both
def test_fields_keep_their_types(opened, tmp_path):
    coverage = make_coverage(make_field("A"), make_field("B", dtype="float32", nodata=np.nan))

    found = opened(coverage, tmp_path, mask_and_scale=False)

    assert (found["A"].dtype, found["B"].dtype) == ("uint8", "float32")
    np.testing.assert_array_equal(found["B"], expected_numbers(coverage, 1))


@both
def test_xarray_writes_the_dataset_that_it_opened(opened, tmp_path):
    found = opened(make_coverage(), tmp_path)

    found.to_netcdf(tmp_path / "again.nc", engine="h5netcdf")

    with xr.open_dataset(tmp_path / "again.nc", engine="h5netcdf") as again:
        xr.testing.assert_equal(again, found)


IN_GDAL = {"netcdf": (open_netcdf, netcdf_in_gdal), "zarr": (open_zarr, zarr_in_gdal)}


@pytest.mark.parametrize(("opened", "in_gdal"), IN_GDAL.values(), ids=IN_GDAL)
@pytest.mark.parametrize(
    ("grid", "code"), [(UTM, 32631), (DEGREES, 4326), (LARGE, 32631)], ids=["utm", "degrees", "large"]
)
def test_rasterio_finds_it_in_its_place(opened, in_gdal, grid, code, tmp_path):
    coverage = make_coverage(grid=grid, times=days_of("2020-06-01", "2020-06-11"))
    opened(coverage, tmp_path)

    with rasterio.open(in_gdal(tmp_path, "NDVI")) as dataset:
        assert dataset.crs.to_epsg() == code
        assert tuple(dataset.bounds) == pytest.approx(grid.bbox, rel=1e-14)
        assert (dataset.nodata, dataset.scales[0], dataset.offsets[0]) == (255, 0.01, -0.2)
        np.testing.assert_array_equal(dataset.read(dataset.count), expected_numbers(coverage)[1])


@both_written
def test_every_cell_is_read_once(written):
    coverage = make_coverage(grid=LARGE, rows_at_once=100, times_at_once=1)

    written(coverage)

    assert coverage.reads == [(0, time, rows) for time in range(3) for rows in coverage.row_runs]


@both_written
def test_work_ends_when_the_client_leaves(written):
    coverage = make_coverage(grid=LARGE, rows_at_once=100, times_at_once=1)

    with pytest.raises(ClientGone):
        written(coverage, is_active=lambda: len(coverage.reads) < 4)

    assert len(coverage.reads) == 4


@both_written
def test_source_that_fails_half_way_leaves_nothing(written, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(SourceUnavailable):
        written(make_coverage(grid=LARGE, rows_at_once=100, broken_from=900))

    assert list(tmp_path.iterdir()) == []


def test_chunks_of_netcdf_are_shuffled_and_deflated():
    with h5netcdf.File(io.BytesIO(netcdf_file(make_coverage(grid=LARGE))), "r") as file:
        found = file["NDVI"]

        assert (found.compression, found.shuffle) == ("gzip", True)


def test_zip_is_made_while_it_is_sent():
    days = days_of(*(f"2020-06-{day:02}" for day in range(1, 31)))
    field = make_field(dtype="float64", nodata=np.nan)
    coverage = make_coverage(field, grid=LARGE, times=days, rows_at_once=512, times_at_once=1)
    parts = iter_coverage_zarr(coverage)

    next(parts)

    assert len(coverage.reads) < 15
    parts.close()


def test_metadata_come_first_and_members_are_stored_uncompressed():
    with zipfile.ZipFile(io.BytesIO(zarr_file(make_coverage()))) as archive:
        names = archive.namelist()
        metadata = json.loads(archive.read(".zmetadata"))["metadata"]

        assert {member.compress_type for member in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.testzip() is None

    assert names[0] == ".zmetadata"
    assert names[1 : len(metadata) + 1] == list(metadata)
    assert metadata["NDVI/.zarray"]["compressor"] == {"id": "zlib", "level": 1}
    assert len(set(names)) == len(names)


@pytest.mark.client
@pytest.mark.parametrize(("opened", "in_gdal"), IN_GDAL.values(), ids=IN_GDAL)
def test_gdal_reads_it(opened, in_gdal, tmp_path):
    coverage = make_coverage(grid=LARGE)
    opened(coverage, tmp_path)

    told = subprocess.run(
        ["gdalinfo", "-json", "-stats", "--config", "GDAL_PAM_ENABLED", "NO", in_gdal(tmp_path, "NDVI")],
        capture_output=True,
        check=True,
        text=True,
    )

    info = json.loads(told.stdout)
    band = info["bands"][-1]
    assert info["geoTransform"] == [600_000.0, 10.0, 0.0, 5_650_010.0, 0.0, -10.0]
    assert (band["scale"], band["offset"], band["noDataValue"]) == (0.01, -0.2, 255)
