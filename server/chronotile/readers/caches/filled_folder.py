"""Folders whose files are made in the background."""

import logging
import os
import sys
import threading
from typing import Generic, TypeVar

from chronotile.readers.caches.disk import DiskCache
from chronotile.readers.library_errors import one_line

CLOSING_S = 2.0
"""Seconds that `close` waits for the current file: a store that hangs must not keep a process from ending."""
RETRY_S = 1.0
"""Seconds until the next attempt while another process makes files."""
NICENESS = 10
"""Priority of threads that make files, lower than the priority of answers; on Linux only."""

Recipe = TypeVar("Recipe")


class FilledFolder(Generic[Recipe]):
    """A folder whose files are made in the background, each by one process even if several share the folder.

    Args:
        folder: Cache of the files.
        what: Name of the files for log lines.
        max_waiting: Maximum length of the queue; more files are queued when they are requested again.
        log: Logger of the module that makes the files.
    """

    def __init__(self, folder: DiskCache, what: str, *, max_waiting: int, log: logging.Logger) -> None:
        self._folder, self._what, self._max_waiting, self._log = folder, what, max_waiting, log
        self._waiting: dict[str, Recipe] = {}
        self._hopeless = set[str]()
        """Files that cannot be made."""
        self._is_off = False
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._maker: threading.Thread | None = None

    def start(self) -> None:
        """Start a thread that makes the files that wait."""
        self._maker = threading.Thread(target=self._make_all, name=self._what, daemon=True)
        self._maker.start()

    def close(self) -> None:
        """Stop; the file that is being made is discarded."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._maker is not None:
            self._maker.join(CLOSING_S)

    def has(self, name: str) -> bool:
        """Return whether a file exists."""
        return self._folder.path_of(name).exists()

    def request(self, name: str, recipe: Recipe) -> None:
        """Queue a file to be made."""
        with self._changed:
            is_refused = len(self._waiting) >= self._max_waiting or name in self._hopeless
            if not (is_refused or self._is_off or self._closing.is_set()):
                self._waiting.setdefault(name, recipe)
                self._changed.notify()

    def make_next(self) -> bool:
        """Make the first file that waits; return whether the next may be made immediately."""
        with self._changed:
            if not self._waiting:
                return False
            name = self._first()
            recipe = self._waiting[name]
        is_done = True
        try:
            with self._folder.sole_builder() as is_sole:
                if not is_sole:
                    return False
                is_done = self.has(name) or self._make(name, recipe)
        except OSError as error:
            self._turn_off(error)
        with self._changed:
            if is_done:
                self._waiting.pop(name, None)
        return True

    def _first(self) -> str:
        return next(iter(self._waiting))

    def _make(self, name: str, recipe: Recipe) -> bool:
        # Make and store a missing file; return whether it need not be tried again. `OSError` if the folder is not
        # writable.
        raise NotImplementedError

    def _make_all(self) -> None:
        if sys.platform == "linux":  # Linux has a niceness per thread
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            if not self.make_next():
                self._closing.wait(RETRY_S)

    def _turn_off(self, error: OSError) -> None:
        self._log.warning("no more %s are made: their folder cannot be written (%s)", self._what, one_line(error))
        with self._changed:
            self._is_off = True
            self._waiting.clear()
