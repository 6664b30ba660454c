"""What libraries keep in this process of what was read, within the bounds that we give them."""

import ctypes
from functools import cache

import rasterio._env
import tensorstore

from chronotile.readers.caches.byte_cache import CacheState
from chronotile.readers.raster.pool import HANDLE_BYTES, MAX_IDLE_HANDLES
from chronotile.readers.reader_caches import ReaderCaches

_COUNTERS = "/tensorstore/cache/"


def library_caches(caches: ReaderCaches) -> dict[str, CacheState]:
    """Return the state of each: open `files`, `gdal`'s own blocks, and decoded `chunks` of Zarr arrays.

    tensorstore does not report how many bytes it holds: no size until it has evicted a chunk, and from then on
    its bound, which it stays at. GDAL's cache and the counts of tensorstore are those of the whole process.
    """
    idle = caches.files.idle_count
    files = CacheState(idle * HANDLE_BYTES, MAX_IDLE_HANDLES * HANDLE_BYTES, idle)
    states = {"files": files, "gdal": CacheState(*_gdal_bytes())}
    if caches.sizes.has_arrays:
        states["chunks"] = _chunks(caches.sizes.array_bytes)
    return states


def _chunks(max_bytes: int) -> CacheState:
    found = {each["name"]: each["values"] for each in tensorstore.experimental_collect_matching_metrics(_COUNTERS)}

    def count(name: str) -> int:
        return sum(int(each["value"]) for each in found.get(f"{_COUNTERS}{name}", ()))

    hits, misses, evicted = count("hit_count"), count("miss_count"), count("evict_count")
    return CacheState(max_bytes if evicted else None, max_bytes, misses - evicted, hits, misses)


def _gdal_bytes() -> tuple[int, int]:
    # What GDAL's cache of blocks holds, and may hold.
    return _gdal().GDALGetCacheUsed64(), _gdal().GDALGetCacheMax64()


@cache
def _gdal() -> ctypes.CDLL:
    """The GDAL that rasterio's modules are linked with; rasterio itself offers no way to ask it."""
    library = ctypes.CDLL(rasterio._env.__file__)  # noqa: SLF001 -- the library that rasterio loaded
    for function in (library.GDALGetCacheUsed64, library.GDALGetCacheMax64):
        function.argtypes = []
        function.restype = ctypes.c_int64
    return library
