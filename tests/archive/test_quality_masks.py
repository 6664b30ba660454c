"""Masks by values and flags of a quality variable, compared with xarray and numpy, from files to clients."""

import io

import numpy as np
import pytest
import rasterio
import xarray
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.audit.archive import Audit, audit_archive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from tests.odd_archives.files import write_tif
from tests.real_data.truth import SHARED
from tests.walk.serving import served

SIDE, WEST, NORTH, CELL = 16, 4.4, 51.0, 0.01
FMASK = SHARED / "data" / "instruments" / "names" / "HLS.L30.T15UXP.2024283T165135.v2.0.Fmask.tif"
DAYS = np.datetime64("2020-06-01") + 10 * np.arange(3)
BITS = np.array([1, 2, 4, -(2**31)], dtype="int32")
FIELDS = np.array([1, 6, 6, 6], dtype="int32"), np.array([1, 2, 4, 6], dtype="int32")
VARIABLES = """
    variables:
      qa_value: {layer: qa}
      bits: {layer: bits}
      fields: {layer: fields}
      classes: {layer: classes}
      good: {layer: good, name: no2, mask: {variable: qa_value, at_least: 0.75}}
      middle: {layer: middle, name: no2, mask: {variable: qa_value, at_least: 0.29, at_most: 0.57}}
      dry: {layer: dry, name: no2, mask: {variable: bits, without: [land, invalid]}}
      thin: {layer: thin, name: no2, mask: {variable: fields, without: [dense, land]}}
      clear: {layer: clear, name: no2, mask: {variable: classes, without: [high_cloud]}}
"""


def make_dataset():
    """Return packed arrays (time, y, x) as an agency writes them."""
    random = np.random.default_rng(7)
    dims, shape = ("time", "lat", "lon"), (len(DAYS), SIDE, SIDE)
    dataset = xarray.Dataset(coords={"time": DAYS.astype("datetime64[ns]")})
    dataset["no2"] = dims, random.normal(size=shape).astype("float32")
    dataset["qa_value"] = dims, random.choice([0, 28, 29, 57, 58, 74, 75, 100, 255], shape).astype("uint8")
    dataset["bits"] = dims, random.choice([0, 1, 2, 3, 4, -(2**31), -(2**31) + 4, -7], shape).astype("int32")
    dataset["fields"] = dims, random.integers(-1, 8, shape).astype("int32")
    dataset["classes"] = dims, random.integers(0, 4, shape).astype("uint8")
    dataset["qa_value"].attrs |= {"scale_factor": np.float32(0.01), "units": "1"}
    dataset["bits"].attrs |= {"flag_masks": BITS, "flag_meanings": "land coast cloud invalid"}
    masks, values = FIELDS
    dataset["fields"].attrs |= {"flag_masks": masks, "flag_values": values, "flag_meanings": "land haze thin dense"}
    codes = np.arange(4, dtype="uint8")
    dataset["classes"].attrs |= {"flag_values": codes, "flag_meanings": "clear low_cloud high_cloud snow"}
    for name, fill in (("qa_value", 255), ("bits", -7), ("fields", -1)):
        dataset[name].attrs["_FillValue"] = dataset[name].dtype.type(fill)
    middles = (np.arange(SIDE) + 0.5) * CELL
    dataset = dataset.assign_coords(lat=NORTH - middles, lon=WEST + middles)
    dataset.lon.attrs |= {"standard_name": "longitude", "units": "degrees_east"}
    dataset.lat.attrs |= {"standard_name": "latitude", "units": "degrees_north"}
    return dataset


def write_netcdf(folder):
    make_dataset().to_netcdf(folder / "made.nc")
    return "{kind: netcdf, href: made.nc}"


def write_joined(folder):
    for number, day in enumerate(DAYS):
        make_dataset().isel(time=[number]).to_netcdf(folder / f"made_{day}.nc")
    return "{kind: netcdf, href: 'made_*.nc'}"


def write_zarr(folder):
    make_dataset().to_zarr(folder / "made.zarr", zarr_format=3, consolidated=False)
    return "{kind: zarr, href: made.zarr}"


def write_cube(folder):
    write_netcdf(folder)
    optimise([str(folder / "made.nc")], folder / "cube.zarr", Options(layout="both", block=16, threads=1))
    return "{kind: zarr, href: cube.zarr}"


@pytest.fixture(scope="module")
def truth():
    """Masked (time, y, x) values by layer: xarray decodes values, numpy has the bits."""
    stored = make_dataset()
    decoded = xarray.decode_cf(stored)
    bits, fields = stored.bits.to_numpy(), stored.fields.to_numpy()
    is_land, is_dense = fields & 1 == 1, fields & 6 == 6
    is_kept = {
        "good": (decoded.qa_value >= 0.75).to_numpy(),
        "middle": np.isin(stored.qa_value, [29, 57]),
        "dry": (bits != -7) & (bits & 1 == 0) & (bits >= 0),
        "thin": (fields != -1) & ~is_land & ~is_dense,
        "clear": stored.classes.to_numpy() != 2,
    }
    return {layer: np.where(condition, stored.no2, np.nan) for layer, condition in is_kept.items()}


def open_source(folder, source, variables=VARIABLES):
    (folder / "chronotile.yaml").write_text(f"collections:\n  c:\n    source: {source}{variables}")
    return open_archive(folder / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))


@pytest.fixture(
    scope="module", params=[write_netcdf, pytest.param(write_joined, marks=pytest.mark.slow), write_zarr, write_cube]
)
def archive(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("quality")
    archive = open_source(folder, request.param(folder))
    assert [finding.text for finding in archive.findings if finding.severity == "error"] == []
    return archive


@pytest.fixture(scope="module")
def client(archive):
    with TestClient(application(archive.services)) as client:
        yield client


def coverage_of(client, layer, crs="OGC:CRS84"):
    body = client.get(f"/ogcapi/collections/{layer}/coverage?f=netcdf&crs={crs}").content
    with xarray.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        return next(array.to_numpy() for array in dataset.data_vars.values() if array.ndim == 3)


def test_coverages_have_the_values_of_xarray(client, truth):
    coverages = [coverage_of(client, layer) for layer in truth]

    np.testing.assert_allclose(coverages, list(truth.values()), rtol=1e-6)


def test_series_of_a_point_have_reasons(client, truth):
    row, column = 5, 9
    point = f"lon={WEST + (column + 0.5) * CELL}&lat={NORTH - (row + 0.5) * CELL}"

    answers = [client.get(f"/timeseries/{layer}/point?{point}").json() for layer in truth]

    expected = [values[:, row, column] for values in truth.values()]
    series = np.array([answer["values"] for answer in answers], dtype=float)
    np.testing.assert_allclose(series, expected, rtol=1e-6)
    is_masked = [[reason == "masked" for reason in answer["reasons"]] for answer in answers]
    np.testing.assert_array_equal(is_masked, np.isnan(expected))


def test_series_of_an_area_count_the_valid_cells(client, truth):
    box = f"{WEST},{NORTH - SIDE * CELL},{WEST + SIDE * CELL},{NORTH}"

    answers = [client.get(f"/timeseries/{layer}/area?bbox={box}").json() for layer in truth]

    counts = [answer["features"][0]["valid"] for answer in answers]
    np.testing.assert_array_equal(counts, [np.isfinite(values).sum(axis=(1, 2)) for values in truth.values()])


def test_audit_reads_the_same_values(archive):
    audit = Audit(seed=1)

    lines = list(audit_archive(archive, audit, samples=50))

    assert (lines, audit.mismatches, audit.not_audited) == ([], 0, [])
    assert audit.layers == ["qa", "bits", "fields", "classes", "good", "middle", "dry", "thin", "clear"]


# Bits of products whose files do not name them.

TILE = Affine(10, 0, 500_000, 0, -10, 5_600_000)
SIZE, SHIFT = 40, 24
QA = "{kind: cog, href: '{variable}_*.tif', time_pattern: '_(?P<time>\\d{8})', tiles: true}"
PRODUCTS = {
    "hls_fmask": ("uint8", 255, "cloud, cloud_shadow", 0b1010),
    "landsat_qa_pixel": ("uint16", 1, "cloud, cloud_shadow, snow", 0b111000),
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_flagged_pixels_of_a_tile_show_the_tile_below(product, tmp_path):
    dtype, nodata, flags, bits = PRODUCTS[product]
    expected = np.full((SIZE, SIZE + SHIFT), np.nan)
    random = np.random.default_rng(3)
    for tile, first in (("a", 0), ("b", SHIFT)):
        quality = random.integers(0, np.iinfo(dtype).max, (SIZE, SIZE), dtype=dtype, endpoint=True)
        quality[random.random((SIZE, SIZE)) < 0.1] = nodata
        red = random.integers(1, 200, (SIZE, SIZE)).astype("uint8")
        place = {"transform": TILE @ Affine.translation(first, 0), "crs": "EPSG:32631"}
        write_tif(tmp_path / f"QA_20200601_{tile}.tif", quality, dtype=dtype, nodata=nodata, **place)
        write_tif(tmp_path / f"RED_20200601_{tile}.tif", red, dtype="uint8", nodata=0, **place)
        under = expected[:, first : first + SIZE]
        is_shown = (quality & bits == 0) & (quality != nodata) & np.isnan(under)
        under[is_shown] = red[is_shown]
    variables = f"{{QA: {{}}, RED: {{layer: red, mask: {{variable: QA, without: [{flags}], bits: {product}}}}}}}"
    place = tmp_path / "chronotile.yaml"
    place.write_text(f"collections:\n  c:\n    source: {QA}\n    variables: {variables}")

    with served(place, tmp_path / "server") as client:
        coverage = coverage_of(client, "red", "EPSG:32631")

    assert np.isnan(expected).sum() > 100
    np.testing.assert_array_equal(coverage[0], expected)


@pytest.mark.data
def test_real_fmask_hides_its_snow_and_water(tmp_path):
    with rasterio.open(FMASK) as file:
        quality, place = file.read(1), {"transform": file.transform, "crs": file.crs}
    rows, columns = (slice(number - 100, number + 100) for number in np.argwhere(quality & 16 != 0)[0])
    place["transform"] = place["transform"] @ Affine.translation(columns.start, rows.start)
    quality = quality[rows, columns]
    write_tif(tmp_path / "Fmask_20241009.tif", quality, dtype="uint8", nodata=255, **place)
    write_tif(tmp_path / "B04_20241009.tif", np.ones(quality.shape), dtype="uint8", nodata=0, **place)
    source = "{kind: cog, href: '{variable}_*.tif', time_pattern: '_(?P<time>\\d{8})'}"
    mask = "{variable: Fmask, without: [snow, water], bits: hls_fmask}"
    archive = open_source(tmp_path, source, f"\n    variables: {{Fmask: {{}}, B04: {{layer: red, mask: {mask}}}}}")

    with TestClient(application(archive.services)) as client:
        coverage = coverage_of(client, "red", "EPSG:32615")

    assert (quality & 16 != 0).any()
    np.testing.assert_array_equal(np.isnan(coverage[0]), (quality & 48 != 0) | (quality == 255))


def test_unknown_flag_is_a_finding_that_lists_the_flags(tmp_path):
    source = write_netcdf(tmp_path)
    text = VARIABLES.replace("[land, invalid]", "[land, invald]")

    archive = open_source(tmp_path, source, f"{text}    clear: {{variable: fields, without: [fog]}}\n")

    dry, clear = (finding.message for finding in archive.findings if finding.severity == "error")
    assert dry.startswith("left out: flag 'invald' does not exist; the nearest is invalid; accepted are land, coast, ")
    assert clear == "clear: flag 'fog' does not exist; accepted are land, haze, thin, dense"
    assert archive.services.catalogue.clear == {}


def test_clear_layer_by_flags_has_no_list_of_classes(tmp_path):
    source = write_netcdf(tmp_path)
    text = "\n    variables: {fields: {layer: f}, no2: {layer: n}}\n    clear: {variable: fields, without: [dense]}\n"
    archive = open_source(tmp_path, source, text)

    with TestClient(application(archive.services)) as client:
        clear = client.get("/layers/n").json()["clear"]
        coverage = coverage_of(client, "n~clear")

    stored = make_dataset()
    assert (clear["layer"], clear["values"]) == ("f", [])
    np.testing.assert_array_equal(np.isnan(coverage), (stored.fields == -1) | (stored.fields & 6 == 6))
