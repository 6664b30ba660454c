"""Files of several consolidation levels (Copernicus Global Land): the highest level of each date is served."""

import numpy as np
import pytest
import rasterio
import xarray
from affine import Affine

from chronotile.readers.name_parts import consolidation_of
from tests.scenes import save_netcdf
from tests.walk.serving import served

SIDE, CELL = 32, 1 / 336
LEVELS = {"2020-01-01": (0, 1, 6, 2), "2020-01-11": (0, 2), "2020-01-21": (0,)}
COLLECTION = "c-gls-ndvi300-globe-olci-v2-0-1"


def write(folder, day: str, level: int, end: str):
    """Write a file whose values are its level of consolidation."""
    path = folder / f"c_gls_NDVI300-RT{level}_{day.replace('-', '')}0000_GLOBE_OLCI_V2.0.1.{end}"
    if end == "tif":
        shape = {"width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8", "crs": "EPSG:4326"}
        with rasterio.open(path, "w", driver="GTiff", transform=Affine(CELL, 0, 4, 0, -CELL, 51), **shape) as file:
            file.write(np.full((1, SIDE, SIDE), level, "uint8"))
        return
    steps = (np.arange(SIDE) + 0.5) * CELL
    coordinates = {
        "time": ("time", [np.datetime64(day, "ns")]),
        "lat": ("lat", 51 - steps, {"units": "degrees_north"}),
        "lon": ("lon", 4 + steps, {"units": "degrees_east"}),
    }
    numbers = ("time", "lat", "lon"), np.full((1, SIDE, SIDE), level, "uint8")
    save_netcdf(xarray.Dataset({"NDVI": numbers}, coordinates), path)


@pytest.fixture(params=["tif", "nc"])
def folder(request, tmp_path):
    folder = tmp_path / "archive"
    folder.mkdir()
    for day, levels in LEVELS.items():
        for level in levels:
            write(folder, day, level, request.param)
    return folder


def test_highest_level_of_each_date_is_served_and_stated(folder, tmp_path):
    with served(folder, tmp_path / "state") as client:
        series = client.get(f"/timeseries/{COLLECTION}.NDVI/point?lon=4.05&lat=50.95").json()
        items = client.get(f"/stac/collections/{COLLECTION}/items").json()["features"]

    assert series["values"] == [max(levels) for levels in LEVELS.values()]
    stated = {item["id"]: item["assets"]["NDVI"]["version"] for item in items}
    assert stated == {day: f"RT{max(levels)}" for day, levels in LEVELS.items()}
    assert all(any("/version/v1.2.0/" in schema for schema in item["stac_extensions"]) for item in items)


def test_replaced_files_are_counted_in_a_note(folder, open_at):
    (note,) = [finding for finding in open_at(folder).findings if "consolidated" in finding.message]

    assert note.severity == "note"
    assert note.text.startswith(f"{COLLECTION}: 4 files: replaced by more consolidated ones")


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("c_gls_NDVI300-RT2_202006010000_GLOBE_OLCI_V2.0.1.nc", "RT2"),
        ("c_gls_LAI300_202006010000_GLOBE_OLCI_V1.1.1.nc", None),
        ("ARTRT2_20200601.tif", None),
        ("a_RT10_20200601.tif", None),
    ],
)
def test_level_is_a_separate_word(name, level):
    assert consolidation_of(name) == level
