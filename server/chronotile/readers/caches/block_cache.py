"""Decoded blocks that are cached for all threads and workers, each decoded once however many request it at once."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np

from chronotile.readers.caches.shared_memory import SLOT_BYTES, BytesPart, SharedBlockMemory, part_key
from chronotile.readers.caches.sizes import CacheState

LARGEST_SHARE = 8
"""A window whose blocks take more than this part of the cache is read past it: it would push too much else out."""


class BlockCache:
    """Blocks in a memory.

    Args:
        memory: Where they are.
        sharers: How many processes have that memory.
    """

    def __init__(self, memory: SharedBlockMemory, sharers: int = 1) -> None:
        self._memory = memory
        self._sharers = sharers
        self._decoding: dict[bytes, Future[BytesPart]] = {}
        self._lock = threading.Lock()
        self._hits = 0
        self._misses = 0

    @property
    def largest_window_bytes(self) -> int:
        """What the blocks of a window may take."""
        return self._memory.max_bytes // LARGEST_SHARE

    @property
    def state(self) -> CacheState:
        """The state of the cache, this process's part of a shared one, and what this process did since it began."""
        entries, size = self._memory.usage()
        return CacheState(
            size // self._sharers,
            self._memory.max_bytes // self._sharers,
            entries // self._sharers,
            self._hits,
            self._misses,
        )

    def leave(self, max_bytes: int) -> None:
        """Take no more than that of each process's memory from now on."""
        self._memory.shrink(max_bytes * self._sharers)

    def read(self, key: bytes, size: int, part: slice, decode: Callable[[], tuple[BytesPart, bool]]) -> BytesPart:
        """Return some bytes of a block.

        Args:
            key: Of the block.
            size: Bytes of the whole block.
            part: Which of them.
            decode: Gives all, and whether they may be cached. An error of it goes to all who wait for the block.
        """
        found = self.get(key, size, part)
        return self._decoded(key, decode)[part] if found is None else found

    def get(self, key: bytes, size: int, part: slice) -> BytesPart | None:
        """Return some bytes of a block that is cached.

        Args:
            key: Of the block.
            size: Bytes of the whole block.
            part: Which of them.
        """
        first, last = part.start // SLOT_BYTES, -(-part.stop // SLOT_BYTES)
        start = first * SLOT_BYTES
        parts = np.empty(min(last * SLOT_BYTES, size) - start, dtype=np.uint8)
        is_cached = all(
            self._memory.read(part_key(key, number), parts[at : at + SLOT_BYTES])
            for number, at in enumerate(range(0, parts.size, SLOT_BYTES), first)
        )
        if not is_cached:
            return None
        with self._lock:
            self._hits += 1
        return parts[part.start - start : part.stop - start]

    def has(self, key: bytes, size: int) -> bool:
        """Return whether all of a block is probably cached, without reading it."""
        return all(self._memory.has(part_key(key, number)) for number in range(-(-size // SLOT_BYTES)))

    def keep(self, key: bytes, block: BytesPart) -> None:
        """Cache a block that was decoded elsewhere."""
        for number, at in enumerate(range(0, block.size, SLOT_BYTES)):
            self._memory.write(part_key(key, number), block[at : at + SLOT_BYTES])

    def _decoded(self, key: bytes, decode: Callable[[], tuple[BytesPart, bool]]) -> BytesPart:
        with self._lock:
            self._misses += 1
            decoding = self._decoding.get(key)
            if decoding is None:
                mine = self._decoding[key] = Future()
        if decoding is not None:
            return decoding.result()
        try:
            block, may_be_cached = decode()
            if may_be_cached:
                self.keep(key, block)
        except BaseException as error:  # raised in each waiting caller too
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._decoding[key]
        mine.set_result(block)
        return block
