"""Time axes that clients of a live Zarr store have, so that an index never silently refers to another date.

A request for a chunk contains an index, and no revision of the store. So each description of a store uses one of a few
encodings of chunk keys. Every axis that is served with an encoding continues all earlier axes of the encoding. Another
axis, for example after the last date was removed, is served with another encoding (docs/design/zarr.md).
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from time import time

import numpy as np
import orjson

from chronotile.core.model.types import Int64Array
from chronotile.readers.caches.records import Records, RecordsInMemory

MAX_AXES = 2000
"""Maximum number of stored axes; those that were served longest ago are removed."""
KEPT_S = 86_400.0
"""Minimum time after which another axis may take over an encoding."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class TimeAxis:
    """The dates of the indexes of a store, and its other metadata."""

    layout: str
    starts: Int64Array
    """(time,) in nanoseconds."""

    def continues(self, other: "TimeAxis") -> bool:
        """Return whether this axis has all dates of another at the same indexes; it may have later dates too."""
        return self.layout == other.layout and bool(np.array_equal(self.starts[: other.starts.size], other.starts))

    def agrees_at(self, other: "TimeAxis", indexes: range) -> bool:
        """Return whether the dates at those of the indexes that this axis has are equal in another axis."""
        starts, other_starts = (axis.starts[indexes.start : indexes.stop] for axis in (self, other))
        return self.layout == other.layout and bool(np.array_equal(starts, other_starts[: starts.size]))


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """A stored axis that was served to clients."""

    name: str
    encoding: int
    hour: int
    """Approximate time at which it was last served, in hours since 1970."""
    axis: TimeAxis


class ServedAxes:
    """The axes that one process, or all workers of a server, served since the start.

    Args:
        records: Store of the axes; `None` for the memory of one process.
        encodings: Number of encodings of chunk keys.
        clock: Returns seconds since 1970.
    """

    def __init__(
        self, records: Records | None = None, *, encodings: int = 3, clock: Callable[[], float] = time
    ) -> None:
        self._records = records or RecordsInMemory()
        self._encodings = encodings
        self._clock = clock
        self._cached: dict[str, _Served] = {}

    def give(self, layer: str, axis: TimeAxis) -> int | None:
        """Return the encoding with which an axis is served, and store the axis.

        Returns:
            The number of an encoding. `None` if clients of each encoding have an axis that this one does not continue,
            or if the axis cannot be stored, so that later axes could not be compared with it.
        """
        served = self._served_axes(layer)
        for encoding in range(self._encodings):
            same_encoding = [item for item in served if item.encoding == encoding]
            # A shorter axis does not continue a longer one, as clients of the longer one expect another last chunk.
            if all(axis.continues(item.axis) for item in same_encoding):
                return encoding if self._remember(layer, encoding, axis, same_encoding) else None
        last_hours = [max(item.hour for item in served if item.encoding == number) for number in range(self._encodings)]
        oldest = int(np.argmin(last_hours))
        if self._clock() - (last_hours[oldest] + 1) * HOUR_S < KEPT_S:
            return None
        if not self._remember(layer, oldest, axis, []):
            return None
        self._forget(item for item in served if item.encoding == oldest)
        return oldest

    def means_the_same(self, layer: str, encoding: int, axis: TimeAxis, indexes: range) -> bool:
        """Return whether indexes refer to the same dates in `axis` and in all axes that an encoding was used for."""
        served = [item for item in self._served_axes(layer) if item.encoding == encoding]
        return all(item.axis.agrees_at(axis, indexes) for item in served)

    def _remember(self, layer: str, encoding: int, axis: TimeAxis, continued: Sequence[_Served]) -> bool:
        """Store an axis instead of those that it continues; return False if the disk is full or read-only."""
        hour = int(self._clock() // HOUR_S)
        digest = blake2b(axis.layout.encode() + axis.starts.tobytes(), digest_size=12).hexdigest()
        name = f"{_digest(layer)}-{encoding}-{digest}-{hour}"
        if any(item.name == name for item in continued):
            return True
        starts = base64.b64encode(axis.starts.tobytes()).decode()
        document = {"layer": layer, "encoding": encoding, "hour": hour, "layout": axis.layout, "starts": starts}
        text = orjson.dumps(document).decode()
        self._records.add(name, text)
        if self._records.read(name) != text:
            return False
        self._forget(continued)
        names = self._records.names()
        if len(names) > MAX_AXES:
            by_hour = sorted(names, key=lambda item: int(item.rsplit("-", 1)[1]))
            for old in by_hour[: len(names) - MAX_AXES]:
                self._records.remove(old)
        return True

    def _forget(self, items: Iterable[_Served]) -> None:
        for item in items:
            self._records.remove(item.name)

    def _served_axes(self, layer: str) -> list[_Served]:
        names = list(self._records.names())
        start = f"{_digest(layer)}-"
        items = [self._cached.get(name) or self._read(name) for name in names if name.startswith(start)]
        served = [item for item in items if item is not None]
        stored = set(names)
        cached = {name: item for name, item in self._cached.items() if name in stored}
        self._cached = cached | {item.name: item for item in served}  # replaced, as several threads read it
        return served

    def _read(self, name: str) -> _Served | None:
        text = self._records.read(name)
        if text is None:  # another process removed the record
            return None
        document = orjson.loads(text)
        starts = np.frombuffer(base64.b64decode(document["starts"]), dtype=np.int64)
        axis = TimeAxis(document["layout"], starts)
        return _Served(name, document["encoding"], document["hour"], axis)


def _digest(layer: str) -> str:
    return blake2b(layer.encode(), digest_size=12).hexdigest()
