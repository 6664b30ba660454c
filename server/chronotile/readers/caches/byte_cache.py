"""Cache limited in bytes that makes each value once, even if several threads request it concurrently."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from chronotile.core.errors import ClientGone
from chronotile.readers.flights import Flights

# Sizes of the caches of an archive, and the state of a cache.

USUAL_BYTES = 128 << 20

ARRAYS_DIVISOR = 4
"""Arrays get less than rasters: decoding a Zarr chunk (zstd) takes a quarter of the time of a TIFF block (deflate)."""


@dataclass(frozen=True, slots=True)
class CacheState:
    """Size and use of a cache, for metrics; `None` if a library does not report it."""

    bytes: int | None
    max_bytes: int
    entries: int | None = None
    hits: int | None = None
    misses: int | None = None


@dataclass(slots=True)
class CacheSizes:
    """Sizes of the caches of decoded data: a quarter for Zarr arrays if there are any, the rest for rasters."""

    bytes: int = USUAL_BYTES
    has_arrays: bool = False

    @property
    def array_bytes(self) -> int:
        """Size for decoded chunks of all Zarr arrays."""
        return self.bytes // ARRAYS_DIVISOR

    @property
    def raster_bytes(self) -> int:
        """Size for decoded blocks and open files of all raster files."""
        return self.bytes - (self.array_bytes if self.has_arrays else 0)


Value = TypeVar("Value")

ENTRY_DIVISOR = 8


class ByteCache(Generic[Value]):
    """Cache of the most recently used values, up to `max_bytes`. Thread-safe.

    Args:
        max_bytes: Size of the cache. With 0 nothing is cached, but concurrent requests still share one computation.
        size_of: Returns the size of a value in bytes.
        entry_divisor: Values larger than `max_bytes / entry_divisor` are not cached: they would evict too many others.
    """

    def __init__(self, max_bytes: int, size_of: Callable[[Value], int], *, entry_divisor: int = ENTRY_DIVISOR) -> None:
        self._max_bytes, self._size_of, self._entry_divisor = max_bytes, size_of, entry_divisor
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._flights = Flights[Hashable, Value]()
        self._bytes = 0
        self._hits = 0
        self._misses = 0
        self._lock = threading.Lock()

    def get_or_make(
        self, key: Hashable, make: Callable[[], Value], *, is_active: Callable[[], bool] | None = None
    ) -> Value:
        """Return the value of `key`; if it is not cached, `make` makes it.

        Args:
            key: Key of the value.
            make: Its error is raised in all waiting threads, and nothing is cached.
            is_active: Whether the client of this call still waits. If `make` raises `ClientGone` because the client
                that started it has left, the value is made again for this client.
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
                return self._touch(key)
            self._misses += 1
        return self._flights.share(key, partial(self._make, key, make))

    def _make(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:  # another thread has made it
                return self._values[key]
        value = make()
        with self._lock:
            self._put(key, value)
        return value

    def get(self, key: Hashable) -> Value | None:
        """Return the value of `key`, or `None` if it is not cached."""
        with self._lock:
            return self._touch(key) if key in self._values else None

    def has_room_for(self, size: int) -> bool:
        """Return whether a value of this size is cached."""
        return size <= self._max_bytes // self._entry_divisor

    def clear(self) -> None:
        """Empty the cache."""
        with self._lock:
            self._values.clear()
            self._bytes = 0

    @property
    def state(self) -> CacheState:
        """Current size of the cache, and its use since it was created."""
        with self._lock:
            return CacheState(self._bytes, self._max_bytes, len(self._values), self._hits, self._misses)

    def _touch(self, key: Hashable) -> Value:
        self._values.move_to_end(key)
        self._hits += 1
        return self._values[key]

    def _put(self, key: Hashable, value: Value) -> None:
        size = self._size_of(value)
        if not self.has_room_for(size):
            return
        self._values[key] = value
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, oldest = self._values.popitem(last=False)
            self._bytes -= self._size_of(oldest)
