"""Checksums as STAC writes them (`file:checksum`): multihashes, which name their hash function."""

from dataclasses import dataclass

_FUNCTIONS = {
    "1114": ("sha-1", 40),
    "1220": ("sha-256", 64),
    "1340": ("sha-512", 128),
    "1620": ("sha3-256", 64),
    "1e20": ("blake3", 64),
    "d50110": ("md5", 32),
}
"""Name of the hash function and number of hexadecimal digits, by multihash prefix (function code and length)."""


@dataclass(frozen=True, slots=True)
class Checksum:
    """A checksum of a file."""

    function: str
    """`sha-256`, `sha-512`, `sha-1`, `md5`, `sha3-256` or `blake3`."""
    digits: str
    """Hexadecimal, in lower case."""


def checksum_of(multihash: object) -> Checksum | None:
    """Return the checksum in a multihash; `None` if it is not valid or has another hash function."""
    text = multihash.lower() if isinstance(multihash, str) else ""
    for start, (function, count) in _FUNCTIONS.items():
        digits = text.removeprefix(start)
        if text.startswith(start) and len(digits) == count and all(digit in "0123456789abcdef" for digit in digits):
            return Checksum(function, digits)
    return None
