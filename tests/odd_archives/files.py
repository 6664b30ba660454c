"""Small files, each written by a maker with one odd property."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray
from affine import Affine

Maker = Callable[[Path], Path]
"""Writes into an empty folder; returns the folder or a configuration in it, to be served."""

HEIGHT, WIDTH = 12, 18
UTM = Affine(100, 0, 500_000, 0, -100, 5_000_000)
DEGREES = Affine(0.01, 0, 14.9, 0, -0.01, 45.2)
DAYS = ("20200101", "20200111")
"""In names of files."""
NUMBERS = np.add.outer(np.arange(HEIGHT) * 10, np.arange(WIDTH)) + 1
"""(y, x), from 1 to 128."""


def write_tif(
    path: Path,
    numbers: np.ndarray = NUMBERS,
    *,
    dtype: str = "float32",
    crs: Any = "EPSG:32633",
    transform: Affine = UTM,
    descriptions: Sequence[str] = (),
    **more: Any,
) -> Path:
    """Write (y, x) or (band, y, x); `scales`, `offsets`, `units` and `tags` are those of the file."""
    bands = (numbers if numbers.ndim == 3 else numbers[np.newaxis]).astype(dtype)
    told = {name: more.pop(name) for name in ("scales", "offsets", "units") if name in more}
    tags = more.pop("tags", {})
    profile = {"driver": "GTiff", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2]} | more
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", dtype=dtype, crs=crs, transform=transform, **profile) as file:
        file.write(bands)
        for name, values in told.items():
            setattr(file, name, values)
        for number, description in enumerate(descriptions, start=1):
            file.set_band_description(number, description)
        file.update_tags(**tags)
    return path


def tifs(**odd: Any) -> Maker:
    """Return the maker of a folder with two dates; all files have the given properties."""

    def make(folder: Path) -> Path:
        for shift, day in enumerate(DAYS):
            write_tif(folder / f"ndvi_{day}.tif", **{"numbers": NUMBERS + shift} | odd)
        return folder

    return make


def unlike(*each: Mapping[str, Any]) -> Maker:
    """Return the maker of a folder with one file per date, each with its given properties."""

    def make(folder: Path) -> Path:
        for number, odd in enumerate(each, start=1):
            write_tif(folder / f"ndvi_202001{number:02}.tif", **odd)
        return folder

    return make


def beside_good(make: Maker) -> Maker:
    """Return the maker of a folder with a good file and one that may not be served."""

    def make_both(folder: Path) -> Path:
        write_tif(folder / "good.tif")
        make(folder)
        return folder

    return make_both


def cube(
    *,
    times: Any = None,
    time_attrs: Mapping[str, Any] | None = None,
    latitudes: np.ndarray | None = None,
    longitudes: np.ndarray | None = None,
    dtype: str = "float32",
    **attrs: Any,
) -> xarray.Dataset:
    """Return a variable NDVI along time, latitude and longitude; each cell and time has a different value."""
    latitude = np.linspace(50, 49, 11) if latitudes is None else latitudes
    longitude = np.linspace(4, 5, 11) if longitudes is None else longitudes
    instants = np.array(["2019-01-01", "2019-01-11", "2019-01-21"], "datetime64[ns]") if times is None else times
    shape = len(instants), len(latitude), len(longitude)
    values = (np.arange(np.prod(shape)).reshape(shape) % 120).astype(dtype)
    return xarray.Dataset(
        {"NDVI": (("time", "lat", "lon"), values, attrs)},
        {
            "time": ("time", instants, dict(time_attrs or {})),
            "lat": ("lat", latitude, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", longitude, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )


def netcdf(dataset: Callable[[], xarray.Dataset], **encoding: Mapping[str, Any]) -> Maker:
    """Return the maker of a folder of one NetCDF file."""

    def make(folder: Path) -> Path:
        dataset().to_netcdf(folder / "ndvi.nc", engine="h5netcdf", encoding=encoding)
        return folder

    return make


def configured(make: Maker, text: str) -> Maker:
    """Return the maker of files with a configuration in the same folder."""

    def make_both(folder: Path) -> Path:
        make(folder)
        path = folder / "chronotile.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return make_both
