"""Cache of decoded blocks, shared by the threads and workers of a server; each block is decoded once."""

import mmap
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from struct import Struct
from time import monotonic_ns

import numpy as np
from isal.isal_zlib import crc32

from chronotile.core.model.types import UInt8Array
from chronotile.readers.caches.byte_cache import CacheState
from chronotile.readers.flights import Flights

# Memory for decoded blocks, shared by processes without locks (docs/design/shared-blocks.md).

SLOT_BYTES = 64 << 10
"""Size of a part. A block of 512 x 512 bytes has four parts, and a tile mostly needs two of them."""

WAYS = 16
"""Slots per set; a part may be in any slot of the set of its key."""

KEY_BYTES = 16

_STRIDE = 0x9E3779B97F4A7C15F39CC0605CEDC835
"""Odd and of half the bits, so that keys of consecutive parts are as far apart as any others (Knuth, TAOCP 6.4)."""
_ALL_BITS = (1 << 8 * KEY_BYTES) - 1

_HEADER = Struct("<16sIIq")
"""Key, checksum of key and part, length, and time of the last use (CLOCK_MONOTONIC, which all processes share)."""
_USED = Struct("<q")
_USED_AT = _HEADER.size - _USED.size
_EMPTY = bytes(_HEADER.size)


class SharedBlockMemory:
    """Fixed memory for parts of blocks, shared by processes without locks (docs/design/shared-blocks.md).

    The memory is a table of sets with `WAYS` slots. The key of a part selects its set, and a new part replaces the
    least recently used part. Any number of threads and processes read and write concurrently. A reader copies a part
    and accepts the copy only if its checksum matches key and content. A part that is being written, was left incomplete
    by a killed process or was replaced during the copy fails this check and counts as missing.

    Args:
        max_bytes: Size of the memory; if it is too small for one set, nothing is cached.
        descriptor: File of this size that other processes map, too; `None` for memory of this process.
    """

    def __init__(self, max_bytes: int, descriptor: int | None = None) -> None:
        # Headers take whole pages, so one page is reserved for their padding.
        self._sets = max(0, max_bytes - mmap.ALLOCATIONGRANULARITY) // (WAYS * (SLOT_BYTES + _HEADER.size))
        self._ways = WAYS
        self._slots_at = -(-self._sets * WAYS * _HEADER.size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        size = self._slots_at + self._sets * WAYS * SLOT_BYTES
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, max(size, 1))
        self._bytes = np.frombuffer(self._memory, dtype=np.uint8)

    @property
    def max_bytes(self) -> int:
        """Largest total size of parts."""
        return self._sets * self._ways * SLOT_BYTES

    def usage(self) -> tuple[int, int]:
        """Return the number of cached parts and the bytes they take."""
        size = self._sets * WAYS * _HEADER.size
        fields = np.frombuffer(self._memory[:size], dtype=np.uint32).reshape(self._sets, WAYS, _HEADER.size // 4)
        sizes = fields[:, : self._ways, KEY_BYTES // 4 + 1]
        return int(np.count_nonzero(sizes)), int(sizes.sum(dtype=np.int64))

    def read(self, key: bytes, part: UInt8Array) -> bool:
        """Copy a part of exactly `part.size` bytes into `part`; return whether it was cached (else it is undefined)."""
        if not self._sets:
            return False
        number, row = self._row(key)
        at = row.find(key)
        if at < 0 or at % _HEADER.size:
            return False
        _key, checksum, length, _used = _HEADER.unpack_from(row, at)
        if length != part.size:
            return False
        start = self._slot_at(number, at // _HEADER.size)
        np.copyto(part, self._bytes[start : start + length])
        if crc32(part, crc32(key)) != checksum:
            return False
        _USED.pack_into(self._memory, self._row_at(number) + at + _USED_AT, monotonic_ns())
        return True

    def has(self, key: bytes) -> bool:
        """Return whether a part is probably cached under a key; only `read` verifies its content."""
        if not self._sets:
            return False
        at = self._row(key)[1].find(key)
        return at >= 0 and not at % _HEADER.size

    def write(self, key: bytes, part: UInt8Array) -> None:
        """Store a part of at most `SLOT_BYTES`; it replaces the least recently used part of its set."""
        if not self._sets:
            return
        number, row = self._row(key)
        same = row.find(key)
        used = np.frombuffer(row, dtype=np.int64).reshape(self._ways, -1)[:, -1]
        way = same // _HEADER.size if same >= 0 else int(used.argmin())
        header_at, start = self._row_at(number) + way * _HEADER.size, self._slot_at(number, way)
        # Clear the header first: a reader then seldom needs the checksum to notice that the content changes.
        self._memory[header_at : header_at + _HEADER.size] = _EMPTY
        np.copyto(self._bytes[start : start + part.size], part)
        _HEADER.pack_into(self._memory, header_at, key, crc32(part, crc32(key)), part.size, monotonic_ns())

    def shrink(self, max_bytes: int) -> None:
        """Reduce the memory, and return the rest to the operating system."""
        ways = min(self._ways, max_bytes // max(1, self._sets * SLOT_BYTES))
        if ways >= self._ways or ways < 1:
            return
        start, stop = self._slot_at(0, ways), self._slot_at(0, self._ways)
        self._ways = ways
        if hasattr(mmap, "MADV_REMOVE"):
            with suppress(OSError):  # memory that the system cannot take back stays unused
                self._memory.madvise(mmap.MADV_REMOVE, start, stop - start)

    def _row(self, key: bytes) -> tuple[int, bytes]:
        """The number of the set of a key, and a copy of its headers."""
        number = int.from_bytes(key[:8], "little") % self._sets
        start = self._row_at(number)
        return number, self._memory[start : start + self._ways * _HEADER.size]

    def _row_at(self, number: int) -> int:
        return number * WAYS * _HEADER.size

    def _slot_at(self, number: int, way: int) -> int:
        # Slots of one way are adjacent, so that the memory of a way can be returned.
        return self._slots_at + (way * self._sets + number) * SLOT_BYTES


def part_key(key: bytes, number: int) -> bytes:
    """Return the key of the part with this number of a block."""
    return (int.from_bytes(key, "little") + number * _STRIDE & _ALL_BITS).to_bytes(KEY_BYTES, "little")


def shareable_memory(max_bytes: int) -> int | None:
    """Return a descriptor of memory that child processes can map, or `None` if the system does not support it.

    Pages are allocated when they are first written.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create("chronotile-blocks")
        os.ftruncate(descriptor, max(max_bytes, 1))
    except OSError:
        return None
    return descriptor


WINDOW_DIVISOR = 8
"""A window whose blocks take more than 1/8 of the cache bypasses it: it would evict too many other blocks."""


class BlockCache:
    """Cache of decoded blocks in a memory. Thread-safe.

    Threads that need the same missing block wait for one decode.

    Args:
        memory: Memory for the blocks.
        sharers: Number of processes that share the memory.
    """

    def __init__(self, memory: SharedBlockMemory, sharers: int = 1) -> None:
        self._memory, self._sharers = memory, sharers
        self._flights = Flights[bytes, UInt8Array]()
        self._lock = threading.Lock()
        self._hits = 0
        self._misses = 0

    @property
    def largest_window_bytes(self) -> int:
        """Largest total size of the blocks of a window that is cached."""
        return self._memory.max_bytes // WINDOW_DIVISOR

    @property
    def state(self) -> CacheState:
        """Size and use of the cache; of a shared memory, the fraction of one process."""
        entries, size = self._memory.usage()
        return CacheState(
            size // self._sharers,
            self._memory.max_bytes // self._sharers,
            entries // self._sharers,
            self._hits,
            self._misses,
        )

    def shrink(self, max_bytes: int) -> None:
        """Reduce the memory of each process to `max_bytes`."""
        self._memory.shrink(max_bytes * self._sharers)

    def read(self, key: bytes, size: int, part: slice, decode: Callable[[], tuple[UInt8Array, bool]]) -> UInt8Array:
        """Return some bytes of a block, which is decoded if it is not cached.

        Args:
            key: Key of the block.
            size: Size of the whole block in bytes.
            part: The requested bytes.
            decode: Returns the whole block, and whether it may be cached. All callers that wait for the block get its
                error.
        """
        cached = self.get(key, size, part)
        return self._decode(key, decode)[part] if cached is None else cached

    def get(self, key: bytes, size: int, part: slice) -> UInt8Array | None:
        """Return some bytes of a block, or `None` if the block is not cached.

        Args:
            key: Key of the block.
            size: Size of the whole block in bytes.
            part: The requested bytes.
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
        """Return whether a whole block is probably cached, without reading it."""
        return all(self._memory.has(part_key(key, number)) for number in range(-(-size // SLOT_BYTES)))

    def put(self, key: bytes, block: UInt8Array) -> None:
        """Cache a block that the caller has decoded."""
        for number, at in enumerate(range(0, block.size, SLOT_BYTES)):
            self._memory.write(part_key(key, number), block[at : at + SLOT_BYTES])

    def _decode(self, key: bytes, decode: Callable[[], tuple[UInt8Array, bool]]) -> UInt8Array:
        with self._lock:
            self._misses += 1

        def work() -> UInt8Array:
            block, may_be_cached = decode()
            if may_be_cached:
                self.put(key, block)
            return block

        return self._flights.share(key, work)
