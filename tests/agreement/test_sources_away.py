"""An unavailable source, or one with only damaged dates, is 503 in every protocol; no value is null or omitted."""

import os
import shutil

import pytest

from tests.agreement.test_damaged_dates import BOX, DAY, LATITUDE, LONGITUDE, SCENE, serve, tile_of
from tests.scenes import write_cogs, write_tif, write_zarr

COGS = "kind: cog, href: 'data/NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'"
ZARR = "kind: zarr, href: data/made.zarr"
PATHS = {
    "point": (f"/timeseries/NDVI/point?lon={LONGITUDE}&lat={LATITUDE}"),
    "point of a date": (f"/timeseries/NDVI/point?lon={LONGITUDE}&lat={LATITUDE}&datetime={DAY}"),
    "formula": (f"/timeseries/TWICE/point?lon={LONGITUDE}&lat={LATITUDE}"),
    "mask": (f"/timeseries/KEPT/point?lon={LONGITUDE}&lat={LATITUDE}"),
    "area": f"/timeseries/NDVI/area?bbox={BOX}",
    "area of a date": f"/timeseries/NDVI/area?bbox={BOX}&datetime={DAY}",
    "terrascope": f"/timeseries/v1.1/ts/NDVI/point?lon={LONGITUDE}&lat={LATITUDE}",
    "position": f"/ogcapi/collections/NDVI/position?coords=POINT({LONGITUDE}%20{LATITUDE})",
    "coverage": "/ogcapi/collections/NDVI/coverage?f=NetCDF",
    "animation": f"/animations/NDVI.gif?bbox={BOX}&width=32&height=32",
    "map": "/ogcapi/collections/NDVI/map?datetime=2020-01-01/2020-02-11",
}


@pytest.fixture(params=["cog", "zarr"])
def folder(request, tmp_path):
    (tmp_path / "data").mkdir()
    write = write_cogs if request.param == "cog" else write_zarr
    write(tmp_path / "data", SCENE)
    return tmp_path / "data"


@pytest.fixture
def served(folder, request, tmp_path):
    source = COGS if any(folder.glob("*.tif")) else ZARR
    return serve(tmp_path, source, list, lambda path: None, request)


def require_away(answer) -> None:
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store"), answer.text[:200]
    assert answer.headers["retry-after"]


@pytest.mark.quick_cases("-point", "-map")
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_missing_folder_is_503(served, folder, path):
    shutil.rmtree(folder)

    require_away(served.client.get(path))


@pytest.mark.quick_cases("-point", "-map")
@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
def test_source_whose_every_date_is_damaged_is_503(served, folder, path):
    chunks = [*folder.glob("*.tif"), *folder.glob("made.zarr/*/NDVI/c/*/*/*")]
    for each in chunks:
        each.write_bytes(b"nothing that could be read")

    require_away(served.client.get(path))


def test_cube_tile_of_a_missing_source_is_503(served, folder):
    path = f"/cubes/NDVI/{tile_of(served)}.ctc"
    shutil.rmtree(folder)

    require_away(served.client.get(path))


def test_all_files_gone_from_a_folder_that_stays_is_503(served, folder):
    for each in [*folder.rglob("*.tif"), *folder.rglob("zarr.json")]:
        each.unlink()

    require_away(served.client.get(PATHS["point"]))


def test_file_that_grows_another_grid_is_a_damaged_date(tmp_path, request):
    (tmp_path / "data").mkdir()
    write_cogs(tmp_path / "data", SCENE)
    archive = serve(tmp_path, COGS, list, lambda path: None, request)
    path = tmp_path / "data" / f"NDVI_{DAY.replace('-', '')}.tif"
    write_tif(path, SCENE.numbers(2)[:20, :20], SCENE)
    os.utime(path, ns=(1, 1))

    answer = archive.client.get(PATHS["point"])

    assert answer.json()["reasons"] == [None, None, "unreadable", None, None]
