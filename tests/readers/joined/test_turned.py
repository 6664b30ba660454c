"""Files of one grid in other orders of rows and longitudes are read as the same cells, as xarray sorts them."""

import math
import shutil

import numpy as np
import pytest
import xarray
from affine import Affine

from chronotile.archive.open import open_archive
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.readers.joined.source import turn_of
from chronotile.readers.kinds import open_source
from tests.scenes import make_spec, save_netcdf

LATITUDES = np.linspace(80, -80, 17)
DAYS = ("2020-01-01", "2020-01-02", "2020-01-03", "2020-01-04")


def dataset(day, *, longitudes, flipped=False, turned=0.0):
    """One date; `turned` longitudes are from 0 to 360."""
    number = DAYS.index(day)
    values = 1000 * number + 20 * np.arange(17)[:, None] + np.arange(len(longitudes)) % 19
    made = xarray.Dataset(
        {"NDVI": (("time", "lat", "lon"), values[None].astype("float32"))},
        {
            "time": ("time", np.array([day], "datetime64[ns]")),
            "lat": ("lat", LATITUDES, {"units": "degrees_north"}),
            "lon": ("lon", longitudes, {"units": "degrees_east"}),
        },
    )
    if turned:
        made = made.assign_coords(lon=("lon", longitudes % turned, made["lon"].attrs)).sortby("lon")
    return made.isel(lat=slice(None, None, -1)) if flipped else made


@pytest.fixture(params=["round the Earth", "a region"])
def opened(request, tmp_path):
    """The reader of four files, and (time, y, x) as xarray has them, sorted alike."""
    longitudes = np.arange(-175, 180, 10.0) if request.param == "round the Earth" else np.arange(-75, -40, 5.0)
    forms = ({}, {"flipped": True}, {"turned": 360.0}, {"flipped": True, "turned": 360.0})
    for day, form in zip(DAYS, forms, strict=True):
        save_netcdf(dataset(day, longitudes=longitudes, **form), tmp_path / f"ndvi_{day}.nc")
    parts = []
    for day in DAYS:
        with xarray.open_dataset(tmp_path / f"ndvi_{day}.nc", engine="h5netcdf") as each:
            whole = each.assign_coords(lon=(each["lon"] + 180) % 360 - 180)
            parts.append(whole.sortby("lon").sortby("lat", ascending=False)["NDVI"].load())
    archive = open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    (layer,) = archive.services.catalogue.layers
    yield archive.services.readers[layer.collection], layer.main_variable.name, xarray.concat(parts, "time").values
    archive.close()


def test_all_dates_are_served_without_a_finding(opened):
    reader, name, _truth = opened

    assert len(reader.info.variables[name].times) == 4
    assert [each for each in reader.info.findings if each.severity != "note"] == []


def test_maps_series_and_blocks_equal_those_of_sorted_files(opened):
    reader, name, truth = opened
    height, width = truth.shape[1:]
    window = Window(2, 13, 1, width - 1)

    maps = [reader.read_window(name, index=t, level=0, window=window).numbers for t in range(4)]
    thinned = [
        reader.read_window(name, index=t, level=0, window=Window(1, height, 0, width), step=3).numbers for t in range(4)
    ]
    series = [
        reader.read_cell(name, indexes=range(4), row=row, column=column).numbers
        for row, column in ((0, 0), (16, width - 1), (5, 3))
    ]
    blocks = reader.read_block(name, indexes=range(4), window=window, along="time").numbers

    assert np.array_equal(maps, truth[:, 2:13, 1 : width - 1])
    assert np.array_equal(thinned, truth[:, 1::3, ::3])
    assert np.array_equal(series, [truth[:, 0, 0], truth[:, 16, -1], truth[:, 5, 3]])
    assert np.array_equal(blocks, truth[:, 2:13, 1 : width - 1])


def test_file_half_a_cell_off_is_still_skipped(tmp_path):
    for day in DAYS[:3]:
        shift = 2.5 if day == DAYS[2] else 0.0
        made = dataset(day, longitudes=np.arange(-75, -40, 5.0) + shift, flipped=day == DAYS[1])
        save_netcdf(made, tmp_path / f"ndvi_{day}.nc")

    archive = open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))

    assert len(next(iter(archive.services.catalogue.layers)).times) == 2
    assert [each.place.rpartition(" ")[2] for each in archive.findings if each.is_left_out] == ["ndvi_2020-01-03.nc"]


def test_replaced_file_of_equal_size_and_time_has_new_revision(tmp_path):
    for day in DAYS[:2]:
        save_netcdf(dataset(day, longitudes=np.arange(-75, -40, 5.0)), tmp_path / f"ndvi_{day}.nc")
    reader = open_source(make_spec("netcdf", tmp_path / "*.nc"))
    path, copy = tmp_path / f"ndvi_{DAYS[0]}.nc", tmp_path / "copy"
    before = reader.revision("NDVI", 0)

    shutil.copy2(path, copy)
    copy.replace(path)

    assert reader.revision("NDVI", 0) != before


@pytest.mark.parametrize(
    ("shift_m", "is_alike"), [(0.0, True), (2 * math.pi * 6_371_200, True), (3600.0, False), (10_000.0, False)]
)
def test_cells_of_a_mercator_grid_across_180_are_alike_after_a_turn_alone(shift_m, is_alike):
    crs = crs_of("+proj=merc +lon_0=0 +R=6371200")
    grids = [
        NativeGrid(crs=crs, transform=Affine(10_000, 0, west, 0, -10_000, 1e6), width=2000, height=10)
        for west in (1.45e7, 1.45e7 + shift_m)
    ]

    assert (turn_of(grids[1], grids[0]) is not None) == is_alike
