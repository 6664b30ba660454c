"""`chronotile optimise` beside what one would write with xarray and rasterio, and the cost of one more date.

`python -m benchmarks.optimise [FOLDER] [--dates 64] [--side 2048]`: a stack of tiled GeoTIFFs of noisy NDVI is made a
serving cube with both layouts by `optimise`, and the two layouts are written by xarray, reading the same files lazily;
then one date at a time is appended to small cubes of 100 and of 10,000 dates.
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
from pathlib import Path

import numpy as np
import rasterio
import xarray
from rasterio.transform import from_origin
from zarr.codecs import ZstdCodec

from chronotile.ingest.optimise.options import Options
from chronotile.ingest.optimise.run import optimise
from chronotile.process import keep_freed_memory

FIRST_DAY = np.datetime64("1998-01-01")
APPENDED = 10


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--dates", type=int, default=64)
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--archive", type=int, default=10_000, help="dates of the long archive")
    parser.add_argument("--way", choices=["ours", "xarray"], help="one way alone, for its peak memory")
    given = parser.parse_args()
    stack = make_stack(given.folder / f"stack-{given.side}", given.dates, given.side)
    if given.way:
        seconds = {"ours": write_ours, "xarray": write_with_xarray}[given.way](stack, given.folder / "cube.zarr")
        print(f"{seconds:.2f} {peak_kib()}")
        return
    values = given.dates * given.side**2
    print(f"{given.dates} dates of {given.side}² uint8, {values / 1e6:.0f} MB; tiled GeoTIFF, deflate")
    for way in ("ours", "xarray"):
        seconds, peak = _apart(given, way)
        print(f"{way:8} {seconds:7.1f} s  {values / 1e6 / seconds:6.0f} MB/s  peak {peak / 1024:.0f} MiB")
    for count in (100, given.archive):
        print(f"append to {count} dates of 256²: {append_ms(given.folder, count):.0f} ms (median of {APPENDED})")


def peak_kib() -> int:
    """Return the most that this process has held; `ru_maxrss` would count its parent too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def make_stack(folder: Path, dates: int, side: int) -> Path:
    """Write files with noise, fields and clouds, unless they are there."""
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
    """Write a tiled GeoTIFF without overviews."""
    height, width = numbers.shape
    profile = {
        "driver": "GTiff", "width": width, "height": height, "count": 1, "dtype": "uint8", "nodata": 255,
        "crs": "EPSG:32631", "transform": from_origin(500_000, 5_700_000, 10, 10),
        "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate",
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


def write_with_xarray(stack: Path, target: Path) -> float:
    """Return the seconds that xarray takes for the two layouts, without overviews, in threads, block by block."""

    def opened(path: Path) -> xarray.DataArray:
        with rasterio.open(path) as file:
            return xarray.DataArray(file.read(1), dims=("y", "x"))

    shutil.rmtree(target, ignore_errors=True)
    started = time.perf_counter()
    paths = sorted(stack.glob("*.tif"))
    side, block = opened(paths[0]).sizes["x"], 64
    codec = ZstdCodec(level=1)
    shapes = {"map": ((1, 512, 512), (1, side, side)), "series": ((block, 16, 16), (block, 512, 512))}
    for name, (chunks, shards) in shapes.items():
        encoding = {"NDVI": {"chunks": chunks, "shards": shards, "compressors": [codec]}}
        for first in range(0, len(paths), block):
            cube = xarray.concat([opened(path) for path in paths[first : first + block]], dim="time")
            dataset = cube.to_dataset(name="NDVI")
            if first:
                dataset.to_zarr(target, group=name, append_dim="time", consolidated=False)
            else:
                dataset.to_zarr(target, group=name, mode="w", encoding=encoding, consolidated=False)
    return time.perf_counter() - started


def append_ms(folder: Path, count: int) -> float:
    """Return the median milliseconds of one date appended to an archive of `count` dates of 256² pixels."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        cube = _long_archive(Path(place), count)
        times = []
        for number in range(count, count + APPENDED):
            path = Path(place) / _name(number)
            write_tif(path, np.full((256, 256), number % 250, dtype=np.uint8))
            started = time.perf_counter()
            optimise([str(path)], cube, Options(layout="both"))
            times.append((time.perf_counter() - started) * 1000)
    return statistics.median(times)


def _long_archive(place: Path, count: int) -> Path:
    """A cube of `count` dates, from one Zarr store in which every date is the same."""
    write_tif(place / "first.tif", np.zeros((256, 256), dtype=np.uint8))
    with rasterio.open(place / "first.tif") as file:
        x = file.transform.c + (np.arange(256) + 0.5) * file.transform.a
        y = file.transform.f + (np.arange(256) + 0.5) * file.transform.e
        crs = file.crs.to_wkt()
    (place / "first.tif").unlink()
    attrs = {"_FillValue": np.uint8(255), "grid_mapping": "spatial_ref", "units": "1"}
    dataset = xarray.Dataset(
        {
            "stack": (("time", "y", "x"), np.zeros((count, 256, 256), dtype=np.uint8), attrs),
            "spatial_ref": ((), 0, {"crs_wkt": crs}),
        },
        {"time": (FIRST_DAY + np.arange(count)).astype("datetime64[ns]"), "y": y, "x": x},
    )
    dataset.to_zarr(place / "source.zarr", encoding={"stack": {"chunks": (64, 256, 256)}}, consolidated=False)
    optimise([str(place / "source.zarr")], place / "cube.zarr", Options(layout="both"))
    return place / "cube.zarr"


def _name(number: int) -> str:
    return f"stack_{str(FIRST_DAY + number).replace('-', '')}.tif"


def _apart(given: argparse.Namespace, way: str) -> tuple[float, int]:
    """Seconds and peak memory in KiB of one way in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.optimise", str(given.folder), "--dates", str(given.dates)]
    found = subprocess.run([*command, "--side", str(given.side), "--way", way], check=True, capture_output=True)
    seconds, peak = found.stdout.decode().split()
    return float(seconds), int(peak)


if __name__ == "__main__":
    main()
