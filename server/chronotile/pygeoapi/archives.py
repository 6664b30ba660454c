"""What providers read: archives opened once a process, since pygeoapi makes a provider for every request."""

import logging
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic

from chronotile.archive.open import Archive, grown, has_grown, open_archive, refreshed, system_clock
from chronotile.errors import ChronotileError
from chronotile.pipeline.services import Services

log = logging.getLogger(__name__)

MAX_ARCHIVES = 16
"""Opened at once; what was used longest ago is let go of, and closed once nobody reads it any more."""

LOOK_S = 10.0
"""How often configuration, styles and files are looked at; whether a serving cube grew is seen at once."""


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Services that are open already, as a provider's `data`."""

    services: Services

    def __deepcopy__(self, memo: object) -> "Live":
        """Return itself: pygeoapi copies its configuration, and open files cannot be."""
        return self


def opened(data: object) -> Services:
    """Return the services of now of a provider's `data`: `Live` ones, or a configuration file, a file or a folder.

    Raises:
        ConfigurationError: With all mistakes of the configuration; or nothing there can be served.
    """
    return data.services if isinstance(data, Live) else _opened.services(Path(str(data)).expanduser().resolve())


@dataclass(slots=True)
class _Kept:
    """An archive, once it is open, and when it was last looked at."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    archive: Archive | None = None
    looked_s: float = 0.0
    """By the monotonic clock."""


class Archives:
    """Archives by place, each opened by whoever asks first, while others wait.

    Args:
        most: That are kept.
        now: A monotonic clock.
    """

    def __init__(self, *, most: int = MAX_ARCHIVES, now: Callable[[], float] = monotonic) -> None:
        self._most = most
        self._now = now
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, _Kept] = OrderedDict()

    def services(self, place: Path) -> Services:
        """Return what is there now; where what is new has mistakes, what was there before.

        Raises:
            ConfigurationError: Nothing could be served there yet.
        """
        with self._lock:
            kept = self._kept.setdefault(place, _Kept())
            self._kept.move_to_end(place)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        with kept.lock:
            kept.archive = _current(kept, place, self._now())
            return kept.archive.services


def _current(kept: _Kept, place: Path, now: float) -> Archive:
    if kept.archive is None:
        kept.looked_s = now
        return open_archive(place, environment=os.environ, clock=system_clock)
    try:
        if has_grown(kept.archive, None):
            return grown(kept.archive, clock=system_clock)
        if now - kept.looked_s > LOOK_S:
            kept.looked_s = now
            return refreshed(kept.archive, place, environment=os.environ, clock=system_clock)
    except (ChronotileError, OSError) as error:
        log.warning("reload failed, still serving the previous state: %s", error)
    return kept.archive


_opened = Archives()
