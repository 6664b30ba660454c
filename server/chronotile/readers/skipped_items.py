"""Items that are skipped: missing and damaged files are not tried again immediately, and are logged once."""

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
from chronotile.readers.library_errors import BeingWritten, Damaged, cause_text, origin_of
from chronotile.readers.remote.requests import Away, Refused

Reason = Literal["missing", "damaged", "refused", "changed", "unavailable"]
REASONS: tuple[Reason, ...] = ("missing", "damaged", "refused", "changed", "unavailable")

SKIP_S = 60.0
"""Seconds until a missing or damaged file is requested again: stores may show a new object late."""
MAX_REMEMBERED = 10_000
"""Remembered items, and remembered failures of files."""
_REFUSALS: Mapping[int, Reason] = {
    HTTPStatus.NOT_FOUND: "missing",
    HTTPStatus.GONE: "missing",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "damaged",  # the file is cut off
}
_REASONS: tuple[tuple[type[Exception], Reason], ...] = (
    (FileNotFoundError, "missing"),
    (BeingWritten, "changed"),
    (AddressRefused, "refused"),
    (Away, "unavailable"),
    (DateUnreadable, "damaged"),
    (UnsupportedSource, "damaged"),
    (Damaged, "damaged"),
)
"""Reason by the class of an error or of a cause; the first match counts."""

log = logging.getLogger(__name__)


class StillUnreadable(DateUnreadable):
    """A file of an item was missing or damaged a short time ago, and was not requested again."""

    def __init__(self, details: str, reason: Reason) -> None:
        super().__init__(details)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Failure:
    error: StillUnreadable
    until_s: float


class SkippedItems:
    """Items that answers of this process lack. All methods may be called by several threads concurrently."""

    def __init__(self) -> None:
        self._failures: dict[object, _Failure] = {}
        self._reported: dict[tuple[str, int, int, Reason], None] = {}
        self._counts: Counter[tuple[str, Reason]] = Counter()
        self._lock = threading.Lock()

    @property
    def counts(self) -> Mapping[tuple[str, Reason], int]:
        """Number of skipped items by collection and reason; an item that changed counts again."""
        with self._lock:
            return dict(self._counts)

    def failure(self, key: object) -> Exception | None:
        """Return why a file of an item cannot be read, or `None` if it may be tried."""
        failure = self._failures.get(key) if self._failures else None
        return failure.error if failure is not None and monotonic() < failure.until_s else None

    def note(self, key: object, error: Exception) -> None:
        """Remember a permanent failure: the file is missing or damaged."""
        reason = reason_of(error)
        if reason in {"missing", "damaged"}:
            unreadable = StillUnreadable(cause_text(error), reason)  # not `error`: its traceback refers to arrays
            with self._lock:
                _make_room(self._failures)
                self._failures[key] = _Failure(unreadable, monotonic() + SKIP_S)

    def report(self, collection: str, ref: ItemRef, error: Exception) -> None:
        """Count and log an item that an answer lacks, once per version of the item and reason."""
        reason = reason_of(error)
        key = collection, ref.number, ref.changed, reason
        with self._lock:
            if key in self._reported:
                return
            _make_room(self._reported)
            self._reported[key] = None
            self._counts[collection, reason] += 1
        log.warning("%s: item %s is left out: %s", collection, ref.id, cause_text(error))

    def clear(self) -> None:
        """Try all files again with the next request; count and log items that still fail."""
        with self._lock:
            self._failures.clear()
            self._reported.clear()


def reason_of(error: BaseException) -> Reason:
    """Return why an item cannot be read."""
    if isinstance(error, StillUnreadable):
        return error.reason
    causes = tuple(_causes(error))
    refused = next((cause for cause in causes if isinstance(cause, Refused)), None)
    if refused is not None:
        return _REFUSALS.get(refused.status, "refused")
    reasons = (reason for kind, reason in _REASONS if any(isinstance(cause, kind) for cause in causes))
    return next(reasons, "unavailable")


def is_passing(error: BaseException) -> bool:
    """Return whether a store is unreachable, in contrast to a file that is missing, refused or damaged."""
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
    while len(entries) >= MAX_REMEMBERED:
        del entries[next(iter(entries))]
