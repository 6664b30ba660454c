"""Which server or bucket an address is of."""

from urllib.parse import urlsplit


def host_of(href: str) -> str:
    """Return the host of a URL with its scheme and port, or the bucket of a store; without user and password."""
    parts = urlsplit(href)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
