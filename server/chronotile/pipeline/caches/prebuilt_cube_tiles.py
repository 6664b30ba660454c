"""Cube tiles of closed years that lie in a folder, as `chronotile optimise --cubes` writes them.

Files lie at `{layer}/{tms}/{z}/{x}/{y}/{year}-{res1|res2|cells}.ctc.gz`; `cubes.json` above them has the revision of
those of each layer and year, and of which grid each tile matrix set was.
"""

import os
import threading
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from chronotile.catalog.resolve_times import matching_times
from chronotile.model.collection import Layer
from chronotile.model.cube import CubeTile, Res
from chronotile.model.tiles import TileMatrixSet
from chronotile.model.time.instants import Instant, TimeSelection
from chronotile.model.time.parser import parse_time

MANIFEST = "cubes.json"
FORMAT, VERSION = "chronotile-cubes", 2


@dataclass(slots=True)
class Manifest:
    """What files of a folder are of."""

    revisions: dict[str, dict[int, str]] = field(default_factory=dict)
    """By layer and year: the revision of its cubes."""
    grids: dict[str, str] = field(default_factory=dict)
    """By tile matrix set: `grid_of` the one whose tiles they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubePath:
    """Which file a cube of a whole year is."""

    layer: str
    tile: CubeTile
    year: int
    res: Res
    is_of_cells: bool = False

    @property
    def kind(self) -> str:
        """What its name says of it beside the year."""
        return "cells" if self.is_of_cells else f"res{self.res}"

    def below(self, folder: Path) -> Path:
        """Return where it lies in a folder."""
        tile = self.tile
        place = folder / self.layer / tile.tile_matrix_set / tile.matrix / str(tile.column) / str(tile.row)
        return place / f"{self.year}-{self.kind}.ctc.gz"


class PrebuiltCubeTiles:
    """Reads the files of a folder, of which more may come and some be replaced at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = str(folder / MANIFEST)
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._told = Manifest()

    def read(self, path: CubePath, *, revision: str, tile_matrix_set: TileMatrixSet) -> bytes | None:
        """Return the gzip bytes of a cube of that revision, if it is there, of a tile of the set as it is now."""
        manifest = self._known()
        if manifest.revisions.get(path.layer, {}).get(path.year) != revision:
            return None
        if manifest.grids.get(tile_matrix_set.id) != grid_of(tile_matrix_set):
            return None
        try:
            return path.below(self._folder).read_bytes()
        except OSError:
            return None  # no date has a pixel there, or it is not written yet

    def _known(self) -> Manifest:
        """What the manifest says now; nothing where there is none."""
        try:
            status = os.stat(self._manifest)  # noqa: PTH116 -- the path is text, since building one takes longer
        except OSError:
            return Manifest()
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        with self._lock:
            if state != self._seen:
                self._told, self._seen = read_manifest(self._folder), state
            return self._told


def read_manifest(folder: Path) -> Manifest:
    """Return a folder's manifest; an empty one where there is no manifest that can be read."""
    try:
        document = orjson.loads((folder / MANIFEST).read_bytes())
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            return Manifest()
        layers = document["layers"].items()
        return Manifest(
            revisions={layer: {int(year): rev for year, rev in years.items()} for layer, years in layers},
            grids={str(name): str(grid) for name, grid in document["tile_matrix_sets"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # absent, or edited by hand
        return Manifest()


def manifest_of(cubes: Manifest) -> bytes:
    """Return the manifest as it is written."""
    layers = {
        layer: {str(year): revision for year, revision in years.items()} for layer, years in cubes.revisions.items()
    }
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, "layers": layers, "tile_matrix_sets": cubes.grids}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


@lru_cache(maxsize=64)
def grid_of(tile_matrix_set: TileMatrixSet) -> str:
    """Return a short text that changes when the tiles of a set lie elsewhere or have other pixels."""
    return blake2b(repr((tile_matrix_set.crs.name, tile_matrix_set.matrices)).encode(), digest_size=12).hexdigest()


def times_of_year(year: int) -> TimeSelection:
    """Return the request for a calendar year."""
    return parse_time(f"{year:04}")


def whole_year(layer: Layer, indexes: tuple[int, ...], *, now: Instant) -> int | None:
    """Return the year all of whose times these are, and no others; `None` where there is no such year."""
    if not indexes or len(layer.times) == 0:
        return None
    ends = (layer.times.instants[index] for index in (indexes[-1], indexes[0]))
    years = dict.fromkeys(int(str(end.astype("datetime64[Y]"))) for end in ends)
    of_years = {year: matching_times(layer, times_of_year(year), now=now).indexes for year in years}
    return next((year for year, times in of_years.items() if times == indexes), None)
