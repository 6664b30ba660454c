"""Checksums of files that were read once, by place and state (docs/design/products.md)."""

import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from hashlib import blake2b, sha256
from time import time_ns

from chronotile.readers.hrefs import SETTLED_NS
from chronotile.readers.products.files import READ_BYTES, OpenFile, ProductFile

try:
    from isal.isal_zlib import crc32
except ImportError:  # no wheel for the platform: slower
    from zlib import crc32

__all__ = ["Checksums", "crc32"]

MOST = 100_000
"""Files whose checksums are remembered, the latest used of all: about 20 MB."""


@dataclass(slots=True)
class _Known:
    crc: int | None = None
    sha256: str | None = None


class Checksums:
    """Remembers checksums; any thread may use it.

    Args:
        most: Files.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def crc(self, file: ProductFile) -> int | None:
        """Return the CRC-32 of a file in its state, if it is known."""
        return self._find(file).crc

    def sha256(self, file: ProductFile) -> str | None:
        """Return the SHA-256 of a file in its state, in hexadecimal digits, if it is known."""
        return self._find(file).sha256

    def note(self, file: ProductFile, *, crc: int | None = None, digest: str | None = None) -> None:
        """Keep a checksum of a file, unless it was written so lately that its state does not tell its bytes."""
        key = _key(file)
        if key is None or time_ns() - file.state.mtime_ns < SETTLED_NS:
            return
        with self._lock:
            known = self._known.setdefault(key, _Known())
            known.crc = known.crc if crc is None else crc
            known.sha256 = known.sha256 if digest is None else digest
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)

    def find_crc(self, file: ProductFile) -> Generator[bytes, None, int]:
        """Compute the CRC-32 of a file unless it is known; yields no bytes between two parts.

        Raises:
            SourceChanged: It is not in its state any more.
            SourceUnavailable: It cannot be read now.
        """
        known = self.crc(file)
        if known is not None:
            return known
        value = 0
        with file.open() as opened:
            for start in range(0, file.size, READ_BYTES):
                value = crc32(_read(opened, file, start), value)
                yield b""
        self.note(file, crc=value)
        return value

    def find_sha256(self, file: ProductFile) -> Generator[None, None, str]:
        """Compute the SHA-256 of a file unless it is known, as `find_crc` does its CRC-32; yields nothing."""
        known = self.sha256(file)
        if known is not None:
            return known
        digest = sha256()
        with file.open() as opened:
            for start in range(0, file.size, READ_BYTES):
                digest.update(_read(opened, file, start))
                yield
        self.note(file, digest=digest.hexdigest())
        return digest.hexdigest()

    def _find(self, file: ProductFile) -> _Known:
        key = _key(file)
        with self._lock:
            if key is None or key not in self._known:
                return _Known()
            self._known.move_to_end(key)
            return self._known[key]


def _read(opened: OpenFile, file: ProductFile, start: int) -> bytes:
    return opened.read(start, min(start + READ_BYTES, file.size))


def _key(file: ProductFile) -> bytes | None:
    """What a file is remembered by; `None` where its bytes may change without a trace."""
    if file.tag is None:
        return None
    return blake2b(f"{file.href}\n{file.tag}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
