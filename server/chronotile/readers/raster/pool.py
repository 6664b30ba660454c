"""A pool of open raster files, each lent to one thread at a time.

A file is opened once per concurrent reader. All handles of a file share a cache of decoded blocks. Open files,
decoded blocks and GDAL's own cache share one budget of bytes.
"""

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from rasterio.env import set_gdal_config
from rasterio.errors import NotGeoreferencedWarning

from chronotile.readers.caches.block_cache import BlockCache
from chronotile.readers.caches.byte_cache import CacheSizes
from chronotile.readers.file_states import FileState, file_state
from chronotile.readers.library_errors import BeingWritten
from chronotile.readers.raster.formats import VRT
from chronotile.readers.raster.gdal_cache import reserve_gdal_cache
from chronotile.readers.raster.handle import NATIVE_LEVEL, RasterHandle, open_handle, read_remote
from chronotile.readers.remote.gdal_plugin import gdal_files
from chronotile.readers.remote.requests import Replaced

# The server reports files without a georeference in its own messages. Filters belong to the process: one thread would
# undo the filter of another.
warnings.simplefilter("ignore", NotGeoreferencedWarning)

MAX_IDLE_HANDLES = 400
"""Maximum of idle open files in a process: daily files of a year, and less than the usual limit of 1024 files."""

MAX_SPARE_HANDLES = 12
"""Idle handles in addition to the first one of each file, for threads that read the same file concurrently."""

HANDLE_BYTES = 96 << 10
"""Estimate for an open file: 20 kB of GDAL, and a buffer for a compressed block after the first read."""

MIN_BLOCK_PART = 4
"""At least the budget divided by this is for decoded blocks, however many files are open."""

GDAL_PART, MAX_GDAL_BYTES = 8, 32 << 20
"""Part of the bytes for blocks that GDAL's own cache gets, and its maximum. Each block is read from it only once, but
it must hold the blocks of all bands that several threads read concurrently."""

GDAL_PART_WITHOUT_BLOCKS = 2
"""The part if GDAL alone caches the blocks of an opened file: a remote file or a VRT."""

MAX_READS = 2
"""Attempts to read a file that is written while it is read."""

_READ_OPTIONS = {
    # Return numbers as stored (kelvin) and raise errors for damage. The server's environment may set other values.
    "GRIB_NORMALIZE_UNITS": False,
    "GTIFF_IGNORE_READ_ERRORS": False,
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
}
"""GDAL reads these options at each read. An option that is set outside of the main thread applies to one thread."""


T = TypeVar("T")


_HandleKey = tuple[str, int]


class HandlePool:
    """Lends open files by path and overview level, and opens a file again when it has changed.

    Thread-safe.

    Args:
        max_idle: Maximum of idle open files; the least recently used are closed.
        blocks: Cache of decoded blocks; `None` to cache none.
        sizes: Bytes that open files and blocks may take together.
    """

    def __init__(
        self, max_idle: int = MAX_IDLE_HANDLES, *, blocks: BlockCache | None = None, sizes: CacheSizes | None = None
    ) -> None:
        self._max_idle, self._blocks = max_idle, blocks
        self._sizes = sizes or CacheSizes()
        self._is_gdal_caching = False
        """Whether a file was opened whose blocks only GDAL caches."""
        self._idle: OrderedDict[_HandleKey, list[RasterHandle]] = OrderedDict()
        self._count = 0
        self._lock = threading.Lock()
        gdal_files()  # before any file is opened
        reserve_gdal_cache(self, 0)

    @contextmanager
    def lend(self, path: str, level: int = NATIVE_LEVEL) -> Iterator[RasterHandle]:
        """Lend the current file, opened at its native level or an overview.

        A handle that fails while it is lent is closed.

        Raises:
            OSError: The file is missing or cannot be opened.
        """
        _set_gdal_options()
        state = file_state(path)
        handle = self._take((path, level), state) or self._open(path, level, state)
        with self._using((path, level), handle):
            yield handle

    def read(self, path: str, read: Callable[[RasterHandle], T], *, level: int = NATIVE_LEVEL) -> T:
        """Return the result of `read` for one version of the file; it runs again if the file was written.

        Raises:
            BeingWritten: The file was written during the second attempt too.
            Exception: Any error of `read` if the file did not change.
        """
        for _ in range(MAX_READS):
            opened: FileState | None = None
            try:
                with self.lend(path, level) as handle:
                    opened = handle.state
                    result = read(handle)
            except Replaced:
                continue
            except Exception:  # GDAL and codecs fail in many ways at a file that is being written
                if opened is None or file_state(path) == opened:
                    raise
            else:
                if file_state(path) == opened:
                    return result
        raise BeingWritten("the file is being written")

    @contextmanager
    def _using(self, key: _HandleKey, handle: RasterHandle) -> Iterator[None]:
        """Give the handle back after the block; close it if the block fails."""
        try:
            # For a local file GDAL takes its options at opening, for a remote file at each read.
            with nullcontext() if handle.remote is None else read_remote(handle.remote, key[0]):
                yield
        except BaseException:  # a handle that failed for any reason is not lent again
            is_vrt = handle.dataset.driver == VRT
            handle.close()
            if is_vrt:
                self._close_vrts()
            raise
        self._give_back(key, handle)

    def _close_vrts(self) -> None:
        """Close idle VRTs: while one is open, GDAL does not retry a source file that failed to open."""
        with self._lock:
            paths = {path for (path, _level), idle in self._idle.items() if idle[0].dataset.driver == VRT}
        self.close(paths)

    @property
    def idle_count(self) -> int:
        """Number of idle open files."""
        return self._count

    def close(self, paths: Collection[str]) -> None:
        """Close the idle handles of these files."""
        handles: list[RasterHandle] = []
        with self._lock:
            for key in [key for key in self._idle if key[0] in paths]:
                handles += self._idle.pop(key)
            self._count -= len(handles)
        _close(handles)

    def _open(self, path: str, level: int, state: FileState) -> RasterHandle:
        handle = open_handle(path, level, state, cache=self._blocks)
        if self._blocks is not None:
            self._is_gdal_caching |= handle.blocks is None
            # The bytes for blocks are divided between GDAL's cache and `blocks`.
            total = block_bytes(self._count + 1, self._sizes)
            gdal_bytes = (
                total // GDAL_PART_WITHOUT_BLOCKS if self._is_gdal_caching else min(total // GDAL_PART, MAX_GDAL_BYTES)
            )
            reserve_gdal_cache(self, gdal_bytes)
            self._blocks.shrink(total - gdal_bytes)
        return handle

    def _take(self, key: _HandleKey, state: FileState | None) -> RasterHandle | None:
        """Return an idle handle on the current file, if one exists; handles on older versions are closed."""
        with self._lock:
            idle = self._idle.pop(key, [])
            self._count -= len(idle)
            current = [handle for handle in idle if handle.state == state]
            handle = current.pop() if current else None
            if current:
                self._idle[key] = current
                self._count += len(current)
        _close([old for old in idle if old.state != state])
        return handle

    def _give_back(self, key: _HandleKey, handle: RasterHandle) -> None:
        surplus = []
        with self._lock:
            self._idle.setdefault(key, []).append(handle)
            self._idle.move_to_end(key)
            self._count += 1
            if self._count - len(self._idle) > MAX_SPARE_HANDLES:
                surplus.append(next(idle.pop(0) for idle in self._idle.values() if len(idle) > 1))
                self._count -= 1
            while self._count > self._max_idle:
                oldest, idle = next(iter(self._idle.items()))
                surplus.append(idle.pop(0))
                self._count -= 1
                if not idle:
                    del self._idle[oldest]
        _close(surplus)


def block_bytes(handles: int, sizes: CacheSizes) -> int:
    """Return the bytes that decoded blocks may take if `handles` files are open."""
    total = sizes.raster_bytes
    return max(total - handles * HANDLE_BYTES, total // MIN_BLOCK_PART)


def _set_gdal_options() -> None:
    # At each read, in 3 µs: the end of a context with such an option removes it.
    for name, value in _READ_OPTIONS.items():
        set_gdal_config(name, value)


def _close(handles: list[RasterHandle]) -> None:
    for handle in handles:
        handle.close()
