"""One odd file of a folder makes only that file fail: another one is served next to it, with its right numbers."""

import shutil

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.crs import CRS
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.upkeep import Upkeep
from chronotile.archive.check import check_archive
from chronotile.archive.live_archive import LiveArchive
from tests.protocols.catalogue.stac.extension_schemas import extension_faults

NUMBERS = np.arange(600.0, dtype="float32").reshape(20, 30)
NO_TRANSFORM = CRS.from_wkt(
    'PROJCS["odd",GEOGCS["s",DATUM["u",SPHEROID["S",6371229,0]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Polar_Stereographic"],PARAMETER["latitude_of_origin",60],PARAMETER["central_meridian",249],'
    'PARAMETER["scale_factor",90],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
)
"""GDAL opens it; PROJ has no transformation to any other system."""
LEAST = float(np.finfo("float32").min)
"""Nodata value of several programs."""


def write(path, numbers=NUMBERS, *, crs="EPSG:32633", scale=1.0, offset=0.0, nodata=None):
    height, width = numbers.shape
    transform = Affine(10, 0, 500_000, 0, -10, 5_000_000)
    profile = {"driver": "GTiff", "count": 1, "dtype": numbers.dtype, "height": height, "width": width}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform, nodata=nodata) as file:
        file.write(numbers, 1)
        file.scales, file.offsets = (scale,), (offset,)
    return path


def test_bands_whose_names_have_no_letter_are_numbered(open_at, tmp_path):
    with rasterio.open(
        tmp_path / "odd.tif",
        "w",
        driver="GTiff",
        count=2,
        dtype="float32",
        height=20,
        width=30,
        crs="EPSG:32633",
        transform=Affine(10, 0, 500_000, 0, -10, 5_000_000),
    ) as file:
        file.write(np.stack([NUMBERS, NUMBERS * 2]))
        file.descriptions = ("🌍", "%<>")
    write(tmp_path / "good.tif")

    archive = open_at(tmp_path)

    assert [layer.id for layer in archive.services.catalogue.layers] == ["good.band1", "odd.band1", "odd.band2"]
    assert float(archive.services.readers["odd"].read_cell("band2", indexes=[0], row=3, column=4).numbers[0]) == 188


def test_vrt_that_leads_out_of_the_folder_is_no_date_of_its_neighbours(open_at, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    inside, outside = write(data / "good.tif"), write(tmp_path / "outside.tif", NUMBERS + 1000)
    for day, source in enumerate((inside, inside, outside), start=1):
        rasterio.shutil.copy(source, data / f"a_2020010{day}.vrt", driver="VRT")

    archive = open_at(data)

    layer = archive.services.catalogue.layer("a.band1")
    assert [str(each)[:10] for each in layer.times.starts] == ["2020-01-01", "2020-01-02"]
    assert [each.place for each in archive.findings if "outside of this folder" in each.message] == ["a_20200103.vrt"]
    (tmp_path / "written.yaml").write_text(archive.discovery.text(tmp_path))
    written = open_at(tmp_path / "written.yaml").services.catalogue.layer("a.band1")
    assert written.times.starts.tolist() == layer.times.starts.tolist()


def texts(archive):
    return [each.text for each in (*archive.findings, *check_archive(archive))]


def documents(archive):
    """Return the documents that list all collections, by address."""
    paths = ("/layers", "/stac/collections", "/ogcapi/collections", "/health/ready")
    with TestClient(application(archive.services)) as client:
        answers = {path: client.get(path) for path in paths}
        series = client.get("/timeseries/good.band1/point?lon=15.0001&lat=45.153")
    assert {path: each.status_code for path, each in answers.items()} == dict.fromkeys(answers, 200)
    assert series.status_code == 200, series.text
    return {path: each.json() for path, each in answers.items()}


LEFT_OUT = {
    "a system without a transform": ({"crs": NO_TRANSFORM}, "PROJ cannot transform its coordinate reference system"),
    "latitudes beyond the pole": ({"crs": "EPSG:4326"}, "its latitudes reach 5e+06, beyond the pole"),
    "scale 0": ({"scale": 0.0}, "its scale is 0"),
    "scale NaN": ({"scale": np.nan}, "its scale is nan"),
    "an infinite offset": ({"offset": np.inf}, "its offset inf"),
}
SERVED = {
    "the least number of float32 everywhere": (np.full((20, 30), LEAST, "float32"), "-3.40282e+38"),
    "integers that doubles round": (np.arange(600).reshape(20, 30) + 2**53, "9.0072e+15"),
    "one large number": (np.full((20, 30), 1e30, "float32"), "1e+30"),
    "the largest number of float64": (np.full((20, 30), np.finfo("float64").max), ""),
    "the whole span of float64": (np.where(NUMBERS > 300, -1.0, 1.0) * np.finfo("float64").max, ""),
    "numbers too small to differ": (NUMBERS.astype("float64") * 5e-324, ""),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_unserved_file_is_skipped_by_name(case, open_at, tmp_path):
    how, reason = LEFT_OUT[case]
    write(tmp_path / "odd.tif", **how)
    write(tmp_path / "good.tif")

    archive = open_at(tmp_path)
    found = documents(archive)

    assert [text for text in texts(archive) if text.startswith("odd.tif: left out: ") and reason in text]
    assert [each["id"] for each in found["/stac/collections"]["collections"]] == ["good"]
    assert [each["reason"] for each in found["/health/ready"]["faults"]] == [
        "1 file or part of it is left out: odd.tif; see the log"
    ]


@pytest.mark.parametrize("case", SERVED)
def test_a_file_whose_values_have_no_range_is_served(case, open_at, tmp_path):
    numbers, told = SERVED[case]
    write(tmp_path / "odd.tif", numbers)
    write(tmp_path / "good.tif")

    archive = open_at(tmp_path)
    found = documents(archive)

    assert sorted(each["id"] for each in found["/stac/collections"]["collections"]) == ["good", "odd"]
    assert not told or [text for text in texts(archive) if text.startswith("odd: band1: all values") and told in text]


def test_running_server_continues_when_such_a_file_appears(open_at, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "good.tif")
    live = LiveArchive(open_at(folder), folder)
    write(tmp_path / "odd.tif", crs=NO_TRANSFORM)
    write(tmp_path / "empty.tif", np.full((20, 30), LEAST, "float32"))

    for name in ("odd.tif", "empty.tif"):
        shutil.copy(tmp_path / name, folder)
    write(folder / "more.tif")
    live.refresh()

    assert not live.is_stale
    assert [each.id for each in live.services.catalogue.collections] == ["empty", "good", "more"]
    with TestClient(application(live.services, ServerOptions(upkeep=Upkeep(live, watch_s=0)))) as client:
        assert "odd.tif" in client.get("/health/ready").json()["faults"][0]["reason"]


def test_one_date_of_a_stack_with_scale_0_is_skipped(open_at, tmp_path):
    for day in range(1, 5):
        write(tmp_path / f"ndvi_2020010{day}.tif", scale=0.0 if day == 3 else 0.5)

    archive = open_at(tmp_path)

    (layer,) = archive.services.catalogue.layers
    assert np.array_equal(layer.times.instants.astype("datetime64[D]").astype(str)[-2:], ["2020-01-02", "2020-01-04"])
    assert [text for text in texts(archive) if "ndvi_20200103.tif: left out: its scale is 0" in text]


def test_raster_of_a_stack_with_reversed_rows_is_reported_as_such(open_at, tmp_path):
    paths = [write(tmp_path / f"ndvi_2020010{day}.tif") for day in (1, 2, 3)]
    with rasterio.open(paths[-1], "r+") as file:
        file.transform = Affine(10, 0, 500_000, 0, 10, 4_999_800)

    found = texts(open_at(tmp_path))

    assert [text for text in found if "ndvi_20200103.tif: left out: its rows run the other way" in text]


@pytest.mark.parametrize(
    "nodata", [LEAST, 1e20, 9.969209968386869e36, -1e34, 2.0**63, -9999.0, np.nan, np.inf, -np.inf]
)
def test_nodata_of_any_size_is_a_number_of_stac_or_its_text(nodata, open_at, tmp_path):
    write(tmp_path / "odd.tif", nodata=nodata)
    write(tmp_path / "good.tif")

    collections = documents(open_at(tmp_path))["/stac/collections"]["collections"]

    assert [fault for each in collections for fault in extension_faults(each)] == []
    (odd,) = (each for each in collections if each["id"] == "odd")
    (band,) = odd["item_assets"]["band1"]["bands"]
    assert isinstance(band["nodata"], int | float) or band["nodata"] in {"nan", "inf", "-inf"}
    assert np.array_equal(np.float32(band["nodata"]), np.float32(nodata), equal_nan=True)
