"""Results of processes as Python objects, by media type."""

import csv
import json
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chronotile_client.times import time_index

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

TIME_AT_END = re.compile(r"(\S+).* (\d{4}-\d\d-\d\dT[\d:.]+Z)$")
SEPARATOR = re.compile("[,;]")
DECIMAL_SIGN = {",": ".", ";": ","}
"""By separator; the separator is the first of these characters in the header, as servers write CSV."""
TEXTS = ("id", "location", "layer", "units", "attribution")
TEXTS_OR_NONE = ("time", "reason", "note")
"""Columns of CSV that are always text; in the second group, an empty field is a missing value."""
NAME_AT_END = re.compile(r"(.+), ([a-z_]+)$")
ZARR = "application/zip"
SUFFIXES = {
    "image/tiff": ".tif",
    "application/x-netcdf": ".nc",
    ZARR: ".zarr.zip",
    "text/csv": ".csv",
    "application/vnd.apache.parquet": ".parquet",
    "application/json": ".json",
    "application/geo+json": ".geojson",
    "video/mp4": ".mp4",
    "image/gif": ".gif",
    "image/webp": ".webp",
}


def plain_type(media_type: str) -> str:
    """Return a media type without its parameters."""
    return media_type.partition(";")[0].strip().lower()


def suffix_of(media_type: str) -> str:
    """Return the extension of a file's name, empty for an unknown media type."""
    return SUFFIXES.get(plain_type(media_type), "")


def open_content(content: bytes | Path, media_type: str) -> Any:  # noqa: ANN401 -- depends on the media type
    """Open a result of a process.

    Args:
        content: The bytes, which are read completely, or a file, which xarray reads as needed.
        media_type: Media type of the content.

    Returns:
        A Dataset of xarray (NetCDF, GeoTIFF, Zarr in a ZIP file), a DataFrame (CSV, Parquet), the document (JSON,
        GeoJSON); for other types the bytes or the path unchanged.
    """
    kind = plain_type(media_type)
    if kind in {"application/json", "application/geo+json"}:
        return json.loads(content.read_bytes() if isinstance(content, Path) else content)
    if kind == "text/csv":
        return _table(content)
    if kind == "application/vnd.apache.parquet":
        return _parquet(content)
    if kind == "application/x-netcdf":
        return _netcdf(content)
    if kind == "image/tiff":
        return _geotiff(content)
    return _zarr(content) if kind == ZARR else content


def _table(content: bytes | Path) -> "pd.DataFrame":
    import pandas as pd

    with BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        header = file.readline().decode()
        found = SEPARATOR.search(header)
        separator = found[0] if found else ","
        names = next(csv.reader([header], delimiter=separator), [])
        file.seek(0)
        table = pd.read_csv(
            file,
            sep=separator,
            decimal=DECIMAL_SIGN[separator],
            dtype={name: str for name in names if name in TEXTS + TEXTS_OR_NONE},
            keep_default_na=False,
            na_values={name: [""] for name in names if name not in TEXTS},
        )
    if "time" in table:
        times = table.pop("time")
        table.index = time_index([None if pd.isna(time) else time for time in times])
    return table


def _parquet(content: bytes | Path) -> "pd.DataFrame":
    import pandas as pd

    table = pd.read_parquet(BytesIO(content) if isinstance(content, bytes) else content)
    if "time" in table:
        table.index = pd.DatetimeIndex(table.pop("time"), name="time").tz_localize(None).as_unit("ns")
    return table


def _netcdf(content: bytes | Path) -> "xr.Dataset":
    import xarray as xr

    if isinstance(content, Path):
        return xr.open_dataset(content, engine="h5netcdf", decode_coords="all")
    return xr.load_dataset(BytesIO(content), engine="h5netcdf", decode_coords="all")


def _zarr(content: bytes | Path) -> "xr.Dataset":
    import xarray as xr
    from zarr.abc.store import Store
    from zarr.core.buffer.cpu import Buffer
    from zarr.storage import MemoryStore, ZipStore

    store: Store
    if isinstance(content, Path):
        store = ZipStore(content, mode="r")
    else:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            store = MemoryStore({name: Buffer.from_bytes(archive.read(name)) for name in archive.namelist()})
    dataset: xr.Dataset = xr.open_zarr(store, decode_coords="all")
    return dataset


def _geotiff(content: bytes | Path) -> "xr.Dataset":
    """Return the bands as variables in their units; bands with a time in their names get a dimension `time`."""
    import rasterio
    import xarray as xr
    from rasterio.io import MemoryFile

    memory = MemoryFile(content) if isinstance(content, bytes) else None
    with memory.open() if memory else rasterio.open(content) as file:
        if not file.transform.is_rectilinear:
            raise ValueError("the raster is rotated: open it with rasterio")
        bands = file.read(masked=True)
        shape = (-1, 1, 1)
        values = bands * np.reshape(file.scales, shape) + np.reshape(file.offsets, shape)
        values = np.ma.filled(values.astype(np.float64), np.nan)
        names = [name or f"band {number}" for number, name in enumerate(file.descriptions, 1)]
        units = [unit or "" for unit in file.units]
        step_x, _, left, _, step_y, top = file.transform[:6]
        coordinates = {
            "y": ("y", top + (np.arange(file.height) + 0.5) * step_y),
            "x": ("x", left + (np.arange(file.width) + 0.5) * step_x),
            "spatial_ref": ((), 0, {"crs_wkt": file.crs.to_wkt()}),
        }
        attributes = {name.lower(): text for name, text in file.tags().items() if name.isupper()}
    variables = _variables(names, values, units)
    return xr.Dataset(variables, coords=coordinates, attrs=attributes)


def _variables(names: list[str], values: Any, units: list[str]) -> "dict[str, xr.DataArray]":  # noqa: ANN401 -- an array
    """Return bands as variables by their descriptions: one per time, one per statistic, or a single variable."""
    import xarray as xr

    timed = [TIME_AT_END.match(name) for name in names]
    named = [NAME_AT_END.match(name) for name in names]
    if all(timed):
        found = {}
        for layer in dict.fromkeys(match[1] for match in timed if match):
            own = [number for number, match in enumerate(timed) if match and match[1] == layer]
            times = time_index([match[2] for match in timed if match and match[1] == layer])
            found[layer] = xr.DataArray(
                values[own], dims=("time", "y", "x"), coords={"time": times}, attrs={"units": units[own[0]]}
            )
        return found
    suffixes = [match[2] for match in named if match]
    if len(set(suffixes)) == len(names):
        return {
            name: xr.DataArray(values[number], dims=("y", "x"), attrs={"units": units[number]})
            for number, name in enumerate(suffixes)
        }
    if len(names) == 1:
        return {names[0].partition(" ")[0]: xr.DataArray(values[0], dims=("y", "x"), attrs={"units": units[0]})}
    bands = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": names}, attrs={"units": units[0]})
    return {names[0].partition(" ")[0]: bands}
