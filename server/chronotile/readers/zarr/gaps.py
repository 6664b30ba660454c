"""Chunks that a Zarr store elsewhere lacks: their cells have the fill value only while its server answers 404.

tensorstore also takes 204, 304 and 412 for an answer that there is no such chunk, and keeps what it found for as long
as an array is open. So each file that it takes for missing is requested once more here, and again while it is used.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from time import monotonic
from typing import NamedTuple

from chronotile.readers.remote.requests import (
    REQUEST_S,
    Away,
    ObjectState,
    ask_whether,
    place_of,
    read_deadline,
    retry,
)

KEPT_S = 10.0
"""How long a file is taken for missing before it is requested again."""
ASKED_AT_ONCE = 16
LOOKED_AT_ONCE = 8
"""Missing files of a store that are requested every `KEPT_S`, though what was made of them may be in a cache."""
MOST_KNOWN = 8192
"""Files of a store that are known to be missing; past it, those requested longest ago are forgotten."""
MOST_STORES = 1024
HASH_BITS = 64


class ChunkFile(NamedTuple):
    """A file of a store elsewhere: a chunk, or a shard of several."""

    href: str
    is_shard: bool


class _Known(NamedTuple):
    asked_s: float
    state: ObjectState | None
    """`None` where it is missing; a shard that is there may lack chunks."""
    since_s: float
    """When it was first seen in this state."""


class Gaps:
    """The files of one store in which tensorstore found no chunk."""

    def __init__(self) -> None:
        self.filled = 0
        """A sum over the files that were missing and were found there later, whatever their order and age; 0: none."""
        self._known: OrderedDict[ChunkFile, _Known] = OrderedDict()
        """In the order in which they were requested."""
        self._looked_s = monotonic()
        self._lock = threading.Lock()

    def were_filled(self, files: Collection[ChunkFile], opened_s: float) -> bool:
        """Return whether any of the files was written since the array was opened that found no chunk in it.

        Args:
            files: In which a chunk is missing.
            opened_s: When the array was opened, by the clock `monotonic`.

        Raises:
            Away: It is not known of one whether it is there.
        """
        now_s = monotonic()
        with self._lock:
            known = {each: self._known[each] for each in files if each in self._known}
        due = [each for each in files if each not in known or now_s - known[each].asked_s >= KEPT_S]
        known |= self._ask(due, read_deadline())
        there = [(file, each) for file, each in known.items() if each.state is not None]
        if any(each.since_s >= opened_s for _file, each in there):
            return True
        if any(not file.is_shard for file, _each in there):
            raise Away("its server answers without content for a chunk that is there")
        return False

    def look(self) -> None:
        """Request a few of the files again, those first that were requested longest ago; at most every `KEPT_S`."""
        now_s = monotonic()
        with self._lock:
            if now_s - self._looked_s < KEPT_S:
                return
            self._looked_s = now_s
            due = (
                file
                for file, each in self._known.items()
                if now_s - each.asked_s >= KEPT_S and (file.is_shard or each.state is None)
            )
            files = list(islice(due, LOOKED_AT_ONCE))
        with suppress(OSError):  # a read reports it
            self._ask(files, now_s + 2 * REQUEST_S)

    def _ask(self, files: Collection[ChunkFile], deadline: float | None) -> dict[ChunkFile, _Known]:
        """What is known of the files now.

        Raises:
            Away: Of one it cannot be found out.
        """
        if not files:
            return {}

        def ask(file: ChunkFile) -> _Known:
            place = place_of(file.href)
            return self._note(file, retry(lambda: ask_whether(place, in_parts=file.is_shard), deadline))

        with ThreadPoolExecutor(min(ASKED_AT_ONCE, len(files))) as threads:
            return dict(zip(files, threads.map(ask, files), strict=True))

    def _note(self, file: ChunkFile, state: ObjectState | None) -> _Known:
        now_s = monotonic()
        with self._lock:
            known = self._known.pop(file, None)
            is_same = known is not None and known.state == state
            found = _Known(now_s, state, known.since_s if known is not None and is_same else now_s)
            self._known[file] = found
            is_news = not is_same and (known is not None or not file.is_shard)
            if state is not None and is_news:
                self.filled = (self.filled + _hash_of(file, state)) % (1 << HASH_BITS)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return found


def _hash_of(file: ChunkFile, state: ObjectState) -> int:
    return int.from_bytes(blake2b(repr((file, state)).encode(), digest_size=HASH_BITS // 8).digest())


@lru_cache(maxsize=MOST_STORES)
def gaps_of(document: str) -> Gaps:  # noqa: ARG001 -- it is the key
    """Return what this process knows of the store with this document of metadata."""
    return Gaps()
