"""The fastest library there is for deflate (RFC 1950): all of them give the same format."""

import zlib

try:
    from isal import isal_zlib as deflate
except ImportError:  # no wheel for the platform: slower
    deflate = zlib  # type: ignore[misc]  # both have what is used of them

__all__ = ["deflate"]
