"""Items that could not be read: files that are gone or damaged are not tried again at once; operators see each once."""

import logging
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any, Literal

from chronotile.core.errors import AddressRefused, DateUnreadable, SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import ItemRef
from chronotile.readers.library_errors import BeingWritten, Damaged, origin_of, with_causes
from chronotile.readers.remote.requests import Away, Refused

Reason = Literal["missing", "damaged", "refused", "changed", "unavailable"]
REASONS: tuple[Reason, ...] = ("missing", "damaged", "refused", "changed", "unavailable")

TRIED_AGAIN_S = 60.0
"""After which a file that was gone or damaged is requested again: stores may show a new object late."""
MOST = 10_000
"""Items, and failures of files, that are remembered."""
_REFUSALS: Mapping[int, Reason] = {
    HTTPStatus.NOT_FOUND: "missing",
    HTTPStatus.GONE: "missing",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "damaged",  # it was cut off
}
_KINDS: tuple[tuple[type[Exception], Reason], ...] = (
    (FileNotFoundError, "missing"),
    (BeingWritten, "changed"),
    (AddressRefused, "refused"),
    (Away, "unavailable"),
    (DateUnreadable, "damaged"),
    (UnsupportedSource, "damaged"),
    (Damaged, "damaged"),
)
"""By what an error or one of its causes is; the first that fits."""

log = logging.getLogger(__name__)


class StillUnreadable(DateUnreadable):
    """A file of an item was gone or damaged a short time ago, and was not requested again."""

    def __init__(self, details: str, reason: Reason) -> None:
        super().__init__(details)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Failure:
    error: StillUnreadable
    until_s: float


class LeftOutItems:
    """Items that answers lacked, of one process. All methods may be called by several threads at once."""

    def __init__(self) -> None:
        self._failures: dict[object, _Failure] = {}
        self._reported: dict[tuple[str, int, int, Reason], None] = {}
        self._counts: Counter[tuple[str, Reason]] = Counter()
        self._lock = threading.Lock()

    @property
    def counts(self) -> Mapping[tuple[str, Reason], int]:
        """How many items were left out, by collection and reason; an item that changed counts again."""
        with self._lock:
            return dict(self._counts)

    def failure(self, key: object) -> Exception | None:
        """Return why a file of an item cannot be read, if it is not to be tried again yet."""
        known = self._failures.get(key) if self._failures else None
        return known.error if known is not None and monotonic() < known.until_s else None

    def note(self, key: object, error: Exception) -> None:
        """Remember a failure that does not pass by itself: the file is gone or damaged."""
        reason = reason_of(error)
        if reason in {"missing", "damaged"}:
            known = StillUnreadable(with_causes(error), reason)  # the error itself holds frames, with their arrays
            with self._lock:
                _make_room(self._failures)
                self._failures[key] = _Failure(known, monotonic() + TRIED_AGAIN_S)

    def report(self, collection: str, ref: ItemRef, error: Exception) -> None:
        """Count an item that an answer lacks, and log it, once in each of its states for each reason."""
        reason = reason_of(error)
        key = collection, ref.number, ref.changed, reason
        with self._lock:
            if key in self._reported:
                return
            _make_room(self._reported)
            self._reported[key] = None
            self._counts[collection, reason] += 1
        log.warning("%s: item %s is left out: %s", collection, ref.id, with_causes(error))

    def clear(self) -> None:
        """Try all files again with the next request, and log and count those that still fail."""
        with self._lock:
            self._failures.clear()
            self._reported.clear()


def reason_of(error: BaseException) -> Reason:
    """Return the kind of a failure to read an item."""
    if isinstance(error, StillUnreadable):
        return error.reason
    causes = tuple(_causes(error))
    refused = next((each for each in causes if isinstance(each, Refused)), None)
    if refused is not None:
        return _REFUSALS.get(refused.status, "refused")
    found = (reason for kind, reason in _KINDS if any(isinstance(each, kind) for each in causes))
    return next(found, "unavailable")


def is_passing(error: BaseException) -> bool:
    """Return whether a store does not answer, rather than that a file is missing, refused or damaged."""
    origin = origin_of(error)
    return type(error) is SourceUnavailable or (
        isinstance(origin, Away | TimeoutError) and not isinstance(origin, Refused)
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _make_room(entries: dict[Any, Any]) -> None:
    while len(entries) >= MOST:
        del entries[next(iter(entries))]
