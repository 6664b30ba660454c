"""The size of GDAL's cache of decoded blocks.

GDAL has one cache per process. Only this module sets its size, to the sum of the bytes that the handle pools reserve.
"""

import threading
from weakref import WeakKeyDictionary

from rasterio.env import set_gdal_config

UNSHARED_BYTES = 16 << 20
"""Size if no pool reserves any; GDAL's default is a twentieth of the machine's memory."""

_reserved: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""Reserved bytes by pool, until the pool is collected."""
_lock = threading.Lock()


def reserve_gdal_cache(pool: object, size: int) -> None:
    """Set the bytes of GDAL's cache that are for the blocks of a pool."""
    with _lock:
        _reserved[pool] = size
        # An option of a context would reset the cache at its end to a fraction of the machine's memory.
        set_gdal_config("GDAL_CACHEMAX", sum(_reserved.values()) or UNSHARED_BYTES)
