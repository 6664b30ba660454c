"""Made positions of cells: (y, x) longitudes and latitudes as instruments and models have them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray
from numpy.typing import NDArray

from tests.readers.fieldsets import make_field, make_fields


def degrees_of(vectors):
    """Longitudes and latitudes of (…, 3) vectors."""
    x, y, z = np.moveaxis(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), -1, 0)
    return np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z))


def orbit(start=20.0, stop=40.0, *, rows=160, angles=None, node=0.0, inclination=98.7):
    """Scan lines across a circular orbit from one angle after the ascending node to another.

    Args:
        start: Degrees along the orbit.
        stop: Degrees along the orbit.
        rows: Number of scan lines.
        angles: Degrees from the track of the cells of a scan line.
        node: Longitude of the ascending node.
        inclination: Of the orbit, in degrees.
    """
    angles = np.radians(np.linspace(-6, 6, 70) if angles is None else angles)
    along, tilt, turn = np.radians(np.linspace(start, stop, rows)), np.radians(inclination), np.radians(node)
    east, north = np.array([np.cos(turn), np.sin(turn), 0]), np.array([-np.sin(turn), np.cos(turn), 0])
    up = north * np.cos(tilt) + np.array([0, 0, 1]) * np.sin(tilt)
    track = np.cos(along)[:, None] * east + np.sin(along)[:, None] * up
    side = np.cross(east, up)
    return degrees_of(track[:, None] * np.cos(angles)[None, :, None] + side * np.sin(angles)[None, :, None])


def bow_tie():
    """Scans of ten lines that are wider at their ends and overlap there."""
    column = np.linspace(-1, 1, 120)
    growth = 1 + 2.5 * column**2
    scan, line = np.divmod(np.arange(150), 10)
    latitudes = 10 + 0.1 * scan[:, None] + 0.01 * (line[:, None] - 4.5) * growth
    return np.broadcast_to(30 + 0.8 * column * growth, latitudes.shape).copy(), latitudes


def gaps():
    """A tenth of the cells, and a block, without a position."""
    longitudes, latitudes = orbit()
    missing = np.random.default_rng(5).random(latitudes.shape) < 0.1
    missing[60:80, 20:50] = True
    return np.where(missing, np.nan, longitudes), np.where(missing, np.nan, latitudes)


def tripolar_cap():
    """The northern cap of a tripolar grid: its last row lies twice on a line between two poles on land."""
    angle, fraction = np.meshgrid((np.arange(180) + 0.5) * np.pi / 90, np.linspace(0, 1, 60))
    disc = np.tan(np.radians(15)) * (np.cos(angle) + 1j * np.sin(angle) * (1 - fraction))
    return np.degrees(np.angle(disc)) + 0.0, 90 - 2 * np.degrees(np.arctan(np.abs(disc)))


SMOOTH = {
    "orbit": orbit(),
    "north pole": orbit(80, 100, inclination=90.0),
    "south pole": orbit(255, 285, inclination=91.0),
    "antimeridian": orbit(node=178.0),
    "folded": tripolar_cap(),
}
GEOLOCATIONS = SMOOTH | {
    "bow tie": bow_tie(),
    "gaps": gaps(),
    "two sides": orbit(angles=np.r_[np.linspace(-6, -3.5, 20), np.linspace(3.5, 6, 20)]),
}


def aligned_dataset(values, days=("2020-01-01", "2020-01-04"), **attrs):
    """Return (time, y, x) values at cells of 0.05 degrees with a latitude and longitude each, north of the equator."""
    rows, columns = np.indices(values.shape[1:])
    dims = ("scan", "pixel")
    return xarray.Dataset(
        {"v": (("time", *dims), values, {"coordinates": "lat lon", **attrs})},
        {
            "time": ("time", np.array(days, dtype="datetime64[ns]")),
            "lat": (dims, 2 - 0.05 * (rows + 0.5), {"units": "degrees_north"}),
            "lon": (dims, 5 + 0.05 * (columns + 0.5), {"units": "degrees_east"}),
        },
    )


def swath_fields(longitudes, latitudes, numbers=None, *coordinates, **attrs):
    """Return the field `v` over `scan` and `pixel`, with its positions."""
    dims = ("scan", "pixel")
    numbers = np.arange(np.size(latitudes), dtype="int32").reshape(np.shape(latitudes)) if numbers is None else numbers
    return make_fields(
        make_field("v", dims, numbers),
        make_field("lat", dims, latitudes, units="degrees_north"),
        make_field("lon", dims, longitudes, units="degrees_east"),
        *coordinates,
        **attrs,
    )


def write_orbit(
    path: Path,
    number: float,
    *,
    rows: int = 240,
    columns: int = 40,
    start: float = -95.0,
    stop: float = 95.0,
    inclination: float = 98.7,
    encoding: Mapping[str, object] | None = None,
) -> None:
    """Write an orbit of 2024-06-01; its numbers are `values_at` its positions.

    Args:
        path: NetCDF file.
        number: Number of the orbit from 0.
        rows: Number of scan lines.
        columns: Cells of a scan line.
        start: Degrees along the orbit.
        stop: Degrees along the orbit.
        inclination: Inclination of the orbit in degrees.
        encoding: Encoding of the arrays in the file.
    """
    angles = np.linspace(-11.6, 11.6, columns)
    longitudes, latitudes = (
        axis.astype("float32")
        for axis in orbit(start, stop, rows=rows, angles=angles, node=-25.7 * number, inclination=inclination)
    )
    dims, seconds = ("scan", "pixel"), number * 6171 + np.linspace(0, 5400, rows)
    dataset = xarray.Dataset(
        {"no2": (dims, values_at(longitudes, latitudes), {"units": "mol m-2", "coordinates": "lon lat"})},
        {
            "lat": (dims, latitudes, {"units": "degrees_north"}),
            "lon": (dims, longitudes, {"units": "degrees_east"}),
            "time": ("scan", seconds, {"units": "seconds since 2024-06-01", "standard_name": "time"}),
        },
    )
    dataset.to_netcdf(path, engine="h5netcdf", encoding=dict.fromkeys(("no2", "lat", "lon"), encoding or {}))


def values_at(longitudes: NDArray[np.floating], latitudes: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return smooth values from 1 to 3 at positions on the Earth in degrees."""
    x, y = np.radians(longitudes), np.radians(latitudes)
    return (2 + 0.5 * np.sin(y) + 0.5 * np.cos(y) * np.cos(x - 1)).astype("float32")
