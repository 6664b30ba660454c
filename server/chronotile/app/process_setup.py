"""Settings of the serving process: signals, memory allocator, open files, its end."""

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
"""Parameters of `mallopt(3)` in glibc."""
MAX_FREE_BYTES = 32 << 20
LARGEST_BLOCK_BYTES = 4 << 20
"""Larger blocks are mapped separately: in the heap they left holes of 100 MB."""

MAX_FILES = 65_536
"""More open files than are ever needed. Some systems allow a billion, over which some libraries iterate."""

GRACE_S = 8.0
"""Time for running requests when the server is stopped; then they are answered with 503."""
END_S = 9.0
"""Time limit for the end of a serving process, even if its threads wait."""
IDLE_S = 10
"""Idle time of a connection: longer than `Retry-After`, so that the next request of a refused client does not meet the
end of its connection."""

HANG_UP = {signal.SIGHUP} if hasattr(signal, "SIGHUP") else set[signal.Signals]()
ENDING = {signal.SIGINT, signal.SIGTERM}


def server_options() -> dict[str, Any]:
    """Return the options of uvicorn, for one process or several."""
    return {
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "http": "chronotile.http.wire:Wire",
        "ws": "none",
        "lifespan": "on",
        "proxy_headers": False,  # the application applies them, including host and prefix
        "timeout_keep_alive": IDLE_S,
        "timeout_graceful_shutdown": END_S,
    }


def end_well_when_stopped() -> None:
    """Let Ctrl-C and SIGTERM end the process with status 0, after its resources are released."""
    for number in ENDING:
        signal.signal(number, _leave)


_end_signals: list[int] = []
"""Received signals that end this process."""


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    _end_signals.append(number)
    raise SystemExit(0)


def only_remember_signals() -> None:
    """Let Ctrl-C and SIGTERM interrupt nothing; long work must call `exit_on_signal` from time to time."""
    for number in ENDING:
        signal.signal(number, lambda number, _frame: _end_signals.append(number))


def is_told_to_end() -> bool:
    """Return whether a signal to end this process was received, even if it interrupted nothing."""
    return bool(_end_signals)


def exit_on_signal() -> None:
    """End the process if a signal was received without effect, because Python was collecting garbage.

    Raises:
        SystemExit: A signal was received.
    """
    if is_told_to_end():
        raise SystemExit(0)


def end_within(seconds: float, *, status: int = 1) -> None:
    """End this process after `seconds` at the latest, even if its threads wait."""
    timer = threading.Timer(seconds, _end_immediately, [seconds, status])
    timer.daemon = True
    timer.start()


def _end_immediately(seconds: float, status: int) -> None:
    log.warning("running work did not end within %g s and was abandoned: an operation that it waits for hangs", seconds)
    os._exit(status)


def leave_hanging_threads(status: int) -> None:
    """End this process immediately if a daemon thread still runs, such as a thread in a library call that hangs.

    Python ends such a thread when its library call returns, with C++ or Rust frames on the stack, which aborts the
    process. Call this last.

    Args:
        status: Exit status of the process.
    """
    # Like Python at exit: close pools and join all threads except daemons.
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    if not any(thread.daemon for thread in threading.enumerate()):
        return
    atexit._run_exitfuncs()  # noqa: SLF001 -- removes temporary folders
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # the process that reads the output has ended
            stream.flush()
    os._exit(status)


def run_process(work: Callable[[], None]) -> None:
    """Call `work` and exit with its status, even if a thread hangs (`leave_hanging_threads`).

    Raises:
        SystemExit: `work` raised it, and no thread hangs or its status is a message, which Python prints.
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
    """Discard the output of C libraries: GDAL prints a line for each GRIB header that it does not fully support.

    They print to the C stream, not to Python's. Outside of glibc it may be a constant, and is left unchanged.
    """
    os.environ.setdefault("CPL_LOG", os.devnull)  # file for errors of GDAL outside of any error handler
    library: Any = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
    if hasattr(library, "gnu_get_libc_version"):
        library.fopen.restype = ctypes.c_void_p
        null_stream = library.fopen(os.devnull.encode(), b"w")
        stream = ctypes.c_void_p.in_dll(library, "stdout")
        stream.value = null_stream or stream.value


def keep_freed_memory() -> None:
    """Let the allocator retain up to `MAX_FREE_BYTES` of freed memory per heap.

    A tile needs dozens of arrays of 0.5 MB for less than a millisecond. If they are returned to the system after each
    tile and faulted in for the next, a tile takes three times as long (2.3 instead of 0.74 ms).
    """
    _set_allocator(M_TRIM_THRESHOLD, MAX_FREE_BYTES)
    _set_allocator(M_MMAP_THRESHOLD, LARGEST_BLOCK_BYTES)


def share_one_heap() -> None:
    """Let all threads that start later allocate from one heap, so that they share freed memory.

    With a heap per thread, evicted cache entries leave holes in all heaps.
    """
    _set_allocator(M_ARENA_MAX, 1)


def give_back_freed_memory() -> None:
    """Return free pages inside the heap to the system; the allocator does so only on request.

    It takes some milliseconds, in which no thread can allocate memory.
    """
    _call_allocator("malloc_trim", 0)


def freeze_garbage_collection() -> None:
    """Collect garbage, and exclude all current objects from later collections.

    The 100,000 objects of an archive and the libraries live as long as the process serves the archive. With them, a
    collection blocks all requests for 50 ms, every few thousand requests; without them, for 5 ms.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def allow_open_files() -> None:
    """Raise the limit of open files of this process and its children to the allowed maximum, up to `MAX_FILES`.

    The default is often 1,024. Rasters take up to 400, and each connection takes one.
    """
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- missing on some systems

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    except (OSError, ValueError) as error:  # some systems have a lower limit than they report
        log.debug("no more than %d files may be open: %s", soft, error)


def _set_allocator(name: int, value: int) -> None:
    _call_allocator("mallopt", name, value)


def _call_allocator(function: str, *numbers: int) -> None:
    """Call a function of the C library; do nothing if it is missing."""
    try:
        call = getattr(ctypes.CDLL(None), function)
    except (OSError, AttributeError, TypeError):
        log.debug("this C library has no %s", function)
        return
    call(*numbers)


def block_signals(numbers: AbstractSet[signal.Signals]) -> None:
    """Block signals until a handler exists, so that they do not end the process; children and `exec` inherit this."""
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)


def unblock_signals(numbers: AbstractSet[signal.Signals]) -> None:
    """Unblock signals; pending ones arrive immediately."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)


@contextmanager
def block_hang_ups() -> Iterator[None]:
    """Block SIGHUP, so that a child process starts with SIGHUP blocked."""
    block_signals(HANG_UP)
    try:
        yield
    finally:
        unblock_signals(HANG_UP)


@asynccontextmanager
async def hang_ups() -> AsyncIterator[asyncio.Event]:
    """Yield an event that each SIGHUP sets; it is never set outside of the main thread or on systems without SIGHUP."""
    hung_up = asyncio.Event()
    loop = asyncio.get_running_loop()
    is_main = threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGHUP")
    if is_main:
        loop.add_signal_handler(signal.SIGHUP, hung_up.set)
        unblock_signals(HANG_UP)
    try:
        yield hung_up
    finally:
        if is_main:
            loop.remove_signal_handler(signal.SIGHUP)
