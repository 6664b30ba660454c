"""Formulas, masks and reducers over a real Sentinel-2 cube, compared with xarray's results for the same file."""

import io

import numpy as np
import pytest
import xarray
from pyproj import Transformer
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.time.instants import system_clock
from tests.real_data.truth import SHARED

pytestmark = [pytest.mark.data, pytest.mark.slow]

ROMANIA = SHARED / "data" / "s2_romania"
CONFIGURATION = """
collections:
  ten:
    source: {{kind: netcdf, href: "{folder}/ndvi_scl_romania_10m.nc"}}
    variables:
      SCL: {{name: scl, layer: SCL}}
      NDVI: {{name: ndvi, layer: NDVI, mask: {{variable: SCL, keep: [4, 5]}}}}
      DENSE: {{formula: "where(NDVI > 0.7, NDVI, nan)", layer: DENSE}}
  twenty:
    source: {{kind: netcdf, href: "{folder}/sentinel2_cube_subset_romania_20m.nc"}}
    variables:
      B4: {{layer: RED}}
      B8A: {{layer: NIR}}
      B11: {{layer: SWIR}}
      NDMI: {{formula: "(B8A - B11) / (B8A + B11)", layer: NDMI, range: [-1, 1], styles: [greys]}}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    file = tmp_path_factory.mktemp("romania") / "chronotile.yaml"
    file.write_text(CONFIGURATION.format(folder=ROMANIA), encoding="utf-8")
    archive = open_archive(file, environment={}, clock=system_clock)
    with TestClient(application(archive.services)) as one:
        yield one


@pytest.fixture(scope="module")
def ten():
    with xarray.open_dataset(ROMANIA / "ndvi_scl_romania_10m.nc") as dataset:
        yield dataset.load()


@pytest.fixture(scope="module")
def twenty():
    with xarray.open_dataset(ROMANIA / "sentinel2_cube_subset_romania_20m.nc", mask_and_scale=False) as dataset:
        yield dataset.astype(float).where(dataset != 0).load()


def series(client, layer, dataset, row, column):
    crs = dataset["spatial_ref"].attrs["spatial_ref"]
    place = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    longitude, latitude = place.transform(float(dataset["x"][column]), float(dataset["y"][row]))
    return client.get(f"/timeseries/{layer}/point?lon={longitude}&lat={latitude}").json()


def as_floats(values):
    return np.array([np.nan if value is None else value for value in values])


@pytest.mark.parametrize(("row", "column"), [(0, 0), (31, 77), (99, 99), (50, 12)])
def test_a_masked_series_is_xarrays_where(client, ten, row, column):
    answer = series(client, "NDVI", ten, row, column)

    cell = ten.isel(y=row, x=column)
    expected = cell["ndvi"].where(cell["scl"].isin([4, 5])).values
    np.testing.assert_allclose(as_floats(answer["values"]), expected, rtol=1e-12)
    is_masked = ~np.isnan(cell["ndvi"].values) & np.isnan(expected)
    assert [reason == "masked" for reason in answer["reasons"]] == is_masked.tolist()
    assert 0 < np.isfinite(expected).sum() < expected.size


def test_a_formula_over_a_masked_variable_is_xarrays(client, ten):
    values = as_floats(series(client, "DENSE", ten, 31, 77)["values"])

    cell = ten.isel(y=31, x=77)
    masked = cell["ndvi"].where(cell["scl"].isin([4, 5]))
    np.testing.assert_allclose(values, masked.where(masked > 0.7).values, rtol=1e-6)


@pytest.mark.parametrize(("row", "column"), [(0, 0), (20, 31), (49, 49)])
def test_a_formula_series_is_xarrays_arithmetic(client, twenty, row, column):
    values = as_floats(series(client, "NDMI", twenty, row, column)["values"])

    cell = twenty.isel(y=row, x=column)
    np.testing.assert_allclose(values, ((cell["B8A"] - cell["B11"]) / (cell["B8A"] + cell["B11"])).values, rtol=1e-6)
    assert np.isfinite(values).any()


@pytest.mark.parametrize("reducer", ["max", "min", "mean", "median"])
def test_a_reduced_native_tile_is_xarrays(client, twenty, reducer):
    """Zoom 14 shows 20 m cells nearly unchanged; each pixel must have the value of a cell."""
    days = twenty["time"].values
    first, last = str(days[0])[:10], str(days[11])[:10]
    crs = twenty["spatial_ref"].attrs["spatial_ref"]
    longitude, latitude = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True).transform(
        float(twenty["x"].mean()), float(twenty["y"].mean())
    )
    x = int((longitude + 180) / 360 * 2**14)
    y = int((1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * 2**14)
    query = {"datetime": f"{first}/{last}", "reducer": reducer, "expression": "(B8A - B4) / (B8A + B4)"}

    values = np.load(io.BytesIO(client.get(f"/tiles/RED/WebMercatorQuad/14/{x}/{y}.npy", params=query).content))

    part = twenty.sel(time=slice(first, last))
    ndvi = ((part["B8A"] - part["B4"]) / (part["B8A"] + part["B4"])).astype("float32").astype(float)
    expected = getattr(ndvi, reducer)("time").values.astype("float32")
    seen = values[np.isfinite(values)]
    assert seen.size > 500
    assert np.isclose(seen[:, None], expected.ravel()[None, :], rtol=1e-6).any(axis=1).all()
