"""What is set once for the process that serves."""

import asyncio
import atexit
import ctypes
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

log = logging.getLogger(__name__)

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Names of glibc's `mallopt(3)`."""
KEPT_BYTES = 32 << 20
LARGEST_BLOCK_BYTES = 4 << 20
"""Of a heap; larger ones are given back by themselves: in the heap they left holes of 100 MB among what stays."""

MOST_FILES = 65_536
"""Open at once: more than are ever needed; some systems would allow a billion, which some libraries run through."""

GRACE_S = 8.0
"""How long running requests may take to end when the server is stopped; then they are answered with 503."""
END_S = 9.0
"""Time limit for a serving process to end, even if its threads wait."""
IDLE_S = 10
"""How long a connection waits for its next request: longer than `Retry-After` says that a refused client waits, whose
next request would otherwise meet the end of its connection."""

HANG_UP = {signal.SIGHUP} if hasattr(signal, "SIGHUP") else set[signal.Signals]()
ENDING = {signal.SIGINT, signal.SIGTERM}


def server_options() -> dict[str, Any]:
    """Return how uvicorn is run, in one process or several."""
    return {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "http": "chronotile.http.wire:Wire",
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,  # the application minds them, the host and path prefix too
        "timeout_keep_alive": IDLE_S,
        "timeout_graceful_shutdown": END_S,
    }


def end_well_when_stopped() -> None:
    """Let Ctrl-C and SIGTERM, which are how a server is meant to end, end it with 0 and whatever it holds let go."""
    for number in ENDING:
        signal.signal(number, _leave)


_told_by: list[int] = []
"""Signals received that end this process."""


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    _told_by.append(number)
    raise SystemExit(0)


def only_remember_signals() -> None:
    """Let Ctrl-C and SIGTERM interrupt nothing; long work then calls `exit_on_signal` from time to time."""
    for number in ENDING:
        signal.signal(number, lambda number, _frame: _told_by.append(number))


def is_told_to_end() -> bool:
    """Return whether a signal was received that ends this process, also one that has interrupted nothing so far."""
    return bool(_told_by)


def exit_on_signal() -> None:
    """End, if a signal was received that interrupted nothing: Python lets no exception out while it collects garbage.

    Raises:
        SystemExit: It was.
    """
    if is_told_to_end():
        raise SystemExit(0)


def end_within(seconds: float, *, status: int = 1) -> None:
    """End this process after `seconds` even if its threads wait, unless it ended before."""
    timer = threading.Timer(seconds, _end_at_once, [seconds, status])
    timer.daemon = True
    timer.start()


def _end_at_once(seconds: float, status: int) -> None:
    log.warning("running work did not end within %g s and was abandoned: an operation that it waits for hangs", seconds)
    os._exit(status)


def leave_hanging_threads(status: int) -> None:
    """End this process at once if a daemon thread still runs, such as one in a library call that hangs.

    Python ends such a thread when its library call returns, with C++ or Rust frames on the stack, which aborts the
    process. To be called last.

    Args:
        status: Of the process.
    """
    # What Python does when it exits: close pools and join all threads but daemons.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    if not any(each.daemon for each in threading.enumerate()):
        return
    atexit._run_exitfuncs()  # noqa: SLF001 -- removes temporary folders
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()
    os._exit(status)


def run_process(work: Callable[[], None]) -> None:
    """Run the work of this process and exit with its status, even if a thread hangs (`leave_hanging_threads`).

    Raises:
        SystemExit: By `work`, and no thread hangs, or its status is a message, which Python prints.
    """
    mute_c_libraries()
    try:
        work()
    except SystemExit as end:
        if not isinstance(end.code, str):
            leave_hanging_threads(end.code or 0)
        raise
    leave_hanging_threads(0)


def mute_c_libraries() -> None:
    """Let what C libraries print go nowhere: GDAL prints a line for each GRIB header that it knows in part.

    They print to a stream of their own, beside Python's. Elsewhere than in glibc it may be a constant, and stays.
    """
    os.environ.setdefault("CPL_LOG", os.devnull)  # where GDAL writes errors of calls that have no message from us
    library: Any = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if hasattr(library, "gnu_get_libc_version"):
        library.fopen.restype = ctypes.c_void_p
        nowhere = library.fopen(os.devnull.encode(), b"w")
        stream = ctypes.c_void_p.in_dll(library, "stdout")
        stream.value = nowhere or stream.value


def keep_freed_memory() -> None:
    """Let the allocator keep what is freed, up to `KEPT_BYTES` a heap, instead of giving it back at once.

    A tile needs some dozen arrays of 0.5 MB for less than a millisecond. Given back to the system after each tile and
    faulted in again for the next, they made it three times slower (2.3 against 0.74 ms).
    """
    _set_allocator(M_TRIM_THRESHOLD, KEPT_BYTES)
    _set_allocator(M_MMAP_THRESHOLD, LARGEST_BLOCK_BYTES)


def share_one_heap() -> None:
    """Let all threads that begin from now on allocate from one heap, so that what one has freed serves the others.

    With a heap a thread, each keeps its own, and what caches evict leaves holes in all of them.
    """
    _set_allocator(M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Return free pages between used ones to the system; the allocator does so only on request.

    Takes some milliseconds, during which no thread can allocate memory.
    """
    _tell_allocator("malloc_trim", 0)


def set_aside_what_stays() -> None:
    """Look for garbage now, and from now on only among what is made after this.

    What an archive and the libraries are made of, 100,000 objects, stays as long as the process serves it. Gone through
    with the rest every some thousand requests, it held up all of them for 50 ms and more; without it, for 5.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def allow_open_files() -> None:
    """Let this process, and those it starts from now on, hold as many files open as it may, up to `MOST_FILES`.

    What it may unless it asks is often 1,024, of which rasters take up to 400 and each connection one.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- not there on every system

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:  # some systems have a lower limit that they do not tell
        log.debug("no more than %d files may be open: %s", soft, error)


def _set_allocator(name: int, value: int) -> None:
    _tell_allocator("mallopt", name, value)


def _tell_allocator(function: str, *numbers: int) -> None:
    """Call a function of the C library; where it has none of that name, nothing happens."""
    try:
        call = getattr(ctypes.CDLL(None), function)
    except (OSError, AttributeError, TypeError):
        log.debug("this C library has no %s", function)
        return
    call(*numbers)


def hold_signals(numbers: AbstractSet[signal.Signals]) -> None:
    """Hold signals until there is a handler, so that they do not end the process; children and `exec` inherit that."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def take_signals(numbers: AbstractSet[signal.Signals]) -> None:
    """Take signals from now on, and those that wait at once."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def without_hang_ups() -> Iterator[None]:
    """Hold them in the block, so that a child which is started there is born with them held."""
    hold_signals(HANG_UP)
    try:
        yield
    finally:
        take_signals(HANG_UP)


@asynccontextmanager
async def hang_ups() -> AsyncIterator[asyncio.Event]:
    """Give an event that each SIGHUP sets; where none can be caught (another thread, another system) none comes."""
    hung_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    is_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP")
    if is_main:
        loop.add_signal_handler(signal.SIGHUP, hung_up.set)
        take_signals(HANG_UP)
    try:
        yield hung_up
    finally:
        if is_main:
            loop.remove_signal_handler(signal.SIGHUP)
