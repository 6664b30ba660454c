"""Cache of checksums of files, by URL and fingerprint (docs/design/products.md)."""

import threading
from collections import OrderedDict
from collections.abc import Generator
from dataclasses import dataclass
from hashlib import blake2b, sha256
from time import time_ns

from chronotile.readers.file_states import SETTLED_NS
from chronotile.readers.products.files import READ_BYTES, OpenProductFile, ProductFile

try:
    from isal.isal_zlib import crc32
except ImportError:  # the platform has no wheel; zlib is slower
    from zlib import crc32

__all__ = ["Checksums", "crc32"]

MAX_FILES = 100_000
"""Cached files, about 20 MB; the least recently used is dropped first."""


@dataclass(slots=True)
class _FileChecksums:
    crc: int | None = None
    sha256: str | None = None


class Checksums:
    """Thread-safe cache of checksums.

    Args:
        max_files: Number of files whose checksums are cached.
    """

    def __init__(self, max_files: int = MAX_FILES) -> None:
        self._max_files = max_files
        self._files: OrderedDict[bytes, _FileChecksums] = OrderedDict()
        self._lock = threading.Lock()

    def crc(self, file: ProductFile) -> int | None:
        """Return the CRC-32 of a file if it is cached."""
        return self._find(file).crc

    def sha256(self, file: ProductFile) -> str | None:
        """Return the SHA-256 of a file as hexadecimal digits if it is cached."""
        return self._find(file).sha256

    def note(self, file: ProductFile, *, crc: int | None = None, digest: str | None = None) -> None:
        """Cache a checksum. Files written within `SETTLED_NS` are ignored: their fingerprint may miss a change."""
        key = _key(file)
        if key is None or time_ns() - file.state.mtime_ns < SETTLED_NS:
            return
        with self._lock:
            checksums = self._files.setdefault(key, _FileChecksums())
            checksums.crc = checksums.crc if crc is None else crc
            checksums.sha256 = checksums.sha256 if digest is None else digest
            self._files.move_to_end(key)
            while len(self._files) > self._max_files:
                self._files.popitem(last=False)

    def find_crc(self, file: ProductFile) -> Generator[bytes, None, int]:
        """Return the cached CRC-32 of a file, or compute it; yields `b""` after each part, for streaming responses.

        Raises:
            SourceChanged: The file has changed.
            SourceUnavailable: The file cannot be read now.
        """
        cached = self.crc(file)
        if cached is not None:
            return cached
        value = 0
        with file.open() as opened:
            for start in range(0, file.size, READ_BYTES):
                value = crc32(_read(opened, file, start), value)
                yield b""
        self.note(file, crc=value)
        return value

    def find_sha256(self, file: ProductFile) -> Generator[None, None, str]:
        """Return the cached SHA-256 of a file as hexadecimal digits, or compute it; yields after each part."""
        cached = self.sha256(file)
        if cached is not None:
            return cached
        digest = sha256()
        with file.open() as opened:
            for start in range(0, file.size, READ_BYTES):
                digest.update(_read(opened, file, start))
                yield
        self.note(file, digest=digest.hexdigest())
        return digest.hexdigest()

    def _find(self, file: ProductFile) -> _FileChecksums:
        key = _key(file)
        with self._lock:
            if key is None or key not in self._files:
                return _FileChecksums()
            self._files.move_to_end(key)
            return self._files[key]


def _read(opened: OpenProductFile, file: ProductFile, start: int) -> bytes:
    return opened.read(start, min(start + READ_BYTES, file.size))


def _key(file: ProductFile) -> bytes | None:
    """Cache key of a file; `None` if its bytes may change without a new fingerprint."""
    if file.tag is None:
        return None
    return blake2b(f"{file.href}\n{file.tag}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
