"""When documents were modified last, as far as this process has seen them change."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from email.utils import parsedate_to_datetime
from time import time

MOST = 1024
"""Documents that are remembered; the one that was requested longest ago is forgotten first."""


class ModifiedTimes:
    """Since when each document has been as it is.

    A document that another process has seen change earlier has a later time here, and is then sent once more.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, tuple[str, int]] = OrderedDict()

    def of(self, key: Hashable, etag: str) -> int | None:
        """Return since when, seconds since 1970; `None` within the second in which it was first seen.

        It may change again in that second, and `Last-Modified` could not tell the two.
        """
        with self._lock:
            now_s = int(self._clock())
            known = self._seen.get(key)
            if known is None or known[0] != etag:
                known = etag, now_s
                self._seen[key] = known
                if len(self._seen) > MOST:
                    self._seen.popitem(last=False)
            self._seen.move_to_end(key)
            return known[1] if known[1] < now_s else None


def is_modified_since(header: str | None, modified_s: int | None) -> bool:
    """Return whether a document has changed since the time in `If-Modified-Since`; true without a valid one."""
    if header is None or modified_s is None:
        return True
    try:
        return modified_s > parsedate_to_datetime(header).timestamp()
    except ValueError:
        return True
