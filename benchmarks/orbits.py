"""Orbits as items: processor time of indexing a file, and of the first map of a day.

`python -m benchmarks.orbits` writes 14 orbits of 4172 by 450 cells (260 MB) into a temporary folder.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.readers.made_swaths import write_orbit
from tests.walk.serving import opened, served

ORBITS, ROWS, COLUMNS = 14, 4172, 450
CONFIGURATION = """collections:
  orbits:
    source: {kind: netcdf, href: 'orbit_*.nc', tiles: true}
    time: {group: day}
    variables: {no2: {layer: no2, range: [0, 4]}}
"""
WMS = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST="
MAP = f"{WMS}GetMap&LAYERS=no2&STYLES=&CRS=CRS:84&BBOX=-180,-90,180,90&WIDTH=512&HEIGHT=256&FORMAT=image/png"


def write_orbits(folder: Path) -> Path:
    """Write the files and return the configuration."""
    for number in range(ORBITS):
        encoding = {"zlib": True, "complevel": 4, "chunksizes": (ROWS, COLUMNS)}
        write_orbit(folder / f"orbit_{number:02}.nc", number, rows=ROWS, columns=COLUMNS, encoding=encoding)
    place = folder / "chronotile.yaml"
    place.write_text(CONFIGURATION)
    return place


def fill_index(place: Path) -> None:
    """Index the files; print the processor time per file."""
    start = time.process_time()
    opened(place, place.parent / "server")
    print(f"index: {(time.process_time() - start) / ORBITS:.2f} s per file")


def draw_maps(place: Path) -> None:
    """Draw a map twice; print the processor time of each."""
    with served(place, place.parent / "server") as client:
        client.get(f"{WMS}GetCapabilities")
        for name in ("first", "second"):
            start = time.process_time()
            answer = client.get(f"{MAP}{'' if name == 'first' else '&TRANSPARENT=TRUE'}")
            print(f"{name} map: {time.process_time() - start:.2f} s, status {answer.status_code}")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        {"index": fill_index, "map": draw_maps}[sys.argv[1]](Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            configuration = write_orbits(Path(scratch))
            for step in ("index", "map"):
                subprocess.run([sys.executable, "-m", "benchmarks.orbits", step, configuration], check=True)
