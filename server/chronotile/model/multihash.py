"""Checksums as STAC writes them (`file:checksum`): multihashes, of which the function is part."""

from dataclasses import dataclass

_KNOWN = {
    "1114": ("sha-1", 40),
    "1220": ("sha-256", 64),
    "1340": ("sha-512", 128),
    "1620": ("sha3-256", 64),
    "1e20": ("blake3", 64),
    "d50110": ("md5", 32),
}
"""Name of the function and hexadecimal digits, by how multihashes begin: which function, and how many bytes."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum of a file."""

    function: str
    """`sha-256`, `sha-512`, `sha-1`, `md5`, `sha3-256` or `blake3`."""
    digits: str
    """Hexadecimal, in lower case."""


def checksum_of(multihash: object) -> Checksum | None:
    """Return the checksum that a multihash states; `None` of one that is not valid, or of another function."""
    text = multihash.lower() if isinstance(multihash, str) else ""
    for start, (function, count) in _KNOWN.items():
        digits = text.removeprefix(start)
        if text.startswith(start) and len(digits) == count and all(each in "0123456789abcdef" for each in digits):
            return Checksum(function, digits)
    return None
