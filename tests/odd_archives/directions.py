"""Directions and phases: values that go round, in any unit, convention, packing and format."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray
from affine import Affine

from tests.odd_archives.files import Maker, write_tif

NAMES = (
    "wind_from_direction",
    "sea_surface_wave_to_direction",
    "solar_azimuth_angle",
    "direction_of_swell_wave",
    "sea_surface_height_phase",
)
TURNS = {"degree": 360.0, "radians": 2 * np.pi, "degree_true": 360.0}
SIDE, CELL, WEST, NORTH = 24, 0.01, 3.9, 50.95
PLACE = Affine(CELL, 0, WEST, 0, -CELL, NORTH)
DAYS = np.arange(np.datetime64("2018-01-05"), np.datetime64("2021-01-01"), np.timedelta64(13, "D"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Directions:
    """A random member: its path, and its expected values."""

    path: Path
    values: np.ndarray
    """(time, y, x), NaN without a value."""
    circle: float
    kind: str


def write_directions(folder: Path, seed: int) -> Directions:
    """Write an archive of one layer D with directions about north, for which plain means are half a turn off."""
    random = np.random.default_rng(seed)
    units = str(random.choice(list(TURNS)))
    circle = TURNS[units]
    turns = random.vonmises(0, 3, (DAYS.size, SIDE, SIDE)) / (2 * np.pi)
    is_signed = bool(random.integers(2))
    turns = turns if is_signed else turns % 1
    scale = circle / random.choice([7200, 3600])
    numbers = np.rint(turns * circle / scale).astype("i2")
    numbers[random.random(numbers.shape) < 0.4] = -32768
    kind = str(random.choice(["netcdf", "zarr", "cog"]))
    is_configured = kind == "cog" or bool(random.integers(2))
    name = "" if is_configured else str(random.choice(NAMES))
    write = _write_tifs if kind == "cog" else _write_cube
    href = write(
        folder,
        numbers,
        scale=scale,
        units="degree" if is_configured and units == "degree_true" else units,
        name=name,
        kind=kind,
    )
    circular = f", circular: {random.choice(['true', repr(circle)])}" if is_configured else ""
    path = folder / "chronotile.yaml"
    path.write_text(
        f"collections:\n  made:\n    source: {{kind: {kind}, {href}}}\n    variables: {{D: {{layer: D{circular}}}}}\n"
    )
    values = np.where(numbers == -32768, np.nan, numbers * scale)
    return Directions(path=path, values=values, circle=circle, kind=kind)


def _write_cube(folder: Path, numbers: np.ndarray, *, scale: float, units: str, name: str, kind: str) -> str:
    attributes = {"units": units, "scale_factor": scale, "_FillValue": np.int16(-32768)}
    attributes |= {"standard_name": name} if name else {}
    data = xarray.Dataset(
        {"D": (("time", "lat", "lon"), numbers, attributes)},
        {
            "time": DAYS.astype("datetime64[ns]"),
            "lat": ("lat", NORTH - (np.arange(SIDE) + 0.5) * CELL, {"units": "degrees_north"}),
            "lon": ("lon", WEST + (np.arange(SIDE) + 0.5) * CELL, {"units": "degrees_east"}),
        },
    )
    if kind == "zarr":
        data.to_zarr(folder / "made.zarr", zarr_format=2, consolidated=True)
        return "href: made.zarr"
    data.to_netcdf(folder / "made.nc", engine="h5netcdf")
    return "href: made.nc"


def _write_tifs(folder: Path, numbers: np.ndarray, *, scale: float, units: str, name: str, kind: str) -> str:
    for day, plane in zip(DAYS, numbers, strict=True):
        path = folder / f"D_{str(day).replace('-', '')}.tif"
        more = {"scales": (scale,), "units": (units,), "nodata": -32768, "descriptions": (name,) if name else ()}
        write_tif(path, plane, dtype="int16", crs="EPSG:4326", transform=PLACE, **more)
    return r"href: 'D_*.tif', time_pattern: '_(?P<time>\d{8})'"


def _maker(seed: int) -> Maker:
    return lambda folder: write_directions(folder, seed).path


MAKERS: Mapping[str, Maker] = {f"directions {seed}": _maker(seed) for seed in range(3)}
