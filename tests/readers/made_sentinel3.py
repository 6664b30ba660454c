"""Small products of Sentinel-3 in folders, after the product data format specifications of OLCI and SLSTR."""

from pathlib import Path

import numpy as np
import xarray

from tests.readers.made_swaths import orbit

OLCI = "S3A_OL_2_WFR____20240601T100000_20240601T100300_20240602T120000_0179_113_065_1980_MAR_O_NT_003.SEN3"
SLSTR = "S3A_SL_1_RBT____20240601T100000_20240601T100300_20240602T120000_0179_113_065_1980_PS1_O_NT_004.SEN3"
SENSING = {"start_time": "2024-06-01T10:00:00.000000Z", "stop_time": "2024-06-01T10:03:00.000000Z"}
MIDDLE = np.datetime64("2024-06-01T10:01:30", "ns")
ROWS, TIES, FACTOR = 150, 9, 16
COLUMNS = (TIES - 1) * FACTOR + 1
MICRO = {"dtype": "int32", "scale_factor": 1e-6, "_FillValue": -(2**31)}


def cells(node=0.0, *, rows=ROWS, columns=COLUMNS, shift=0.0):
    """Longitudes and latitudes of OLCI: a swath that is not centred on the track."""
    angles = np.linspace(-4.5, 6.5, columns) + shift
    return orbit(20, 20 + 11 * rows / 150, rows=rows, angles=angles, node=node)


def write(folder, name, dims, arrays, encoding=None, **attrs):
    """Write arrays with attributes, `{name: (numbers, attributes)}`, over the same dimensions."""
    variables = {key: (dims[: np.ndim(numbers)], numbers, attributes) for key, (numbers, attributes) in arrays.items()}
    dataset = xarray.Dataset(variables, attrs=SENSING | {"title": name} | attrs)
    folder.mkdir(exist_ok=True, parents=True)
    dataset.to_netcdf(folder / name, engine="h5netcdf", encoding=encoding or {})


def positions(longitudes, latitudes, suffix=""):
    """Latitudes and longitudes as in products."""
    return {
        f"latitude{suffix}": (latitudes, {"units": "degrees_north", "standard_name": "latitude"}),
        f"longitude{suffix}": (longitudes, {"units": "degrees_east", "standard_name": "longitude"}),
    }


def write_olci(parent: Path, *, name=OLCI, node=0.0, has_cells=True, seed=1) -> Path:
    """Write a product of water at Level 2.

    Args:
        parent: Its parent folder.
        name: Its name.
        node: Longitude of the ascending node.
        has_cells: Whether it has positions of all cells in addition to tie points.
        seed: Chooses the numbers.
    """
    folder, (x, y) = parent / name, cells(node)
    random = np.random.default_rng(seed)
    factors = {"ac_subsampling_factor": np.int16(FACTOR), "al_subsampling_factor": np.int16(1)}
    dims, coordinates = ("rows", "columns"), {"coordinates": "time_stamp altitude latitude longitude"}
    arrays = positions(x, y) | {"altitude": (np.zeros(y.shape, "int16"), {"units": "m"})}
    if has_cells:
        write(folder, "geo_coordinates.nc", dims, arrays, dict.fromkeys(("latitude", "longitude"), MICRO), **factors)
    chlorophyll = random.integers(0, 200, y.shape).astype("uint8")
    packed = {"scale_factor": np.float32(0.0127), "add_offset": np.float32(-1.6), "_FillValue": np.uint8(255)}
    chl = {"CHL_NN": (chlorophyll, {"units": "lg(re mg.m-3)"} | packed | coordinates)}
    write(folder, "chl_nn.nc", dims, chl | {"CHL_NN_err": (chlorophyll // 2, {"units": "1"} | coordinates)}, **factors)
    flags = {"flag_masks": np.array([1, 2, 4], "uint64"), "flag_meanings": "INVALID WATER LAND"}
    wqsf = random.integers(0, 8, y.shape).astype("uint64")
    write(folder, "wqsf.nc", dims, {"WQSF": (wqsf, flags | coordinates)}, **factors)
    ties = ("tie_rows", "tie_columns")
    micro = dict.fromkeys(("latitude", "longitude"), MICRO)
    write(folder, "tie_geo_coordinates.nc", ties, positions(x[:, ::FACTOR], y[:, ::FACTOR]), micro, **factors)
    zenith = {"SZA": (random.random((ROWS, TIES)).astype("float32"), {"units": "degrees"})}
    write(folder, "tie_geometries.nc", ties, zenith, **factors)
    times = {"time_stamp": (np.arange(ROWS) * 44000, {"units": "microseconds since 2024-06-01 10:00:00"})}
    write(folder, "time_coordinates.nc", ("rows",), times)
    gone = {
        "latitude": (np.zeros(5), {"units": "degrees_north"}),
        "longitude": (np.zeros(5), {"units": "degrees_east"}),
    }
    write(folder, "removed_pixels.nc", ("removed_pixels",), gone)
    write(folder, "instrument_data.nc", ("bands", "detectors"), {"lambda0": (np.ones((21, 40), "f4"), {"units": "nm"})})
    (folder / "xfdumanifest.xml").write_text("<xfdu/>")
    return folder


GRIDS = {"in": (60, 75, 0.0), "fn": (60, 75, 0.05), "an": (120, 150, 0.0), "tx": (60, 11, 0.0)}
"""Rows, columns and shift across the track of each grid of SLSTR."""


def write_slstr(parent: Path, *, name=SLSTR) -> Path:
    """Write a product of brightness temperatures and radiances at Level 1, in the nadir view."""
    folder, random = parent / name, np.random.default_rng(2)
    for grid, (rows, columns, shift) in GRIDS.items():
        x, y = cells(rows=rows, columns=columns, shift=shift)
        pixels = {**positions(x, y, f"_{grid}"), **positions(x[:, :4], y[:, :4], f"_orphan_{grid}")}
        arrays = {
            key: (("rows", "orphan_pixels" if "orphan" in key else "columns"), *value) for key, value in pixels.items()
        }
        folder.mkdir(parents=True, exist_ok=True)
        encoding = dict.fromkeys(arrays, MICRO)
        xarray.Dataset(arrays, attrs=SENSING).to_netcdf(folder / f"geodetic_{grid}.nc", "w", encoding=encoding)
        plane = {"units": "m", "standard_name": "projection_x_coordinate"}
        write(folder, f"cartesian_{grid}.nc", ("rows", "columns"), {f"x_{grid}": (np.ones(y.shape), plane)})
    for stem, grid, scale, units in (
        ("S8_BT_in", "in", 0.01, "K"),
        ("F1_BT_fn", "fn", 0.01, "K"),
        ("S1_radiance_an", "an", 0.1, "mW.m-2.sr-1.nm-1"),
    ):
        numbers = random.integers(1, 30_000, GRIDS[grid][:2]).astype("int16")
        array = {stem: (numbers, {"units": units, "scale_factor": scale, "_FillValue": np.int16(-32768)})}
        write(folder, f"{stem}.nc", ("rows", "columns"), array)
    zenith = {"sat_zenith_tn": (random.random(GRIDS["tx"][:2]), {"units": "degrees"})}
    write(folder, "geometry_tn.nc", ("rows", "columns"), zenith)
    write(
        folder, "LST_ancillary_ds.nc", ("rows", "columns"), {"NDVI": (random.random(GRIDS["in"][:2]), {"units": "1"})}
    )
    for band in (7, 8):
        numbers = {"uncertainties": (np.ones((3, 4)), {"units": "K"})}
        write(folder, f"S{band}_quality_in.nc", ("channels", "entries"), numbers)
    return folder
