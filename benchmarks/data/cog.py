"""COGs in UTM: a large one, a stack of some dates, many small ones, and one with real NDVI."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import rasterio
import xarray
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster

from benchmarks.data.field import NODATA, OFFSET, SCALE, Field

EPSG = 32631
WEST, NORTH, RESOLUTION_M = 499_980.0, 5_700_000.0, 10.0
ROMANIA = Path("s2_romania") / "ndvi_scl_romania_10m.nc"
CLEAR = (4, 5, 6, 7)
"""Scene classes of Sentinel-2 that show the ground."""


def make_big(path: Path, side: int) -> None:
    """Write the large COG, if it is missing."""
    if not path.exists():
        _write(path, Field(side, seed=1).numbers(170))


def make_stack(paths: Sequence[Path], days: Sequence[str], side: int) -> None:
    """Write the COGs of some days that are not there."""
    _write_days(paths, days, Field(side, seed=2))


def make_many(paths: Sequence[Path], days: Sequence[str], side: int) -> None:
    """Write the small COGs that are not there."""
    _write_days(paths, days, Field(side, seed=3))


def make_real(path: Path, side: int) -> None:
    """Write a COG that is laid out with real Sentinel-2 NDVI of many dates, if those data lie at ../shared/data."""
    source = Path(__file__).parents[3] / "shared" / "data" / ROMANIA
    if path.exists() or not source.exists():
        return
    with xarray.open_dataset(source, mask_and_scale=False, decode_times=False) as dataset:
        name = next(name for name in dataset.data_vars if str(name).lower() == "ndvi")
        classes = next(name for name in dataset.data_vars if str(name).lower() == "scl")
        values = dataset[name].values.astype(np.float32) * np.float32(1e-4)
        is_clear = np.isin(dataset[classes].values, CLEAR) & (dataset[name].values > -10_000)
    numbers = np.where(is_clear, np.clip(np.rint((values - OFFSET) / SCALE), 0, 250), NODATA).astype(np.uint8)
    clear_dates = numbers[is_clear.mean(axis=(1, 2)) > 0.8]
    # Neighbours are mirrored, so that no edge is sharper than the edges in the scene.
    piece = np.block([[clear_dates, clear_dates[..., ::-1]], [clear_dates[:, ::-1], clear_dates[:, ::-1, ::-1]]])
    across = -(-side // piece.shape[-1])
    chosen = np.random.default_rng(4).integers(0, len(piece), (across, across))
    _write(path, np.vstack([np.hstack([piece[date] for date in row]) for row in chosen])[:side, :side])


def _write_days(paths: Sequence[Path], days: Sequence[str], field: Field) -> None:
    for path, day in zip(paths, days, strict=True):
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            _write(path, field.numbers(int((np.datetime64(day) - np.datetime64(f"{day[:4]}-01-01")).astype(int))))


def _write(path: Path, numbers: np.ndarray) -> None:
    """Write a COG, whole or not at all."""
    height, width = numbers.shape
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "uint8", "nodata": NODATA,
        "crs": f"EPSG:{EPSG}", "transform": Affine(RESOLUTION_M, 0, WEST, 0, -RESOLUTION_M, NORTH),
    }  # fmt: skip
    unfinished = path.with_name("unfinished.tif")
    with MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(numbers, 1)
            file.scales, file.offsets = (SCALE,), (OFFSET,)
        with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
            copy_raster(
                memory.name,
                unfinished,
                driver="COG",
                compress="deflate",
                blocksize=min(512, width),
                overview_resampling="average",
            )
    unfinished.replace(path)
