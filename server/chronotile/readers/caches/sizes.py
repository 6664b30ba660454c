"""How much the readers of an archive may keep, and the state of a cache."""

from dataclasses import dataclass

USUAL_BYTES = 128 << 20

ARRAYS_PART = 4
"""Beside rasters: a chunk of Zarr (zstd) is decoded in a quarter of the time of a block of TIFF (deflate)."""


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a cache holds and did, for metrics; `None` of what a library does not say."""

    bytes: int | None
    max_bytes: int
    entries: int | None = None
    hits: int | None = None
    misses: int | None = None


@dataclass(slots=True)
class CacheSizes:
    """The budget of caches: a quarter of Zarr arrays where there are any, the rest of rasters."""

    bytes: int = USUAL_BYTES
    has_arrays: bool = False

    @property
    def array_bytes(self) -> int:
        """Decoded chunks of Zarr arrays, all stores together."""
        return self.bytes // ARRAYS_PART

    @property
    def raster_bytes(self) -> int:
        """Decoded blocks of raster files and what it takes to keep files open, all files together."""
        return self.bytes - (self.array_bytes if self.has_arrays else 0)
