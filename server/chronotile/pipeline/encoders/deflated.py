"""The fastest library there is for deflate (RFC 1950): all of them give the same format.

What ISA-L gives unpacks to the same bytes each time, but is not always the same itself: of matches as long it takes
now this, now that (once in 20,000 tiles, seen in an hour of the soak).
"""

import zlib

try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for the platform: slower
    deflate = zlib  # type: ignore[misc]  # both have what is used of them

__all__ = ["deflate"]
