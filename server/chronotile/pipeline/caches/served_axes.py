"""Which time axes clients of a live Zarr store hold, so that no index silently means another date.

A request for a chunk names an index, and no state. A store is described with one of a few encodings of chunk keys. Each
axis that is given out with an encoding continues those that were given out with it before; an axis that does not, as
one that lacks their last date, is given out with another encoding (docs/design/zarr.md).
"""

import base64
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from time import time

import numpy as np
import orjson

from chronotile.core.model.types import Int64Array
from chronotile.readers.caches.disk import Records, RecordsInMemory

MOST = 2000
"""Axes that are remembered; past that, those that were given out the longest time ago are forgotten."""
KEPT_S = 86_400.0
"""How long, at least, an axis is remembered where a new one takes its encoding."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class TimeAxis:
    """The dates that the indexes of a store mean, and all else that its metadata say."""

    layout: str
    starts: Int64Array
    """(time,), in nanoseconds."""

    def continues(self, other: "TimeAxis") -> bool:
        """Whether this axis has all dates of another at the same indexes, and perhaps dates after them."""
        return self.layout == other.layout and bool(np.array_equal(self.starts[: other.starts.size], other.starts))

    def agrees_at(self, other: "TimeAxis", indexes: range) -> bool:
        """Whether each of some indexes that this axis has means the same in another."""
        starts, other_starts = (axis.starts[indexes.start : indexes.stop] for axis in (self, other))
        return self.layout == other.layout and bool(np.array_equal(starts, other_starts[: starts.size]))


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """An axis that was given out."""

    name: str
    layer: str
    encoding: int
    hour: int
    """When it was given out last, about: hours since 1970."""
    axis: TimeAxis


class ServedAxes:
    """The axes that were given out since the server began, of one process or of all its workers.

    Args:
        records: Stores them; for one process in its memory.
        encodings: How many encodings of chunk keys there are.
        clock: Seconds since 1970.
    """

    def __init__(
        self, records: Records | None = None, *, encodings: int = 3, clock: Callable[[], float] = time
    ) -> None:
        self._records = records or RecordsInMemory()
        self._encodings = encodings
        self._clock = clock
        self._known: dict[str, _Served] = {}

    def give(self, layer: str, axis: TimeAxis) -> int | None:
        """Return the encoding under which an axis is given out, and remember that it is.

        Returns:
            The number of an encoding; `None` where each is held by clients of axes that this one does not continue, or
            the axis cannot be stored, so that another one could not be distinguished from it.
        """
        served = self._served_axes(layer)
        for encoding in range(self._encodings):
            of_it = [item for item in served if item.encoding == encoding]
            # A shorter axis could not be read: in its last chunk, clients of the longer one expect another date.
            if all(axis.continues(item.axis) for item in of_it):
                return encoding if self._remember(layer, encoding, axis, of_it) else None
        last_hours = [max(item.hour for item in served if item.encoding == number) for number in range(self._encodings)]
        oldest = int(np.argmin(last_hours))
        if self._clock() - (last_hours[oldest] + 1) * HOUR_S < KEPT_S:
            return None
        if not self._remember(layer, oldest, axis, []):
            return None
        self._forget(item for item in served if item.encoding == oldest)
        return oldest

    def means_the_same(self, layer: str, encoding: int, axis: TimeAxis, indexes: range) -> bool:
        """Return whether indexes mean in `axis` what they mean in all axes that were given out under an encoding."""
        served = [item for item in self._served_axes(layer) if item.encoding == encoding]
        return all(item.axis.agrees_at(axis, indexes) for item in served)

    def _remember(self, layer: str, encoding: int, axis: TimeAxis, given: Sequence[_Served]) -> bool:
        """Store an axis; return whether it is stored, which a full or read-only disk prevents."""
        hour = int(self._clock() // HOUR_S)
        digest = blake2b(axis.layout.encode() + axis.starts.tobytes(), digest_size=12).hexdigest()
        name = f"{_digest(layer)}-{encoding}-{digest}-{hour}"
        if any(item.name == name for item in given):
            return True
        starts = base64.b64encode(axis.starts.tobytes()).decode()
        document = {"layer": layer, "encoding": encoding, "hour": hour, "layout": axis.layout, "starts": starts}
        text = orjson.dumps(document).decode()
        self._records.add(name, text)
        if self._records.read(name) != text:
            return False
        self._forget(given)  # the new axis continues them
        names = self._records.names()
        if len(names) > MOST:
            by_hour = sorted(names, key=lambda item: int(item.rsplit("-", 1)[1]))
            for old in by_hour[: len(names) - MOST]:
                self._records.remove(old)
        return True

    def _forget(self, given: Iterable[_Served]) -> None:
        for item in given:
            self._records.remove(item.name)

    def _served_axes(self, layer: str) -> list[_Served]:
        names = list(self._records.names())
        start = f"{_digest(layer)}-"
        found = [self._known.get(name) or self._read(name) for name in names if name.startswith(start)]
        own = [each for each in found if each is not None]
        stored = set(names)
        known = {name: each for name, each in self._known.items() if name in stored}
        self._known = known | {each.name: each for each in own}  # never changed in place: several threads are here
        return own

    def _read(self, name: str) -> _Served | None:
        text = self._records.read(name)
        if text is None:  # another process forgot it meanwhile
            return None
        document = orjson.loads(text)
        starts = np.frombuffer(base64.b64decode(document["starts"]), dtype=np.int64)
        axis = TimeAxis(document["layout"], starts)
        return _Served(name, document["layer"], document["encoding"], document["hour"], axis)


def _digest(layer: str) -> str:
    return blake2b(layer.encode(), digest_size=12).hexdigest()
