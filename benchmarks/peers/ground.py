"""Environment of a comparison: the data, the peers' environments, and a folder for files that they need to start."""

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pyproj import Transformer

from benchmarks.data import cube
from benchmarks.data.archive import Archive
from benchmarks.data.cog import EPSG, NORTH, RESOLUTION_M, WEST
from chronotile.core.model.space.boxes import BBox

TELL_VERSIONS = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"


@dataclass(frozen=True, slots=True)
class Ground:
    """Arguments of every adapter."""

    archive: Archive
    peers: Path
    """Holds `venvs/`, as setup.sh makes it."""
    scratch: Path
    """Configurations, sockets and logs of this run."""
    quick: bool
    """Leave out the peers' lesser settings."""

    def program(self, environment: str, name: str) -> str | None:
        """Return a program of a peer's environment, if it is installed."""
        path = self.peers / "venvs" / environment / "bin" / name
        return str(path) if path.exists() else None

    def version(self, environment: str, package: str) -> str:
        """Return name and version of a package of a peer's environment."""
        return f"{package} {_version(self.peers / 'venvs' / environment / 'bin' / 'python', package)}"

    def write(self, name: str, text: str) -> Path:
        """Write a file into the scratch folder."""
        path = self.scratch / name
        path.write_text(text)
        return path


@cache
def _version(python: Path, package: str) -> str:
    said = subprocess.run([python, "-c", TELL_VERSIONS, package], check=True, capture_output=True, text=True).stdout
    return str(json.loads(said)[package])


def utm_inside(side: int) -> BBox:
    """Return a box of degrees inside a raster of `side` pixels at the corner that all rasters in UTM share."""
    across, margin = side * RESOLUTION_M, 0.06
    to_degrees = Transformer.from_crs(f"EPSG:{EPSG}", "OGC:CRS84", always_xy=True)
    easts = (WEST + margin * across, WEST + (1 - margin) * across)
    norths = (NORTH - (1 - margin) * across, NORTH - margin * across)
    corners = {(east, north): to_degrees.transform(east, north) for east in easts for north in norths}
    return BBox(
        max(corners[easts[0], north][0] for north in norths),
        max(corners[east, norths[0]][1] for east in easts),
        min(corners[easts[1], north][0] for north in norths),
        min(corners[east, norths[1]][1] for east in easts),
    )


def cube_inside(side: int) -> BBox:
    """Return a box of degrees inside the cube."""
    across, margin = side * cube.RESOLUTION, 0.02
    return BBox(
        cube.WEST + margin * across,
        cube.NORTH - (1 - margin) * across,
        cube.WEST + (1 - margin) * across,
        cube.NORTH - margin * across,
    )
