"""Products of HDF5 without CF in served folders: values at random places in several protocols, and findings."""

import io
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyproj
import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import application
from tests.made_producers import (
    Truth,
    struct_metadata,
    vnp13_entries,
    write_nisar,
    write_odim,
    write_probav,
    write_struct,
    write_vnp13,
)
from tests.scenes import Scene, write_netcdf

PLACES = 200
DAY = "2020-01-03"
PROBAV = "LEVEL3/NDVI/NDVI", "LEVEL3/RADIOMETRY/RED/TOC", "LEVEL3/QUALITY/SM"


def probav(name: str) -> Callable[[Path], Truth]:
    return lambda folder: write_probav(folder / f"PROBAV_S1_TOC_X18Y02_{DAY.replace('-', '')}_1KM_V001.HDF5")[name]


MAKERS: dict[str, Callable[[Path], Truth]] = {
    "VNP13A1": lambda folder: write_vnp13(folder / "VNP13A1.A2020003.h18v03.001.2020123456789.h5"),
    "VNP13A1 in parts": lambda folder: write_vnp13(folder / "VNP13A1.A2020003.h18v03.001.h5", part_size=500),
    **{f"PROBA-V {name}": probav(name) for name in PROBAV},
    "ODIM DBZH": lambda folder: write_odim(folder / "T_PAAH21_C_EUOC_20200103.hdf"),
    "ODIM ACRR": lambda folder: write_odim(folder / "T_PASH21_C_EUOC_20200103.hdf", quantity="ACRR"),
    "NISAR": lambda folder: write_nisar(folder / "NISAR_L2_GCOV_20200103.h5"),
}


def layer_of(archive, truth: Truth) -> str:
    """Return the id of the layer of an array: collection, group if there are several, and name."""
    group = truth.group.rpartition("/")[2].lower() if truth.group.startswith("LEVEL3") else ""
    ids = [layer.id for layer in archive.services.catalogue.layers]
    (layer,) = (name for name in ids if name.endswith(f"{group}.{truth.name.replace(' ', '_')}"))
    return layer


@pytest.mark.quick_cases("VNP13A1")
@pytest.mark.parametrize("name", MAKERS)
def test_series_and_positions_have_the_values_of_the_product(tmp_path, open_at, name):
    truth = MAKERS[name](tmp_path)
    archive = open_at(tmp_path)
    layer = layer_of(archive, truth)
    rows, columns, longitudes, latitudes = truth.points(PLACES)

    with TestClient(application(archive.services)) as client:
        points = list(zip(longitudes.tolist(), latitudes.tolist(), strict=True))
        body_sent = {"layers": [layer], "points": points}
        (result,) = client.post("/timeseries/points", json=body_sent).json()["results"]
        edr = [_position(client, layer, *point) for point in points[:20]]
        info = [_feature_info(client, layer, *point) for point in points[:20]]

    series = np.array([feature["series"]["mean"] for feature in result["features"]], dtype=float)
    expected = truth.values[rows, columns]
    np.testing.assert_allclose(series[:, 0], expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(np.array([edr, info], dtype=float), [expected[:20]] * 2, rtol=1e-6, atol=1e-9)


def _position(client: TestClient, layer: str, lon: float, lat: float) -> float | None:
    answer = client.get(f"/ogcapi/collections/{layer}/position?coords=POINT({lon} {lat})")
    (coverage,) = answer.json()["ranges"].values()
    return coverage["values"][0]


def _feature_info(client: TestClient, layer: str, lon: float, lat: float) -> float | None:
    box = f"{lat - 1e-4},{lon - 1e-4},{lat + 1e-4},{lon + 1e-4}"
    query = f"&LAYERS={layer}&QUERY_LAYERS={layer}&CRS=EPSG:4326&BBOX={box}&WIDTH=3&HEIGHT=3&I=1&J=1"
    path = f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&STYLES=&INFO_FORMAT=application/json{query}"
    return client.get(path).json()["features"][0]["properties"]["value"]


@pytest.mark.quick_cases("VNP13A1")
@pytest.mark.parametrize("name", MAKERS)
def test_coverage_has_the_cells_and_position_of_the_product(tmp_path, open_at, name):
    truth = MAKERS[name](tmp_path)
    archive = open_at(tmp_path)

    with TestClient(application(archive.services)) as client:
        body = client.get(f"/ogcapi/collections/{layer_of(archive, truth)}/coverage?f=geotiff").content

    with rasterio.open(io.BytesIO(body)) as file:
        values = file.read(1, masked=True).astype(float).filled(np.nan) * file.scales[0] + file.offsets[0]
        assert pyproj.CRS(file.crs) == pyproj.CRS(truth.crs) or _proj_text(file.crs) == _proj_text(truth.crs)
        np.testing.assert_allclose(
            tuple(file.transform)[:6],
            (truth.x_step, 0, truth.x_edge, 0, truth.y_step, truth.top),
            rtol=1e-9,
            atol=1e-9,
        )
    np.testing.assert_allclose(values, truth.values, rtol=1e-6, atol=1e-9)


def _proj_text(crs: object) -> dict[str, object]:
    return pyproj.CRS(crs).to_dict()


def test_undetected_echoes_have_their_reason(tmp_path, open_at):
    MAKERS["ODIM DBZH"](tmp_path)

    (layer,) = open_at(tmp_path).services.catalogue.layers

    assert layer.main_variable.encoding.flags == ((0, "undetect"),)
    assert layer.main_variable.encoding.units == "dBZ"
    assert layer.title[""] == "DBZH"


def test_scale_that_divides_is_reported(tmp_path, open_at):
    MAKERS["VNP13A1"](tmp_path)

    messages = [f"{finding.place}: {finding.message}" for finding in open_at(tmp_path).findings]

    assert any(
        "NDVI: its scale_factor 10000 divides its numbers, as VNP13 specifies" in message for message in messages
    )


@pytest.mark.slow
def test_damaged_product_is_named_and_the_others_are_served(tmp_path, open_at):
    write_netcdf(tmp_path, Scene())
    write_vnp13(tmp_path / "VNP13A1.A2020003.h18v03.001.h5")
    path = tmp_path / "VNP13A1.A2020019.h18v04.001.h5"
    write_vnp13(path)
    with h5py.File(path, "a") as file:
        del file["HDFEOS INFORMATION"]
        write_struct(file, struct_metadata(vnp13_entries((18, 4), 120), {})[:200])

    archive = open_at(tmp_path)

    assert len([*archive.services.catalogue.layers]) == 3
    (message,) = (f.message for f in archive.findings if "StructMetadata" in f.message)
    assert "HDFEOS INFORMATION/StructMetadata is cut short in GRID_1; copy the file again" in message
