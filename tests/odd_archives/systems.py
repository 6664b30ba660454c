"""Systems of coordinates, and grids in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray
from affine import Affine
from rasterio.crs import CRS

from tests.odd_archives.files import NUMBERS, Maker, beside_good, cube, netcdf, tifs, unlike

NO_CODE = CRS.from_wkt(
    'PROJCS["unnamed",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",15],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1]]'
)
ESRI = CRS.from_wkt(
    'PROJCS["WGS_1984_UTM_Zone_33N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",'
    'SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",15.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]'
)
BOGUS = CRS.from_wkt(
    'PROJCS["x",GEOGCS["s",DATUM["u",SPHEROID["S",6371229,0]],PRIMEM["G",0],UNIT["degree",0.0174532925199433]],'
    'PROJECTION["Polar_Stereographic"],PARAMETER["latitude_of_origin",60],PARAMETER["central_meridian",249],'
    'PARAMETER["scale_factor",90],PARAMETER["false_easting",0],PARAMETER["false_northing",0],UNIT["metre",1]]'
)
SINUSOIDAL = CRS.from_proj4("+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R=6371007.181 +units=m +no_defs")
GOODE = CRS.from_proj4("+proj=igh +lon_0=0 +datum=WGS84 +units=m +no_defs")
WORLD_M = 20037508.342789244
WORLDWIDE = np.linspace(85, -85, 18)
LOCAL = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')


def _at(x: float, y: float, size: float, height: float | None = None) -> Affine:
    return Affine(size, 0, x, 0, -(height or size), y)


def _of_world(*, west: float, columns: int, step: float = 10.0, top: float = 90.0) -> Maker:
    rows = int(180 / step)
    numbers = np.add.outer(np.arange(rows), np.arange(columns)) % 120
    return tifs(numbers=numbers, crs="EPSG:4326", transform=_at(west, top, step))


def _rotated_pole() -> xarray.Dataset:
    axes = {name: np.linspace(-2, 2, 9) for name in ("rlat", "rlon")}
    pole = {"grid_mapping_name": "rotated_latitude_longitude", "grid_north_pole_latitude": 39.25}
    made = xarray.Dataset(
        {
            "T": (("time", "rlat", "rlon"), np.ones((2, 9, 9), "f4"), {"grid_mapping": "rotated_pole", "units": "K"}),
            "rotated_pole": ((), np.int32(0), {**pole, "grid_north_pole_longitude": -162.0}),
        },
        {"time": np.array(["2019-01-01", "2019-01-02"], "datetime64[ns]"), **axes},
    )
    for axis, name in (("rlat", "latitude"), ("rlon", "longitude")):
        made[axis].attrs = {"standard_name": f"grid_{name}", "units": "degrees"}
    return made


def _geostationary() -> xarray.Dataset:
    count = 24
    x, y = -0.071652 + 1.5e-3 * np.arange(count), 0.128212 - 1.5e-3 * np.arange(count)
    mapping: dict[str, Any] = {
        "grid_mapping_name": "geostationary",
        "perspective_point_height": 35786023.0,
        "semi_major_axis": 6378137.0,
        "semi_minor_axis": 6356752.31414,
        "latitude_of_projection_origin": 0.0,
        "longitude_of_projection_origin": -75.0,
        "sweep_angle_axis": "x",
    }
    values = (250 + np.add.outer(np.arange(count), np.arange(count) / 100)).astype("f4")
    made = xarray.Dataset(
        {"LST": (("y", "x"), values, {"grid_mapping": "gip", "units": "K"}), "gip": ((), np.int32(0), mapping)},
        {"y": y, "x": x},
    )
    for axis in "xy":
        made[axis].attrs = {"units": "rad", "standard_name": f"projection_{axis}_coordinate"}
    return made


def _packed(step: float, start: float) -> Mapping[str, object]:
    return {"dtype": "int16", "scale_factor": step, "add_offset": start}


@dataclass(frozen=True, slots=True)
class Circle:
    """A world whose longitudes start anywhere: its last (y, x) numbers, and the start of its first column."""

    numbers: np.ndarray
    west: float
    cell: float

    def at(self, longitudes: np.ndarray, latitudes: np.ndarray) -> np.ndarray:
        """Return the numbers of the cells that hold places."""
        columns = np.floor((longitudes - self.west) / self.cell).astype(int) % self.numbers.shape[1]
        rows = np.floor((90 - latitudes) / self.cell).astype(int)
        return self.numbers[rows, columns]


def write_circle(folder: Path, seed: int) -> Circle:
    """Write a random world of longitudes that reach beyond 180, with centres or edges on the first meridian."""
    random = np.random.default_rng(seed)
    columns = int(random.choice([36, 72, 120]))
    cell = 360 / columns
    west = float(random.choice([0, -cell / 2, cell, 180, 200 // cell * cell]))
    latitudes = 90 - (np.arange(columns // 2) + 0.5) * cell
    data = cube(latitudes=latitudes, longitudes=west + (np.arange(columns) + 0.5) * cell)
    data["NDVI"][:] = random.uniform(0, 1, data.NDVI.shape).astype("f4")
    if random.integers(2):
        data.to_zarr(folder / "world.zarr", zarr_format=2)
    else:
        data.to_netcdf(folder / "world.nc", engine="h5netcdf")
    return Circle(data.NDVI.to_numpy()[-1], west, cell)


def _circle(folder: Path, *, seed: int) -> Path:
    write_circle(folder, seed)
    return folder


MAKERS: Mapping[str, Maker] = {
    **{f"circle {seed}": partial(_circle, seed=seed) for seed in range(2)},
    "no code": tifs(crs=NO_CODE),
    "Esri's words": tifs(crs=ESRI),
    "compound": tifs(crs="EPSG:32633+5773"),
    "geocentric": beside_good(tifs(crs="EPSG:4978")),
    "local": beside_good(tifs(crs=LOCAL)),
    "no system": beside_good(tifs(crs=None)),
    "one that PROJ refuses": beside_good(tifs(crs=BOGUS)),
    "north pole": tifs(crs="EPSG:3413", transform=_at(-900_000, 600_000, 100_000)),
    "south pole": tifs(crs="EPSG:3031", transform=_at(-900_000, 600_000, 100_000)),
    "sinusoidal": tifs(crs=SINUSOIDAL, transform=_at(-5_000_000, 4_447_802, 10_000)),
    "Goode": tifs(crs=GOODE, transform=_at(1_000_000, 5_000_000, 10_000)),
    "LAEA": tifs(crs="EPSG:3035", transform=_at(4_000_000, 3_000_000, 1000)),
    "feet": tifs(crs="EPSG:2263", transform=_at(980_000, 200_000, 500)),
    "axes of Krovak": tifs(crs="EPSG:5514", transform=_at(-700_000, -1_050_000, 500)),
    "rotated pole": netcdf(_rotated_pole),
    "geostationary": netcdf(_geostationary, x=_packed(5.6e-5, -0.071652), y=_packed(-5.6e-5, 0.128212)),
    "world by edges": _of_world(west=-180, columns=36),
    "world by centres": _of_world(west=-185, columns=36),
    "world of 0 to 360": _of_world(west=0, columns=36),
    "world of 37 columns": _of_world(west=-180, columns=37),
    "world half a cell to the north": _of_world(west=-180, columns=36, top=95.0),
    "world in Web Mercator": tifs(crs="EPSG:3857", transform=_at(-20037508.34, 20037508.34, 2226389.8, 3339584.7)),
    "world that ends at 180": tifs(crs="EPSG:3857", transform=_at(-WORLD_M, WORLD_M, WORLD_M / 9, WORLD_M / 6)),
    "world about the Pacific": tifs(
        crs="+proj=merc +lon_0=180 +datum=WGS84", transform=_at(-WORLD_M, WORLD_M, WORLD_M / 9, WORLD_M / 6)
    ),
    "latitudes ascending": netcdf(lambda: cube(latitudes=np.linspace(49, 50, 11))),
    "latitudes beyond the pole": beside_good(netcdf(lambda: cube(latitudes=np.linspace(-5, -165, 11)))),
    "longitudes of 0 to 360": netcdf(lambda: cube(latitudes=WORLDWIDE, longitudes=np.linspace(0, 350, 36))),
    "longitudes of -360 to 0": netcdf(lambda: cube(latitudes=WORLDWIDE, longitudes=np.linspace(-355, -5, 36))),
    "antimeridian": tifs(crs="EPSG:4326", transform=_at(179.95, 10, 0.01)),
    "antimeridian in UTM": tifs(crs="EPSG:32601", transform=_at(180_000, 1_100_000, 10_000)),
    "rotated": tifs(transform=Affine(80, 60, 500_000, 60, -80, 5_000_000)),
    "sheared": tifs(transform=Affine(100, 40, 500_000, 0, -100, 5_000_000)),
    "south up": tifs(transform=Affine(100, 0, 500_000, 0, 100, 4_998_800)),
    "mirrored": tifs(transform=Affine(-100, 0, 501_800, 0, -100, 5_000_000)),
    "oblong cells": tifs(transform=_at(500_000, 5_000_000, 25, 7)),
    "cells of half a metre": tifs(transform=_at(500_000, 5_000_000, 0.5)),
    "one cell": tifs(numbers=NUMBERS[:1, :1]),
    "one row": tifs(numbers=NUMBERS[:1]),
    "one column": tifs(numbers=NUMBERS[:, :1]),
    "points": tifs(tags={"AREA_OR_POINT": "Point"}),
    "grids that differ": unlike({}, {"transform": _at(500_050, 5_000_000, 100)}),
}
