"""Cubes that were made, by ETag: small ones in the cache of payloads, the others in a folder that processes share."""

import logging
from collections.abc import Callable

from chronotile.model.cancellation import IsActive
from chronotile.pipeline.caches.prebuilt_cube_tiles import PrebuiltCubeTiles
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.caches.sizes import CacheState

log = logging.getLogger(__name__)

SMALL_BYTES = 64 << 10
"""What takes no more is cached as a picture is: those of one date, of which there are many."""


class CubeTileCache:
    """Keeps cubes, and makes each once however many request it at the same time.

    Args:
        payloads: The cache of small ones, and of all where there is no folder.
        files: Where the others are.
        written: Those of closed years that were made beforehand.
    """

    def __init__(
        self, payloads: ByteCache[bytes], files: DiskCache | None = None, written: PrebuiltCubeTiles | None = None
    ) -> None:
        self.written = written
        self._payloads = payloads
        self._files = files
        self._making: ByteCache[bytes] = ByteCache(0, len)
        self._is_off = False
        self._hits = 0
        self._misses = 0

    def get(self, etag: str) -> bytes | None:
        """Return a cube if it is there."""
        body = self._payloads.get(etag)
        if body is None and self._files is not None:
            body = self._files.read(etag)
            self._hits += body is not None
        return body

    def get_or_make(self, etag: str, make: Callable[[], bytes], *, is_active: IsActive) -> bytes:
        """Return a cube, made by `make` if it is not cached.

        Args:
            etag: The key of the cube.
            make: Raises `ClientGone` if its client has left; the next request whose client still waits then makes the
                cube. Other errors are raised in all requests that wait for it.
            is_active: Whether the client still waits.
        """
        return self._making.get_or_make(etag, lambda: self._get_or_make(etag, make), is_active=is_active)

    @property
    def state(self) -> CacheState:
        """What the folder holds now, by all processes, and what of it this one has used and made since it began."""
        entries, size = (0, 0) if self._files is None else self._files.usage()
        most = 0 if self._files is None else self._files.max_bytes
        return CacheState(size, most, entries, self._hits, self._misses)

    def _get_or_make(self, etag: str, make: Callable[[], bytes]) -> bytes:
        body = self.get(etag)  # another process may have made it while this one waited
        if body is not None:
            return body
        self._misses += 1
        body = make()
        if self._files is None or self._is_off or len(body) <= SMALL_BYTES:
            return self._payloads.get_or_make(etag, lambda: body)
        self._keep(self._files, etag, body)
        return body

    def _keep(self, files: DiskCache, etag: str, body: bytes) -> None:
        """Write a cube, unless another process writes just now; none more into a folder that cannot be written."""
        try:
            with files.sole_builder() as is_sole:
                if is_sole:
                    files.put(etag, body)
        except OSError as error:
            log.warning("cubes are no longer cached: their folder cannot be written (%s)", error.strerror)
            self._is_off = True
