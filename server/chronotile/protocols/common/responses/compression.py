"""Which answers leave compressed."""

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES
from starlette.types import Scope

from chronotile.protocols.common.raw_headers import join_values

ACCEPT_ENCODING = b"accept-encoding"


BINARY = (
    "application/netcdf",
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/x-netcdf",
    "application/x-npy",
    "font/*",
    "image/tiff",
    "image/vnd.microsoft.icon",
)
"""Of what is served, in addition to what Starlette leaves alone: it is packed already, or must be fast."""


EXCLUDED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *BINARY)


def is_compressible(content_type: str) -> bool:
    """Return whether an answer of that type leaves compressed for clients that take that."""
    media_type = content_type.partition(";")[0].strip().lower()
    return {media_type, f"{media_type.partition('/')[0]}/*"}.isdisjoint(EXCLUDED)


def leaves_compressed(scope: Scope, content_type: str) -> bool:
    """Return whether an answer of many bytes and that type leaves compressed; `scope` is that within `Gzipped`."""
    return join_values(scope["headers"], ACCEPT_ENCODING) == b"gzip" and is_compressible(content_type)
