"""Reads the entries of a source: one by one, in threads where reading waits, in processes where it computes."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import Self

from chronotile.archive.index.source import ItemSource, ListedEntry, ReadEntry, Unread
from chronotile.catalog.items.preparing import prepare
from chronotile.errors import InvalidItem, SourceUnavailable, UnsupportedSource

MANY = 5_000
"""Entries to be read, beyond which processes are started: to start one takes a second."""
TOGETHER = 64
"""Entries that one process reads at a time."""
NICE = 5
"""By how much the priority of these processes is lower: requests come first."""

Answer = ReadEntry | Unread | None
"""`None`: it is as before."""


class EntryReaders:
    """Reads entries; a context.

    Args:
        source: Of the entries.
        processes: How many processes may read them; 0: none but this one.
        is_stopped: Whether the pass is to end: nothing more is read then.
    """

    def __init__(self, source: ItemSource, processes: int, is_stopped: Callable[[], bool]) -> None:
        self._processes = processes if source.is_computing else 0
        self._is_stopped = is_stopped
        self._open = ExitStack()
        self._threads = (
            None
            if source.threads == 1
            else self._open.enter_context(ThreadPoolExecutor(source.threads, thread_name_prefix="index"))
        )
        self._pool: ProcessPoolExecutor | None = None
        self._count = 0

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """End the threads and processes."""
        self._open.close()

    @property
    def is_ahead(self) -> bool:
        """Whether further entries can be read while those before are stored."""
        return self._pool is not None

    def read(self, entries: Sequence[ListedEntry], states: Sequence[str]) -> Iterator[Answer]:
        """Return what is read of each entry, which was read in these states before.

        It raises `SourceUnavailable`, at once or later, if a process ends before its time.
        """
        self._count += len(entries)
        if self._pool is None and self._processes and self._count > MANY:
            self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"), initializer=_begin)
            self._open.callback(self._pool.shutdown, cancel_futures=True)
        if self._pool is not None and not self._is_stopped():
            with _in_our_words():
                return _answers(self._pool.map(_read_apart, entries, states, chunksize=TOGETHER))
        return (map if self._threads is None else self._threads.map)(self._read_here, entries, states)

    def _read_here(self, entry: ListedEntry, before: str) -> Answer:
        return Unread(key=entry.key, reason="the pass was stopped") if self._is_stopped() else _read(entry, before)


def _answers(found: Iterator[Answer]) -> Iterator[Answer]:
    with _in_our_words():
        yield from found


@contextmanager
def _in_our_words() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise SourceUnavailable("a process that reads items has ended: is there too little memory?") from error


def _read(entry: ListedEntry, before: str) -> Answer:
    try:
        return entry.read(before)
    except (InvalidItem, UnsupportedSource) as error:
        return ReadEntry(items=(), state=entry.state, problem=error.message)
    except SourceUnavailable as error:
        return Unread(key=entry.key, reason=error.message)


def _read_apart(entry: ListedEntry, before: str) -> Answer:
    """What is read of an entry, with all done that the index does not need for itself."""
    answer = _read(entry, before)
    if not isinstance(answer, ReadEntry):
        return answer
    return replace(answer, items=(), prepared=tuple(prepare(each).sent() for each in answer.items))


def _begin() -> None:
    """Prepare a process: it is polite, and ends with the one that it reads for, however that ends."""
    os.nice(NICE)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
