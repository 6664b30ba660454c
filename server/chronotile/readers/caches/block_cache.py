"""Decoded blocks that are cached for all threads and workers, each decoded once however many request it at once."""

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

# Memory for decoded blocks, shared by processes that do not wait for one another (docs/design/shared-blocks.md).

SLOT_BYTES = 64 << 10
"""Of a part; a block of 512² bytes has four, of which a tile mostly needs two."""

WAYS = 16
"""Slots in which a part may lie."""

KEY_BYTES = 16

_STRIDE = 0x9E3779B97F4A7C15F39CC0605CEDC835
"""Odd, of half the bits: keys that differ by few multiples of it are as far apart as any others (Knuth, TAOCP 6.4)."""
_ALL_BITS = (1 << 8 * KEY_BYTES) - 1

_HEADER = Struct("<16sIIq")
"""Key, checksum of key and part, its length, and when it was last used: CLOCK_MONOTONIC, which all processes share."""
_USED = Struct("<q")
_USED_AT = _HEADER.size - _USED.size
_EMPTY = bytes(_HEADER.size)


class SharedBlockMemory:
    """Parts of blocks of at most `SLOT_BYTES` under keys of `KEY_BYTES`; new ones replace those not used for long.

    Any number of threads and processes read and write at once, without locks. A reader copies a part out and takes it
    only if its checksum is that of what was copied, under that key: one that is being written, was half written by a
    process that died, or was replaced meanwhile is not there.

    Args:
        max_bytes: Bytes of the memory; with too few for a part nothing is cached.
        descriptor: A file of that many bytes which others map too; `None` for memory of this process.
    """

    def __init__(self, max_bytes: int, descriptor: int | None = None) -> None:
        # Headers take whole pages: of that much is left out what they may need beyond their own bytes.
        self._sets = max(0, max_bytes - mmap.ALLOCATIONGRANULARITY) // (WAYS * (SLOT_BYTES + _HEADER.size))
        self._ways = WAYS
        self._slots_at = -(-self._sets * WAYS * _HEADER.size // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        size = self._slots_at + self._sets * WAYS * SLOT_BYTES
        self._memory = mmap.mmap(-1 if descriptor is None else descriptor, max(size, 1))
        self._bytes = np.frombuffer(self._memory, dtype=np.uint8)

    @property
    def max_bytes(self) -> int:
        """The most that parts may take."""
        return self._sets * self._ways * SLOT_BYTES

    def usage(self) -> tuple[int, int]:
        """Return how many parts are cached, and how many bytes they take."""
        size = self._sets * WAYS * _HEADER.size
        fields = np.frombuffer(self._memory[:size], dtype=np.uint32).reshape(self._sets, WAYS, _HEADER.size // 4)
        sizes = fields[:, : self._ways, KEY_BYTES // 4 + 1]
        return int(np.count_nonzero(sizes)), int(sizes.sum(dtype=np.int64))

    def read(self, key: bytes, part: UInt8Array) -> bool:
        """Copy a part of just that many bytes into `part`; return whether it was there, else anything is in it."""
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
        """Return whether there is probably a part under a key; only `read` checks that it is whole."""
        if not self._sets:
            return False
        at = self._row(key)[1].find(key)
        return at >= 0 and not at % _HEADER.size

    def write(self, key: bytes, part: UInt8Array) -> None:
        """Keep a part of at most `SLOT_BYTES` in place of the one of its set that was not used for longest."""
        if not self._sets:
            return
        number, row = self._row(key)
        same = row.find(key)
        used = np.frombuffer(row, dtype=np.int64).reshape(self._ways, -1)[:, -1]
        way = same // _HEADER.size if same >= 0 else int(used.argmin())
        header_at, start = self._row_at(number) + way * _HEADER.size, self._slot_at(number, way)
        # What was there is gone before anything of it changes: then a checksum is seldom needed to tell.
        self._memory[header_at : header_at + _HEADER.size] = _EMPTY
        np.copyto(self._bytes[start : start + part.size], part)
        _HEADER.pack_into(self._memory, header_at, key, crc32(part, crc32(key)), part.size, monotonic_ns())

    def shrink(self, max_bytes: int) -> None:
        """Take no more than that from now on, and give the memory beyond it back to the system."""
        ways = min(self._ways, max_bytes // max(1, self._sets * SLOT_BYTES))
        if ways >= self._ways or ways < 1:
            return
        start, stop = self._slot_at(0, ways), self._slot_at(0, self._ways)
        self._ways = ways
        if hasattr(mmap, "MADV_REMOVE"):
            with suppress(OSError):  # where it cannot, it is reused by nobody, and no more than it was
                self._memory.madvise(mmap.MADV_REMOVE, start, stop - start)

    def _row(self, key: bytes) -> tuple[int, bytes]:
        """The set of a key, and a copy of its headers."""
        number = int.from_bytes(key[:8], "little") % self._sets
        start = self._row_at(number)
        return number, self._memory[start : start + self._ways * _HEADER.size]

    def _row_at(self, number: int) -> int:
        return number * WAYS * _HEADER.size

    def _slot_at(self, number: int, way: int) -> int:
        # Slots of one way lie side by side, so that a way can be given back.
        return self._slots_at + (way * self._sets + number) * SLOT_BYTES


def part_key(key: bytes, number: int) -> bytes:
    """Return the key of a part of the block that has this key, another for each."""
    return (int.from_bytes(key, "little") + number * _STRIDE & _ALL_BITS).to_bytes(KEY_BYTES, "little")


def shareable_memory(max_bytes: int) -> int | None:
    """Return a descriptor of so many bytes that child processes can map; they take memory as they are written.

    `None` where there is no such thing.
    """
    if not hasattr(os, "memfd_create"):
        return None
    try:
        descriptor = os.memfd_create("chronotile-blocks")
        os.ftruncate(descriptor, max(max_bytes, 1))
    except OSError:
        return None
    return descriptor


LARGEST_SHARE = 8
"""A window whose blocks take more than this part of the cache is read past it: it would push too much else out."""


class BlockCache:
    """Blocks in a memory.

    Args:
        memory: Where they are.
        sharers: How many processes have that memory.
    """

    def __init__(self, memory: SharedBlockMemory, sharers: int = 1) -> None:
        self._memory, self._sharers = memory, sharers
        self._flights = Flights[bytes, UInt8Array]()
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

    def read(self, key: bytes, size: int, part: slice, decode: Callable[[], tuple[UInt8Array, bool]]) -> UInt8Array:
        """Return some bytes of a block.

        Args:
            key: Of the block.
            size: Bytes of the whole block.
            part: Which of them.
            decode: Gives all, and whether they may be cached. An error of it goes to all who wait for the block.
        """
        found = self.get(key, size, part)
        return self._decoded(key, decode)[part] if found is None else found

    def get(self, key: bytes, size: int, part: slice) -> UInt8Array | None:
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

    def keep(self, key: bytes, block: UInt8Array) -> None:
        """Cache a block that was decoded elsewhere."""
        for number, at in enumerate(range(0, block.size, SLOT_BYTES)):
            self._memory.write(part_key(key, number), block[at : at + SLOT_BYTES])

    def _decoded(self, key: bytes, decode: Callable[[], tuple[UInt8Array, bool]]) -> UInt8Array:
        with self._lock:
            self._misses += 1

        def work() -> UInt8Array:
            block, may_be_cached = decode()
            if may_be_cached:
                self.keep(key, block)
            return block

        return self._flights.share(key, work)
