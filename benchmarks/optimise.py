"""`chronotile optimise` compared with scripts of xarray and rasterio, and the cost of one more date.

`python -m benchmarks.optimise [FOLDER] [--dates 64] [--side 2048]`: `optimise` makes a serving cube with both layouts
and overviews of a stack of COGs of noisy NDVI. For comparison xarray writes the two layouts without overviews,
block by block from files read whole, and by rioxarray with Dask. Then dates are appended singly to small cubes.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GDAL_NUM_THREADS", "1")

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import rasterio
import xarray
from pyproj import CRS
from rasterio.transform import from_origin
from zarr.codecs import ZstdCodec

from benchmarks.soak.watch import memory_of
from chronotile.app.process_setup import keep_freed_memory
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise

FIRST_DAY = np.datetime64("1998-01-01")
EPSG, WEST, NORTH = 32631, 500_000, 5_700_000
APPENDED = 10
BLOCK = 64
"""Dates that are written together, and in a chunk of series."""

CODECS = [ZstdCodec(level=1)]
LAYOUTS = {
    "map": {"chunks": (1, 512, 512), "compressors": CODECS},
    "series": {"chunks": (BLOCK, 16, 16), "shards": (BLOCK, 512, 512), "compressors": CODECS},
}
"""Our chunks; chunks of maps are separate files, which is the fastest."""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--dates", type=int, default=64)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--archive", type=int, default=10_000, help="dates of the long archive")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--way", choices=list(WAYS), help="one way alone, for its peak memory")
    given = parser.parse_args()
    stack = make_stack(given.folder / f"stack-{given.side}", given.dates, given.side)
    if given.way:
        seconds = WAYS[given.way](stack, given.folder / "cube.zarr")
        print(f"{seconds:.2f} {time.process_time():.2f} {memory_of(os.getpid(), 'VmHWM') // 1024}")
        return
    values = given.dates * given.side**2
    print(f"{given.dates} dates of {given.side}² uint8, {values / 1e6:.0f} MB; COGs, deflate")
    for _ in range(given.rounds):
        for way in WAYS:
            if way == "rioxarray" and find_spec(way) is None:
                print("rioxarray is not installed: pip install rioxarray")
                continue
            seconds, processor, peak = _apart(given, way)
            rate = values / 1e6 / seconds
            print(
                f"{way:10} {seconds:7.1f} s {rate:5.0f} MB/s, processors {processor:6.1f} s, peak {peak / 1024:.0f} MiB"
            )
    for count in (100, 1500, given.archive):
        print(f"append to {count} dates of 256²: {append_ms(given.folder, count):.0f} ms (median of {APPENDED})")


def make_stack(folder: Path, dates: int, side: int) -> Path:
    """Write files with noise, fields and clouds, if they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    parcels = rng.integers(60, 220, (side // 32 + 1, side // 32 + 1)).astype(np.float32)
    field = np.kron(parcels, np.ones((32, 32), dtype=np.float32))[:side, :side]
    for number in range(dates):
        path = folder / _name(number)
        if not path.exists():
            numbers = field * (0.6 + 0.4 * np.sin(number / 58)) + rng.normal(0, 3, field.shape).astype(np.float32)
            clouds = np.kron(rng.random((side // 128 + 1,) * 2) < 0.3, np.ones((128, 128), dtype=bool))[:side, :side]
            write_tif(path, np.where(clouds, 255, np.clip(numbers, 0, 250)).astype(np.uint8))
    return folder


def write_tif(path: Path, numbers: np.ndarray) -> None:
    """Write a COG with overviews."""
    height, width = numbers.shape
    profile = {
        "driver": "COG", "width": width, "height": height, "count": 1, "dtype": "uint8", "nodata": 255,
        "crs": f"EPSG:{EPSG}", "transform": from_origin(WEST, NORTH, 10, 10),
        "blocksize": 512, "compress": "deflate", "predictor": "yes", "overview_resampling": "nearest",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as file:
        file.write(numbers, 1)


def write_ours(stack: Path, target: Path) -> float:
    """Return the seconds that `optimise` takes for both layouts and the overviews."""
    keep_freed_memory()  # as the command does
    shutil.rmtree(target, ignore_errors=True)
    started = time.perf_counter()
    optimise([str(stack)], target, Options(layout="both"))
    return time.perf_counter() - started


def write_by_blocks(stack: Path, target: Path) -> float:
    """Return the seconds that xarray takes for the two layouts, without overviews, reading each file once."""
    paths = sorted(stack.glob("*.tif"))
    shutil.rmtree(target, ignore_errors=True)
    started = time.perf_counter()
    for first in range(0, len(paths), BLOCK):
        block = xarray.concat([_whole(path) for path in paths[first : first + BLOCK]], dim="time")
        dataset = block.to_dataset(name="NDVI")
        for name, layout in LAYOUTS.items():
            if first:
                dataset.to_zarr(target, group=name, append_dim="time", consolidated=False)
            else:
                dataset.to_zarr(target, group=name, mode="w", encoding={"NDVI": layout}, consolidated=False)
    return time.perf_counter() - started


def _whole(path: Path) -> xarray.DataArray:
    with rasterio.open(path) as file:
        return xarray.DataArray(file.read(1), dims=("y", "x"))


def write_lazily(stack: Path, target: Path) -> float:
    """Return the seconds that rioxarray and Dask take for the two layouts, without overviews, in threads."""
    import dask  # noqa: PLC0415 -- neither is needed for the rest
    import rioxarray  # noqa: PLC0415

    shutil.rmtree(target, ignore_errors=True)
    started = time.perf_counter()
    chunks = {"band": 1, "y": 512, "x": 512}
    dates = [rioxarray.open_rasterio(path, chunks=chunks, lock=False) for path in sorted(stack.glob("*.tif"))]
    cube = xarray.concat([date.squeeze("band", drop=True) for date in dates], dim="time", combine_attrs="drop")
    maps = cube.drop_vars("spatial_ref").to_dataset(name="NDVI")
    series = maps.chunk({"time": BLOCK, "y": 512, "x": 512})
    with dask.config.set(scheduler="threads", num_workers=os.cpu_count()):
        for name, dataset in (("map", maps), ("series", series)):
            dataset.to_zarr(target, group=name, mode="w", encoding={"NDVI": LAYOUTS[name]}, consolidated=False)
    return time.perf_counter() - started


def append_ms(folder: Path, count: int) -> float:
    """Return the median milliseconds of one date appended to an archive of `count` dates of 256² pixels."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        cube = long_archive(Path(place), count, 256)
        times = []
        for number in range(count, count + APPENDED):
            path = Path(place) / _name(number)
            write_tif(path, np.full((256, 256), number % 250, dtype=np.uint8))
            started = time.perf_counter()
            optimise([str(path)], cube, Options(layout="both"))
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def long_archive(place: Path, count: int, side: int) -> Path:
    """Return a cube of `count` dates of noise in `side`² pixels, the same at every date, made from one Zarr store."""
    x, y = WEST + 10 * (np.arange(side) + 0.5), NORTH - 10 * (np.arange(side) + 0.5)
    field = np.random.default_rng(1).integers(60, 220, (side, side), dtype=np.uint8)
    attrs = {"_FillValue": np.uint8(255), "grid_mapping": "spatial_ref", "units": "1"}
    dataset = xarray.Dataset(
        {
            "stack": (("time", "y", "x"), np.broadcast_to(field, (count, side, side)), attrs),
            "spatial_ref": ((), 0, {"crs_wkt": CRS.from_epsg(EPSG).to_wkt()}),
        },
        {"time": (FIRST_DAY + np.arange(count)).astype("datetime64[ns]"), "y": y, "x": x},
    )
    source, cube = place / f"source-{count}.zarr", place / f"cube-{count}.zarr"
    dataset.to_zarr(source, mode="w", encoding={"stack": {"chunks": (64, side, side)}}, consolidated=False)
    shutil.rmtree(cube, ignore_errors=True)
    optimise([str(source)], cube, Options(layout="both"))
    shutil.rmtree(source)
    return cube


def _name(number: int) -> str:
    return f"stack_{str(FIRST_DAY + number).replace('-', '')}.tif"


def _apart(given: argparse.Namespace, way: str) -> tuple[float, float, int]:
    """Seconds, processor seconds and peak memory in KiB of one variant in a separate process."""
    command = [sys.executable, "-m", "benchmarks.optimise", str(given.folder), "--dates", str(given.dates)]
    found = subprocess.run([*command, "--side", str(given.side), "--way", way], check=True, capture_output=True)
    seconds, processor, peak = found.stdout.decode().split()
    return float(seconds), float(processor), int(peak)


WAYS = {"ours": write_ours, "xarray": write_by_blocks, "rioxarray": write_lazily}


if __name__ == "__main__":
    main()
