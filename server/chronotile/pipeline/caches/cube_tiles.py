"""Cache of cube tiles by ETag: small ones among the payloads, large ones in a folder that processes share.

`PrebuiltCubeTiles` reads the cube tiles of whole years that `chronotile optimise cube-tiles` wrote.
"""

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from chronotile.catalog.resolve_times import matching_times
from chronotile.core.cancellation import IsActive
from chronotile.core.model.collection import Layer
from chronotile.core.model.cube import CubeTile, Res
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Instant
from chronotile.readers.caches.byte_cache import ByteCache, CacheState
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.file_states import FileState, fingerprint_of

MANIFEST = "cubes.json"
FORMAT, VERSION = "chronotile-cubes", 2


@dataclass(slots=True)
class Manifest:
    """Contents of a folder of prebuilt cube tiles."""

    revisions: dict[str, dict[int, str]] = field(default_factory=dict)
    """Revision of the cubes by layer and year."""
    grids: dict[str, str] = field(default_factory=dict)
    """`grid_of` the tile matrix sets, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CubePath:
    """Identity of a cube tile of a whole year."""

    layer: str
    tile: CubeTile
    year: int
    res: Res
    is_of_cells: bool = False

    @property
    def kind(self) -> str:
        """Part of the file name after the year."""
        return "cells" if self.is_of_cells else f"res{self.res}"

    def path_in(self, folder: Path) -> Path:
        """Return the path of the file in a folder."""
        tile = self.tile
        parent = folder / self.layer / tile.tile_matrix_set / tile.matrix / str(tile.column) / str(tile.row)
        return parent / f"{self.year}-{self.kind}.ctc.gz"


class PrebuiltCubeTiles:
    """Reads the files of a folder, which may change at any time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manifest = str(folder / MANIFEST)
        self._lock = threading.Lock()
        self._manifest_state: FileState | None = None
        self._last_manifest = Manifest()

    def read(self, path: CubePath, *, revision: str, tile_matrix_set: TileMatrixSet) -> bytes | None:
        """Return the gzip bytes of a cube, if it exists in this revision and for the present tiles of the set."""
        manifest = self._current_manifest()
        if manifest.revisions.get(path.layer, {}).get(path.year) != revision:
            return None
        if manifest.grids.get(tile_matrix_set.id) != grid_of(tile_matrix_set):
            return None
        try:
            return path.path_in(self._folder).read_bytes()
        except OSError:
            return None  # no date has a pixel in the tile, or the file is not written yet

    def _current_manifest(self) -> Manifest:
        """Return the present manifest; an empty one if there is none."""
        try:
            status = os.stat(self._manifest)  # noqa: PTH116 -- building a `Path` takes longer
        except OSError:
            return Manifest()
        state = fingerprint_of(status)
        with self._lock:
            if state != self._manifest_state:
                self._last_manifest, self._manifest_state = read_manifest(self._folder), state
            return self._last_manifest


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder; an empty one if it is missing or invalid."""
    try:
        document = orjson.loads((folder / MANIFEST).read_bytes())
        if (document["format"], document["version"]) != (FORMAT, VERSION):
            return Manifest()
        layers = document["layers"].items()
        return Manifest(
            revisions={layer: {int(year): rev for year, rev in years.items()} for layer, years in layers},
            grids={str(name): str(grid) for name, grid in document["tile_matrix_sets"].items()},
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # the file is missing or edited by hand
        return Manifest()


def manifest_of(cubes: Manifest) -> bytes:
    """Return the contents of the manifest's file."""
    layers = {
        layer: {str(year): revision for year, revision in years.items()} for layer, years in cubes.revisions.items()
    }
    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, "layers": layers, "tile_matrix_sets": cubes.grids}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)


@lru_cache(maxsize=64)
def grid_of(tile_matrix_set: TileMatrixSet) -> str:
    """Return a short text that changes if tiles of the set get another position or other pixels."""
    return blake2b(repr((tile_matrix_set.crs.name, tile_matrix_set.matrices)).encode(), digest_size=12).hexdigest()


def times_of_year(year: int) -> TimeSelection:
    """Return the selection of a calendar year."""
    return parse_time(f"{year:04}")


def whole_year(layer: Layer, indexes: tuple[int, ...], *, now: Instant) -> int | None:
    """Return the year whose times are exactly these, or `None`."""
    if not indexes or len(layer.times) == 0:
        return None
    ends = (layer.times.instants[index] for index in (indexes[-1], indexes[0]))
    years = dict.fromkeys(int(str(end.astype("datetime64[Y]"))) for end in ends)
    of_years = {year: matching_times(layer, times_of_year(year), now=now).indexes for year in years}
    return next((year for year, times in of_years.items() if times == indexes), None)


log = logging.getLogger(__name__)

SMALL_BYTES = 64 << 10
"""Smaller cubes, such as the many with one date, are cached like pictures."""


class CubeTileCache:
    """Cache of cubes. Each is made once, even if several clients request it at the same time.

    Args:
        payloads: Cache of small cubes, and of all if there is no folder.
        files: Cache of the others.
        written: Prebuilt cubes of past years.
    """

    def __init__(
        self, payloads: ByteCache[bytes], files: DiskCache | None = None, written: PrebuiltCubeTiles | None = None
    ) -> None:
        self.written = written
        self._payloads = payloads
        self._files = files
        self._making: ByteCache[bytes] = ByteCache(0, len)
        self._is_off = False
        self._hits = 0
        self._misses = 0

    def get(self, etag: str) -> bytes | None:
        """Return a cube if it is cached."""
        body = self._payloads.get(etag)
        if body is None and self._files is not None:
            body = self._files.read(etag)
            self._hits += body is not None
        return body

    def get_or_make(self, etag: str, make: Callable[[], bytes], *, is_active: IsActive) -> bytes:
        """Return a cube, made by `make` if it is not cached.

        Args:
            etag: The key of the cube.
            make: Raises `ClientGone` if its client has left; another request whose client still waits then makes the
                cube. Other errors are raised in all requests that wait for it.
            is_active: Whether the client still waits.
        """
        return self._making.get_or_make(etag, lambda: self._get_or_make(etag, make), is_active=is_active)

    @property
    def state(self) -> CacheState:
        """Size of the folder, which all processes share, and the hits and misses of this process."""
        entries, size = (0, 0) if self._files is None else self._files.usage()
        max_bytes = 0 if self._files is None else self._files.max_bytes
        return CacheState(size, max_bytes, entries, self._hits, self._misses)

    def _get_or_make(self, etag: str, make: Callable[[], bytes]) -> bytes:
        body = self.get(etag)  # another process may have made the tile while this one waited
        if body is not None:
            return body
        self._misses += 1
        body = make()
        if self._files is None or self._is_off or len(body) <= SMALL_BYTES:
            return self._payloads.get_or_make(etag, lambda: body)
        try:
            with self._files.sole_builder() as is_sole:
                if is_sole:
                    self._files.put(etag, body)
        except OSError as error:
            log.warning("cubes are no longer cached: their folder cannot be written (%s)", error.strerror)
            self._is_off = True
        return body
