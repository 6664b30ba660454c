"""How much the readers of this process may keep; said once, before the first source is opened."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheSizes:
    """What is kept of what was read."""

    array_bytes: int = 64 << 20
    """Decoded chunks of Zarr arrays, all stores together."""
    raster_bytes: int = 64 << 20
    """Decoded blocks of raster files, all files together."""


_said: list[CacheSizes] = []


def say_cache_sizes(sizes: CacheSizes) -> None:
    """Let the sources opened from now on keep so much; what was opened before keeps what it had."""
    _said[:] = [sizes]


def cache_sizes() -> CacheSizes:
    """Return what was said, or the usual sizes."""
    return _said[0] if _said else CacheSizes()
