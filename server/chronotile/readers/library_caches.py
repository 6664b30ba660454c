"""State of the caches that libraries have in this process, within limits that the server sets."""

import ctypes
from functools import cache

import rasterio._env
import tensorstore

from chronotile.readers.caches.byte_cache import CacheState
from chronotile.readers.raster.pool import HANDLE_BYTES, MAX_IDLE_HANDLES
from chronotile.readers.reader_caches import ReaderCaches

_COUNTERS = "/tensorstore/cache/"


def library_caches(caches: ReaderCaches) -> dict[str, CacheState]:
    """Return the cache states of open files (`files`), GDAL blocks (`gdal`) and decoded Zarr chunks (`chunks`).

    tensorstore does not report the bytes it stores: the size is unknown until it has evicted a chunk, and its limit
    afterwards. The numbers of GDAL and the counts of tensorstore belong to the whole process.
    """
    idle = caches.files.idle_count
    files = CacheState(idle * HANDLE_BYTES, MAX_IDLE_HANDLES * HANDLE_BYTES, idle)
    states = {"files": files, "gdal": CacheState(*_gdal_bytes())}
    if caches.sizes.has_arrays:
        states["chunks"] = _chunks(caches.sizes.array_bytes)
    return states


def _chunks(max_bytes: int) -> CacheState:
    metrics = {m["name"]: m["values"] for m in tensorstore.experimental_collect_matching_metrics(_COUNTERS)}

    def count(name: str) -> int:
        return sum(int(value["value"]) for value in metrics.get(f"{_COUNTERS}{name}", ()))

    hits, misses, evicted = count("hit_count"), count("miss_count"), count("evict_count")
    return CacheState(max_bytes if evicted else None, max_bytes, misses - evicted, hits, misses)


def _gdal_bytes() -> tuple[int, int]:
    # Current and largest size of GDAL's cache of blocks.
    return _gdal().GDALGetCacheUsed64(), _gdal().GDALGetCacheMax64()


@cache
def _gdal() -> ctypes.CDLL:
    """The GDAL that rasterio's modules are linked with; rasterio has no function for these numbers."""
    library = ctypes.CDLL(rasterio._env.__file__)  # noqa: SLF001 -- the library that rasterio loaded
    for function in (library.GDALGetCacheUsed64, library.GDALGetCacheMax64):
        function.argtypes = []
        function.restype = ctypes.c_int64
    return library
