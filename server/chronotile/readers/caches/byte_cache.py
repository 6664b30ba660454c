"""A cache bounded in bytes that makes each thing once, however many request it at the same time."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from chronotile.core.errors import ClientGone
from chronotile.readers.flights import Flights

# How much the readers of an archive may keep, and the state of a cache.

USUAL_BYTES = 128 << 20

ARRAYS_PART = 4
"""Beside rasters: a chunk of Zarr (zstd) is decoded in a quarter of the time of a block of TIFF (deflate)."""


@dataclass(frozen=True, slots=True)
class CacheState:
    """What a cache holds and did, for metrics; `None` of what a library does not say."""

    bytes: int | None
    max_bytes: int
    entries: int | None = None
    hits: int | None = None
    misses: int | None = None


@dataclass(slots=True)
class CacheSizes:
    """The budget of caches: a quarter of Zarr arrays where there are any, the rest of rasters."""

    bytes: int = USUAL_BYTES
    has_arrays: bool = False

    @property
    def array_bytes(self) -> int:
        """Decoded chunks of Zarr arrays, all stores together."""
        return self.bytes // ARRAYS_PART

    @property
    def raster_bytes(self) -> int:
        """Decoded blocks of raster files and what it takes to keep files open, all files together."""
        return self.bytes - (self.array_bytes if self.has_arrays else 0)


Value = TypeVar("Value")

LARGEST_SHARE = 8


class ByteCache(Generic[Value]):
    """Keeps what was used last, up to `max_bytes`; may be used by several threads.

    Args:
        max_bytes: The size of the cache; with 0 nothing is cached, but things requested at once are still made once.
        size_of: Bytes that a value takes.
        largest_share: What takes more than this part is not cached: it would push too much else out.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int], *, largest_share: int = LARGEST_SHARE) -> None:
        self._max_bytes, self._size_of, self._largest_share = max_bytes, size_of, largest_share
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._flights = Flights[Hashable, Value]()
        self._bytes = 0
        self._hits = 0
        self._misses = 0
        self._lock = threading.Lock()

    def get_or_make(
        self, key: Hashable, make: Callable[[], Value], *, is_active: Callable[[], bool] | None = None
    ) -> Value:
        """Return the value of `key`, made by `make` if it is not there.

        Args:
            key: By which it is known.
            make: An error of it goes to all who wait for it, and nothing is cached.
            is_active: Where `make` raises `ClientGone` if no client waits for it any more: whether the own client is.
                Then it is made for that one.
        """
        while True:
            try:
                return self._get_or_make(key, make)
            except ClientGone:
                if is_active is None or not is_active():
                    raise

    def _get_or_make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                return self._used(key)
            self._misses += 1
        return self._flights.share(key, partial(self._make, key, make))

    def _make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:  # another thread has made it since
                return self._values[key]
        value = make()
        with self._lock:
            self._keep(key, value)
        return value

    def get(self, key: Hashable) -> Value | None:
        """Return the value of `key` if it is there."""
        with self._lock:
            return self._used(key) if key in self._values else None

    def has_room_for(self, size: int) -> bool:
        """Return whether a value of so many bytes is cached."""
        return size <= self._max_bytes // self._largest_share

    def clear(self) -> None:
        """Empty the cache."""
        with self._lock:
            self._values.clear()
            self._bytes = 0

    @property
    def state(self) -> CacheState:
        """What the cache holds now, and has done since it was made."""
        with self._lock:
            return CacheState(self._bytes, self._max_bytes, len(self._values), self._hits, self._misses)

    def _used(self, key: Hashable) -> Value:
        self._values.move_to_end(key)
        self._hits += 1
        return self._values[key]

    def _keep(self, key: Hashable, value: Value) -> None:
        size = self._size_of(value)
        if not self.has_room_for(size):
            return
        self._values[key] = value
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, oldest = self._values.popitem(last=False)
            self._bytes -= self._size_of(oldest)
