"""A cube of a year of days, in plain Zarr twice, as given to the peers, and as `chronotile optimise` writes it."""

import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from pyproj import CRS
from zarr.codecs import ZstdCodec
from zarr.errors import ZarrUserWarning

from benchmarks.data.field import NODATA, OFFSET, SCALE, Field
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise

VARIABLE = "NDVI"
WEST, NORTH, RESOLUTION = 2.0, 54.0, 1 / 336
"""Degrees: the 300 m grid of Copernicus."""
ROWS_AT_ONCE = 512


def make_cube(map_cube: Path, series_cube: Path, days: Sequence[str], side: int) -> None:
    """Write both cubes, unless they are whole."""
    markers = [path.with_suffix(".complete") for path in (map_cube, series_cube)]
    if all(marker.exists() for marker in markers):
        return
    by_date = _create(map_cube, days, side, chunks=(1, min(512, side), min(512, side)))
    by_place = _create(series_cube, days, side, chunks=(len(days), 64, 64))
    field = Field(side, seed=5, noise=0.8)  # with more, all full cubes would not fit into 4 GB
    for first in range(0, side, ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        numbers = np.stack([field.numbers(day, rows) for day in range(len(days))])
        by_date[:, rows] = numbers
        by_place[:, rows] = numbers
    for path, marker in zip((map_cube, series_cube), markers, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ZarrUserWarning)  # Zarr v3 does not define it yet; the peers expect it
            zarr.consolidate_metadata(path)
        marker.touch()


def make_serving_cube(source: Path, target: Path, *, layout: Literal["both", "map", "series"]) -> None:
    """Write the layouts and the overviews, if they are missing; an interrupted run continues."""
    marker = target.with_suffix(".complete")
    if not marker.exists():
        optimise([str(source)], target, Options(layout=layout, resume=target.exists()))
        marker.touch()


def _create(path: Path, days: Sequence[str], side: int, chunks: tuple[int, int, int]) -> zarr.Array[Any]:
    shutil.rmtree(path, ignore_errors=True)
    root = zarr.open_group(path, mode="w", attributes={"Conventions": "CF-1.8", "title": "synthetic NDVI"})
    places = (np.arange(side) + 0.5) * RESOLUTION
    _coordinate(root, "lon", WEST + places, standard_name="longitude", units="degrees_east", axis="X")
    _coordinate(root, "lat", NORTH - places, standard_name="latitude", units="degrees_north", axis="Y")
    numbers = np.array(days, dtype="datetime64[D]").astype(np.int64)
    _coordinate(root, "time", numbers, standard_name="time", units="days since 1970-01-01", axis="T")
    root.create_array("spatial_ref", shape=(), dtype="int32", attributes=CRS.from_epsg(4326).to_cf())
    return root.create_array(
        VARIABLE,
        shape=(len(days), side, side),
        chunks=chunks,
        dtype="uint8",
        fill_value=NODATA,
        compressors=ZstdCodec(level=5),
        dimension_names=("time", "lat", "lon"),
        attributes={
            "long_name": "NDVI",
            "units": "1",
            "grid_mapping": "spatial_ref",
            "_FillValue": NODATA,
            "scale_factor": SCALE,
            "add_offset": OFFSET,
        },
    )


def _coordinate(group: zarr.Group, name: str, values: np.ndarray, **attributes: str) -> None:
    array = group.create_array(
        name,
        shape=values.shape,
        dtype=values.dtype,
        chunks=values.shape,
        dimension_names=(name,),
        attributes=dict(attributes),
    )
    array[:] = values
