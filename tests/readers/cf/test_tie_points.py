"""Positions between tie points that attributes name (CF 1.9 §8.3), in NetCDF and Zarr."""

from contextlib import closing

import numpy as np
import pytest
import xarray

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from tests.readers.made_swaths import orbit
from tests.scenes import make_spec

ROWS, COLUMNS = np.array([0, 10, 11, 30]), np.array([0, 8, 20])
"""Cells of the tie points: two areas of rows, with tie points at their ends."""


def write_ties(folder, kind, *, rows=ROWS, columns=COLUMNS, node=175.0, rule="bi_linear"):
    """Write an array with tie points; return its path and the positions of these."""
    x, y = orbit(20, 24, rows=31, angles=np.linspace(-1.5, 1.5, 21), node=node)
    ties = ("tie_scan", "tie_pixel")
    mapping = "scan: scan_numbers tie_scan pixel: pixel_numbers tie_pixel"
    values = np.arange(31 * 21, dtype="int32").reshape(31, 21)
    dataset = xarray.Dataset(
        {
            "v": (("scan", "pixel"), values, {"coordinate_interpolation": "lat: lon: between"}),
            "lat": (ties, y[ROWS][:, COLUMNS], {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": (ties, x[ROWS][:, COLUMNS] % 360, {"standard_name": "longitude", "units": "degrees_east"}),
            "scan_numbers": (ties[:1], rows),
            "pixel_numbers": (ties[1:], columns),
            "between": ((), 0, {"interpolation_name": rule, "tie_point_mapping": mapping}),
        }
    )
    path = folder / ("a.zarr" if kind == "zarr" else "a.nc")
    write = dataset.to_zarr if kind == "zarr" else dataset.to_netcdf
    write(path, **({"consolidated": False} if kind == "zarr" else {"engine": "h5netcdf"}))
    return path, (x[ROWS][:, COLUMNS], y[ROWS][:, COLUMNS])


def vectors_of(longitudes, latitudes):
    x, y = np.radians(longitudes), np.radians(latitudes)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


@pytest.mark.parametrize("kind", ["netcdf", "zarr"])
def test_positions_equal_an_interpolation_by_numpy(tmp_path, kind):
    path, positions = write_ties(tmp_path, kind)

    with closing(open_source(make_spec(kind, path, variables={}))) as reader:
        cells = reader.swaths["v"].geolocation
        read = vectors_of(*cells.read(slice(0, 31), slice(0, 21)))
        grid = reader.info.variables["v"].grid
        window = Window(0, grid.height, 0, grid.width)
        values = reader.read_window("v", index=0, level=0, window=window).numbers

    ties = vectors_of(*positions)
    down = np.stack(
        [[np.interp(np.arange(31), ROWS, column) for column in plane.T] for plane in np.moveaxis(ties, -1, 0)]
    )
    across = np.stack([[np.interp(np.arange(21), COLUMNS, row) for row in plane.T] for plane in down])
    expected = np.moveaxis(across, 0, -1)
    expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    np.testing.assert_allclose(read, expected, rtol=0, atol=1e-14)
    assert {*range(31 * 21)} <= set(values.ravel().tolist())


@pytest.mark.parametrize(
    "options",
    [{"rows": ROWS[::-1]}, {"rows": ROWS + 1}, {"columns": np.array([0, 8, 19])}, {"rule": "quadratic"}],
    ids=["descending", "shifted", "short", "quadratic"],
)
def test_other_tie_points_are_refused(tmp_path, options):
    path, _positions = write_ties(tmp_path, "netcdf", **options)

    with pytest.raises(UnsupportedSource):
        open_source(make_spec("netcdf", path, variables={}))
