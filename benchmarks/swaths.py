"""Tiles of a granule: processor time compared with pyresample's `kd_tree`, and with a regular NetCDF file.

`python -m benchmarks.swaths BENCH`: the folder that `make bench-peers` has filled. Writes a granule of 4172 by 450
cells and a regular grid of as many into a temporary folder. Each round starts three processes, one after the other.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray

from benchmarks.figures import median
from tests.readers.made_swaths import values_at, write_orbit
from tests.walk.serving import served

ROUNDS, SIDE = 7, 256
ROWS, COLUMNS = 4172, 450
BOX = (0.0, 40.0, 14.0, 54.0)
"""Degrees of the map; a pixel is about as large as a cell."""
CONFIGURATION = """collections:
  granules:
    source: {kind: netcdf, href: swath.nc}
    variables: {no2: {layer: swath, range: [0, 4]}}
  grids:
    source: {kind: netcdf, href: grid.nc}
    variables: {no2: {layer: grid, range: [0, 4]}}
"""


def write_files(folder: Path) -> Path:
    """Write the granule, the grid and the configuration; return the configuration."""
    encoding = {"zlib": True, "complevel": 4, "chunksizes": (ROWS, COLUMNS)}
    write_orbit(folder / "swath.nc", 0, rows=ROWS, columns=COLUMNS, encoding=encoding)
    latitudes, longitudes = np.linspace(80, -80, ROWS), np.linspace(-20, 40, COLUMNS)
    dataset = xarray.Dataset(
        {"no2": (("time", "lat", "lon"), values_at(*np.meshgrid(longitudes, latitudes))[None], {"units": "mol m-2"})},
        {
            "time": ("time", [0], {"units": "days since 2024-06-01"}),
            "lat": ("lat", latitudes, {"units": "degrees_north"}),
            "lon": ("lon", longitudes, {"units": "degrees_east"}),
        },
    )
    encoding["chunksizes"] = (1, ROWS, COLUMNS)
    dataset.to_netcdf(folder / "grid.nc", engine="h5netcdf", encoding={"no2": encoding})
    place = folder / "chronotile.yaml"
    place.write_text(CONFIGURATION)
    return place


def draw_maps(place: Path, layer: str) -> None:
    """Draw a map, and the same map again as another picture; print the processor time of each."""
    with served(place, place.parent / "server") as client:
        times = []
        for look in ("", "&TRANSPARENT=TRUE"):
            start = time.process_time()
            answer = client.get(
                f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS={layer}&STYLES=&CRS=CRS:84"
                f"&BBOX={','.join(map(str, BOX))}&WIDTH={SIDE}&HEIGHT={SIDE}&FORMAT=image/png{look}"
            )
            times.append(time.process_time() - start)
            answer.raise_for_status()
        print(*times)


def compare(place: Path, python: Path) -> None:
    """Print the median times of all rounds in milliseconds, and the ratios."""
    program = Path(__file__).parent / "peers" / "resample_swath.py"
    commands: dict[str, list[str | Path]] = {
        "swath": [sys.executable, "-m", "benchmarks.swaths", "draw", place, "swath"],
        "grid": [sys.executable, "-m", "benchmarks.swaths", "draw", place, "grid"],
        "pyresample": [python, program, place.parent / "swath.nc", str(SIDE), *map(str, BOX)],
    }
    times = dict[str, list[list[float]]]()
    for _ in range(ROUNDS):
        for name, command in commands.items():
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            times.setdefault(name, []).append([float(number) * 1e3 for number in printed.split()])
    first, again, regular, reading, search = (
        median([numbers[column] for numbers in times[name]])
        for name, column in (("swath", 0), ("swath", 1), ("grid", 1), ("pyresample", 0), ("pyresample", 1))
    )
    print("| tile of 256² | ms of processor | peer | ratio |\n| --- | --- | --- | --- |")
    rows = (
        ("first of a granule", first, "pyresample", reading + search),
        (f"first, without {reading:.0f} ms to read the arrays", max(first - reading, 0.0), "pyresample", search),
        ("again", again, "a regular grid", regular),
    )
    for name, ours, peer, theirs in rows:
        print(f"| {name} | {ours:.0f} | {peer}: {theirs:.0f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    if sys.argv[1] == "draw":
        draw_maps(Path(sys.argv[2]), sys.argv[3])
    else:
        with tempfile.TemporaryDirectory() as scratch:
            compare(write_files(Path(scratch)), Path(sys.argv[1]) / "venvs" / "pyresample" / "bin" / "python")
