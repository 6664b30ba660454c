"""Modification times of documents, as noticed by this process."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from email.utils import parsedate_to_datetime
from time import time

MAX_DOCUMENTS = 1024
"""Documents above this number are dropped, least recently requested first."""


class ModifiedTimes:
    """Modification times of documents by key.

    If another process noticed a change earlier, its time is earlier; then a client may receive a document twice.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._versions: OrderedDict[Hashable, tuple[str, int]] = OrderedDict()

    def note(self, key: Hashable, etag: str) -> int | None:
        """Return when the document got its ETag, in seconds since 1970; `None` during the same second.

        It may change again in that second, and `Last-Modified` has no fractions.
        """
        with self._lock:
            now_s = int(self._clock())
            version = self._versions.get(key)
            if version is None or version[0] != etag:
                version = etag, now_s
                self._versions[key] = version
                if len(self._versions) > MAX_DOCUMENTS:
                    self._versions.popitem(last=False)
            self._versions.move_to_end(key)
            return version[1] if version[1] < now_s else None


def is_modified_since(header: str | None, modified_s: int | None) -> bool:
    """Return whether a document has changed since the time in `If-Modified-Since`; true without a valid time."""
    if header is None or modified_s is None:
        return True
    try:
        return modified_s > parsedate_to_datetime(header).timestamp()
    except ValueError:
        return True
