"""The fastest available library for deflate (RFC 1950).

The output of ISA-L always unpacks to the same bytes, but may itself differ between two calls: of two matches of equal
length it takes either one (once in 20,000 tiles, in an hour of the soak test).
"""

import zlib

try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for the platform: slower
    deflate = zlib  # type: ignore[misc]  # both have the functions that are used

__all__ = ["deflate"]
