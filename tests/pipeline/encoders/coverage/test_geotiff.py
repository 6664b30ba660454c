"""Coverages as cloud optimised GeoTIFF, as rasterio and GDAL's command line read them."""

import json
import struct
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.windows import Window

from chronotile.core.errors import ClientGone, LimitExceeded, SourceUnavailable, UnsupportedFormat
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import NO_TIME, TimeDomain
from chronotile.pipeline.encoders.coverage.cog import CogProfile, CogWriter
from chronotile.pipeline.encoders.coverage.geotiff import check_coverage_geotiff, coverage_geotiff
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


def written(coverage, **more):
    file = coverage_geotiff(coverage, **more)
    body = b"".join(file.iter_bytes())
    file.close()
    return body


@contextmanager
def opened(body, **options):
    with MemoryFile(body) as file, file.open(**options) as dataset:
        yield dataset


def directories(body):
    """Return (place, tags by number as (type, values)) of each directory of a classic TIFF."""
    found = []
    (place,) = struct.unpack_from("<I", body, 4)
    while place:
        (count,) = struct.unpack_from("<H", body, place)
        entries = [struct.unpack_from("<HHII", body, place + 2 + 12 * number) for number in range(count)]
        found.append((place, {number: (kind, values, where) for number, kind, values, where in entries}))
        (place,) = struct.unpack_from("<I", body, place + 2 + 12 * count)
    return found


def longs(body, tag):
    """Return the values of a tag of 32-bit numbers."""
    _kind, count, where = tag
    return [where] if count == 1 else list(struct.unpack_from(f"<{count}I", body, where))


@pytest.mark.quick_cases("one tile", "many tiles-int16")
@pytest.mark.parametrize(("dtype", "nodata"), NODATA_OF_TYPES.items(), ids=NODATA_OF_TYPES)
@pytest.mark.parametrize("grid", [UTM, LARGE], ids=["one tile", "many tiles"])
def test_digital_numbers_equal_those_of_the_source(dtype, nodata, grid):
    coverage = make_coverage(make_field(dtype=dtype, nodata=nodata), grid=grid)

    with opened(written(coverage)) as dataset:
        assert dataset.dtypes == (dtype,) * 3
        np.testing.assert_array_equal(dataset.read(), expected_numbers(coverage))


def test_zero_may_stand_for_no_value():
    coverage = make_coverage(make_field(nodata=0.0))

    with opened(written(coverage)) as dataset:
        assert dataset.nodatavals == (0.0,) * 3
        np.testing.assert_array_equal(dataset.read(masked=True).mask, np.isnan(expected_values(coverage)))


@pytest.mark.parametrize("grid", [UTM, DEGREES, LARGE], ids=["projected", "degrees", "large"])
def test_scaled_numbers_are_the_values_of_the_source(grid):
    coverage = make_coverage(grid=grid)

    with opened(written(coverage)) as dataset:
        numbers = dataset.read(masked=True).astype(np.float64)
        values = numbers * dataset.scales[0] + dataset.offsets[0]
        np.testing.assert_array_equal(values.filled(np.nan), expected_values(coverage))


RUNS = {"pictures": (10**6, 2), "strips": (100, 1), "rows": (7, 1), "all times of some rows": (100, 3)}


@pytest.mark.parametrize(("rows", "times"), RUNS.values(), ids=RUNS)
def test_file_is_the_same_however_the_source_is_best_read(rows, times):
    coverage = make_coverage(grid=LARGE)

    assert written(make_coverage(grid=LARGE, rows_at_once=rows, times_at_once=times)) == written(coverage)


def test_every_cell_is_read_once():
    coverage = make_coverage(grid=LARGE, rows_at_once=100, times_at_once=1)

    written(coverage)

    assert coverage.reads == [(0, time, rows) for time in range(3) for rows in coverage.row_runs]


def test_coverage_has_the_place_of_its_grid():
    with opened(written(make_coverage())) as dataset:
        assert dataset.crs == rasterio.CRS.from_epsg(32631)
        assert tuple(dataset.bounds) == UTM.bbox
        assert dataset.tags()["AREA_OR_POINT"] == "Area"


def test_cells_of_one_degree_at_the_origin_have_their_place():
    grid = Grid(crs=DEGREES.crs, bbox=BBox(0, -4, 5, 0), width=5, height=4)

    with opened(written(make_coverage(grid=grid))) as dataset:
        assert tuple(dataset.bounds) == grid.bbox


def test_degrees_are_epsg_4326_with_longitude_first():
    with opened(written(make_coverage(grid=DEGREES))) as dataset:
        assert dataset.crs.to_epsg() == 4326
        assert tuple(dataset.bounds) == DEGREES.bbox


def test_crs_without_a_code_is_written_by_its_parameters():
    sinusoidal = crs_of("+proj=sinu +R=6371007.181 +units=m")
    grid = Grid(crs=sinusoidal, bbox=UTM.bbox, width=UTM.width, height=UTM.height)

    with opened(written(make_coverage(grid=grid))) as dataset:
        assert dataset.crs.to_dict()["proj"] == "sinu"
        assert dataset.crs.to_dict()["R"] == 6371007.181


def test_crs_that_geotiff_has_no_words_for_is_refused():
    rotated = crs_of(
        "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +to_meter=0.0174532925199433"
    )
    grid = Grid(crs=rotated, bbox=DEGREES.bbox, width=20, height=30)

    with pytest.raises(UnsupportedFormat, match="NetCDF and zarr can") as refused:
        coverage_geotiff(make_coverage(grid=grid))

    assert refused.value.locator == "f"


def test_bands_are_all_fields_of_the_first_time_then_of_the_next():
    coverage = make_coverage(make_field("NDVI", scale=0.01), make_field("FAPAR", scale=0.1, offset=1.0, units="%"))

    with opened(written(coverage)) as dataset:
        assert dataset.descriptions[:3] == (
            "NDVI 2020-06-01T00:00:00Z",
            "FAPAR 2020-06-01T00:00:00Z",
            "NDVI 2020-06-11T00:00:00Z",
        )
        assert dataset.scales == (0.01, 0.1) * 3
        assert dataset.offsets == (0.0, 1.0) * 3
        assert dataset.units == ("1", "%") * 3
        np.testing.assert_array_equal(dataset.read([2, 4, 6]), expected_numbers(coverage, 1))


def test_band_without_time_is_named_by_its_field():
    with opened(written(make_coverage(times=NO_TIME))) as dataset:
        assert dataset.descriptions == ("NDVI",)
        assert not [name for name in dataset.tags() if name.startswith("TIME")]


def test_file_has_its_attribution():
    with opened(written(make_coverage())) as dataset:
        tags = dataset.tags()

    assert tags.pop("TIFFTAG_SOFTWARE").startswith("chronotile ")
    assert tags == {
        "AREA_OR_POINT": "Area",
        "TITLE": "Vegetation: NDVI of fields",
        "COLLECTION": "s2",
        "ATTRIBUTION": "Copernicus & co",
        "LICENSE": "CC-BY-4.0",
        "TIME_COVERAGE_START": "2020-06-01T00:00:00Z",
        "TIME_COVERAGE_END": "2020-06-21T00:00:00Z",
        "REFERENCES": "https://example.org/metadata.xml",
    }


TOGETHER = {
    "same": ([("uint8", 255.0), ("uint8", 255.0)], "uint8", 255.0),
    "a nodata that is free in both": ([("uint8", 255.0), ("uint16", 65535.0)], "uint16", 65535.0),
    "nodata that is a value of the other": ([("uint8", 255.0), ("uint8", 0.0)], "uint16", 65535.0),
    "signs": ([("uint8", 255.0), ("int8", -128.0)], "int16", 255.0),
    "floats with numbers for no value": ([("float32", -9999.0), ("float32", np.nan)], "float32", np.nan),
    "integers and floats": ([("int16", -1.0), ("float32", np.nan)], "float32", np.nan),
    "integers too large for short floats": ([("int32", -1.0), ("float32", np.nan)], "float64", np.nan),
}


@pytest.mark.parametrize(("fields", "dtype", "nodata"), TOGETHER.values(), ids=TOGETHER)
def test_fields_of_different_types_get_a_common_type(fields, dtype, nodata):
    fields = [make_field(f"F{number}", dtype=own, nodata=none, scale=0.5) for number, (own, none) in enumerate(fields)]
    coverage = make_coverage(*fields)

    with opened(written(coverage)) as dataset:
        assert (dataset.dtypes[0], dataset.nodata) == (dtype, pytest.approx(nodata, nan_ok=True))
        values = dataset.read(masked=True).astype(np.float64).filled(np.nan) * 0.5
    np.testing.assert_array_equal(values[0::2], expected_values(coverage, 0))
    np.testing.assert_array_equal(values[1::2], expected_values(coverage, 1))


@pytest.mark.parametrize("others", [("int64", "float64"), ("uint64", "int8")], ids=["floats", "signs"])
def test_fields_that_no_type_holds_are_refused_by_name(others):
    fields = [make_field(f"F{number}", dtype=dtype, nodata=1.0) for number, dtype in enumerate(others)]

    with pytest.raises(UnsupportedFormat, match=f"F0 {others[0]}, F1 {others[1]}.*properties") as refused:
        coverage_geotiff(make_coverage(*fields))

    assert refused.value.locator == "f"


def means_of_four(values):
    """Return (y, x): the mean of the cells of four that are not NaN; odd edges are repeated."""
    rows, columns = values.shape
    even = np.pad(values, ((0, rows % 2), (0, columns % 2)), mode="edge")
    four = np.stack([even[0::2, 0::2], even[0::2, 1::2], even[1::2, 0::2], even[1::2, 1::2]])
    lacking = np.isnan(four).all(axis=0)
    return np.where(lacking, np.nan, np.nansum(four, axis=0) / np.maximum((~np.isnan(four)).sum(axis=0), 1))


MEANS = {"uint8": 255.0, "int16": -7.0, "uint32": 255.0, "int64": -1.0, "float32": np.nan, "float64": -9999.0}


@pytest.mark.parametrize(("dtype", "nodata"), MEANS.items(), ids=MEANS)
def test_overviews_are_means_of_values(dtype, nodata):
    coverage = make_coverage(make_field(dtype=dtype, nodata=nodata), grid=LARGE, times=NO_TIME)
    means = means_of_four(expected_values(coverage)[0])
    rounded = means if np.dtype(dtype).kind == "f" else np.floor(means + 0.5)

    with opened(written(coverage), OVERVIEW_LEVEL=0) as dataset:
        found = dataset.read(1, masked=True).astype(np.float64).filled(np.nan)

    np.testing.assert_allclose(found, rounded, rtol=1e-6)


def test_mean_that_is_the_number_for_no_value_becomes_its_neighbour():
    coverage = make_coverage(make_field(nodata=50.0), grid=LARGE, times=NO_TIME)
    means = np.floor(means_of_four(expected_values(coverage)[0]) + 0.5)

    with opened(written(coverage), OVERVIEW_LEVEL=0) as dataset:
        found = dataset.read(1)

    assert (means == 50).any()
    np.testing.assert_array_equal(found, np.where(np.isnan(means), 50, np.where(means == 50, 49, means)))


def test_overviews_of_classes_are_cells():
    coverage = make_coverage(make_field(classes=CLASSES), grid=LARGE, times=NO_TIME)

    with opened(written(coverage), OVERVIEW_LEVEL=1) as dataset:
        np.testing.assert_array_equal(dataset.read(1), expected_numbers(coverage)[0, ::4, ::4])


def test_overviews_end_when_all_fits_into_a_tile():
    with opened(written(make_coverage(grid=LARGE))) as dataset:
        assert [dataset.overviews(band) for band in (1, 2, 3)] == [[2, 4]] * 3
        coarse = dataset.read(1, out_shape=(251, 276), resampling=Resampling.nearest)

    assert coarse.shape == (251, 276)


@pytest.mark.parametrize("grid", [UTM, LARGE], ids=["one tile", "many tiles"])
def test_gdal_takes_it_for_cloud_optimised(grid, caplog):
    with opened(written(make_coverage(grid=grid))) as dataset:
        structure = dataset.tags(ns="IMAGE_STRUCTURE")
        dataset.read()

    assert (structure["LAYOUT"], structure["COMPRESSION"], structure["INTERLEAVE"]) == ("COG", "DEFLATE", "BAND")
    assert caplog.messages == []


def test_directories_stand_first_from_fine_to_coarse():
    body = written(make_coverage(grid=LARGE))
    found = directories(body)

    places = [place for place, _tags in found]
    sizes = [tags[256][2] for _place, tags in found]
    first_tile = min(min(longs(body, tags[324])) for _place, tags in found)
    assert sizes == [1103, 552, 276]
    assert places == sorted(places)
    assert places[-1] < first_tile


def test_first_directory_follows_the_announced_layout():
    body = written(make_coverage())
    told = body.index(b"GDAL_STRUCTURAL_METADATA_SIZE=")
    size = int(body[told + 30 : told + 36])
    end = told + 43 + size

    assert told == 8
    assert directories(body)[0][0] == end + end % 2


def test_tiles_stand_coarse_first_each_between_its_size_and_its_end():
    body = written(make_coverage(grid=LARGE))
    levels = [tuple(longs(body, tags[number]) for number in (324, 325)) for _place, tags in directories(body)]

    starts = [offsets[0] for offsets, _sizes in levels]
    tiles = [(start, size) for offsets, sizes in levels for start, size in zip(offsets, sizes, strict=True)]
    assert starts == sorted(starts, reverse=True)
    assert all(offsets == sorted(offsets) for offsets, _sizes in levels)
    assert [struct.unpack_from("<I", body, start - 4)[0] for start, _size in tiles] == [size for _start, size in tiles]
    assert all(body[start + size : start + size + 4] == body[start + size - 4 : start + size] for start, size in tiles)


def test_small_grid_has_a_small_tile():
    with opened(written(make_coverage())) as dataset:
        assert dataset.block_shapes == [(48, 48)] * 3
        assert dataset.overviews(1) == []


def test_wide_grid_has_flat_tiles_that_are_no_burden_to_memory():
    coverage = make_coverage(make_field(dtype="float64", nodata=np.nan), grid=WIDE, times=NO_TIME, rows_at_once=7)

    body = written(coverage)

    with opened(body) as dataset, opened(body, OVERVIEW_LEVEL=0) as half:
        assert dataset.block_shapes == half.block_shapes == [(16, 512)]
        np.testing.assert_array_equal(dataset.read(1), expected_numbers(coverage)[0])
        np.testing.assert_allclose(half.read(1), means_of_four(expected_values(coverage)[0]))


PREDICTORS = {"uint8": ("2", ()), "float32": ("3", ()), "classes": (None, CLASSES), "int64": (None, ())}


@pytest.mark.parametrize("name", PREDICTORS)
def test_predictor_is_used_where_it_helps(name):
    predictor, classes = PREDICTORS[name]
    dtype = "uint8" if name == "classes" else name

    with opened(written(make_coverage(make_field(dtype=dtype, classes=classes)))) as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR") == predictor


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_more_than_four_gigabytes_become_a_bigtiff():
    dtype = np.dtype(np.uint8)
    profile = CogProfile(width=600, height=7_200_000, bands=1, dtype=dtype, nodata=None, predictor=2, tags=())
    numbers = (np.arange(512)[:, np.newaxis] * 3 + np.arange(600)) % 251
    writer = CogWriter(profile)

    writer.write(0, numbers.astype(np.uint8), is_last=False, has_means=False)
    file = writer.finish()
    body = b"".join(file.iter_bytes())
    file.close()

    assert body[:4] == b"II+\0"
    with opened(body) as dataset:
        np.testing.assert_array_equal(dataset.read(1, window=Window(0, 0, 600, 512)), numbers)
        assert dataset.height == 7_200_000


def test_more_bands_than_there_can_be_are_refused_unread():
    starts = np.arange(65_536).astype("datetime64[s]").astype("datetime64[ns]")
    coverage = make_coverage(times=TimeDomain(starts, starts + np.timedelta64(1, "s")))

    with pytest.raises(LimitExceeded, match="NetCDF or zarr") as refused:
        check_coverage_geotiff(coverage)

    assert (refused.value.allowed, refused.value.needed) == (65_535, 65_536)
    assert coverage.reads == []


def test_source_that_fails_half_way_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(SourceUnavailable):
        coverage_geotiff(make_coverage(grid=LARGE, rows_at_once=100, broken_from=900))

    assert list(tmp_path.iterdir()) == []


def test_work_ends_when_the_client_leaves():
    coverage = make_coverage(grid=LARGE, rows_at_once=100, times_at_once=1)

    with pytest.raises(ClientGone):
        coverage_geotiff(coverage, is_active=lambda: len(coverage.reads) < 4)

    assert len(coverage.reads) == 4


@pytest.mark.client
def test_gdal_reads_it(tmp_path):
    (tmp_path / "coverage.tif").write_bytes(written(make_coverage(grid=LARGE)))

    told = subprocess.run(
        ["gdalinfo", "-json", "-checksum", tmp_path / "coverage.tif"], capture_output=True, check=True, text=True
    )

    info = json.loads(told.stdout)
    assert told.stderr == ""
    assert info["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert info["bands"][1]["description"] == "NDVI 2020-06-11T00:00:00Z"
    assert (info["bands"][1]["scale"], info["bands"][1]["offset"], info["bands"][1]["noDataValue"]) == (0.01, -0.2, 255)
    assert info["size"] == [1103, 1001]
