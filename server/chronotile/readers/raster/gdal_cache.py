"""The size of GDAL's cache of decoded blocks.

GDAL has one for the whole process: this module alone sets its size, to the sum of what the
pools of open files leave to it.
"""

import threading
from weakref import WeakKeyDictionary

from rasterio.env import set_gdal_config

UNSHARED_BYTES = 16 << 20
"""While no pool keeps files open; GDAL itself would take a twentieth of the machine's memory."""

_parts: WeakKeyDictionary[object, int] = WeakKeyDictionary()
"""Bytes by pool, as long as that is there."""
_lock = threading.Lock()


def set_part(pool: object, size: int) -> None:
    """Let GDAL keep `size` bytes of blocks for a pool, beside those for others."""
    with _lock:
        _parts[pool] = size
        # Not an option of a context, which at its end would set the cache back to a share of the whole memory.
        set_gdal_config("GDAL_CACHEMAX", sum(_parts.values()) or UNSHARED_BYTES)
