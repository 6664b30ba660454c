"""The clock and the random numbers of a recording: imported before `chronotile`, which reads both through Python.

Each request has a separate second, so that sorting by time has one order, and separate random bytes: the first, the
second … of a size in a request are always the same, independent of other requests.
"""

import os
import secrets
import threading
import time
from collections import Counter
from hashlib import blake2b
from stat import S_ISREG
from typing import Any

START_S = 1_772_366_400
"""2026-03-01T12:00:00Z: after all data."""
HERE = "/proc/self/cwd"
"""The current folder by a name that it has wherever it is."""
ROOT = "REPLAY_ROOT"
"""Variable with the folder of the recording."""
MORE = ("st_atime", "st_mtime", "st_atime_ns", "st_mtime_ns", "st_blksize", "st_blocks", "st_rdev")


class _Moment:
    """Fixed values at one request."""

    def __init__(self) -> None:
        self.name, self.number = "", 0
        self._drawn: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def begin(self, name: str, number: int) -> None:
        self.name, self.number = name, number
        with self._lock:
            self._drawn.clear()

    def now_ns(self) -> int:
        return (START_S + self.number) * 10**9

    def draw(self, kind: str, size: int) -> bytes:
        with self._lock:
            self._drawn[kind, size] += 1
            count = self._drawn[kind, size]
        seeds = (f"{self.name} {self.number} {kind} {count} {part}".encode() for part in range(-(-size // 64)))
        return b"".join(blake2b(seed).digest() for seed in seeds)[:size]


_moment = _Moment()
begin = _moment.begin
"""`begin(name, number)`: a request of an archive begins, `number` seconds after the start."""


def fix() -> None:
    """Replace the wall clock, the sources of random ids and inodes in this process; its other clocks go on."""
    _fix_files()
    time.time_ns = _moment.now_ns
    time.time = lambda: _moment.now_ns() / 10**9
    os.urandom = lambda size: _moment.draw("urandom", size)
    secrets.token_bytes = lambda size=32: _moment.draw("token", size)
    secrets.token_hex = lambda size=32: _moment.draw("token", size).hex()


def _fix_files() -> None:
    """Give files inodes that follow from their paths below the folder of the recording, and only the time of writing.

    Inodes are part of revisions and ETags. Open folders keep their inodes, because `shutil` compares them. The real
    path of everything below the current folder, from which ids of archives are made, is that through `HERE`.
    """
    stat, lstat, fstat, realpath = os.stat, os.lstat, os.fstat, os.path.realpath

    def fixed_stat(path: Any, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
        if isinstance(path, int):
            return fixed_fstat(path)
        status = stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        return status if dir_fd is not None or not follow_symlinks else _with_inode(status, path)

    def fixed_lstat(path: Any, *, dir_fd: int | None = None) -> os.stat_result:
        status = lstat(path, dir_fd=dir_fd)
        return _with_inode(status, path) if dir_fd is None and S_ISREG(status.st_mode) else status

    def fixed_fstat(fd: int) -> os.stat_result:
        status = fstat(fd)
        return _with_inode(status, f"/proc/self/fd/{fd}") if S_ISREG(status.st_mode) else status

    def fixed_realpath(path: Any, *, strict: bool = False) -> Any:
        found, here = realpath(path, strict=strict), os.getcwd()  # noqa: PTH109 -- pathlib asks what is replaced here
        is_here = isinstance(found, str) and ROOT in os.environ and f"{found}/".startswith(f"{here}/")
        return HERE + found[len(here) :] if is_here else found

    os.stat, os.lstat, os.fstat, os.path.realpath = fixed_stat, fixed_lstat, fixed_fstat, fixed_realpath


def _with_inode(status: os.stat_result, path: Any) -> os.stat_result:
    text = os.fsdecode(path)
    if text.startswith("/proc/self/fd/"):
        text = os.readlink(text)  # noqa: PTH115 -- pathlib asks what is replaced here
    text = os.path.abspath(text).replace(HERE, os.getcwd(), 1)  # noqa: PTH100, PTH109 -- the same
    below = text.removeprefix(os.environ.get(ROOT, "/"))
    values = [*status[:10]]
    values[1] = int.from_bytes(blake2b(below.encode(errors="surrogateescape"), digest_size=6).digest())
    more = {name: getattr(status, name) for name in MORE}
    return os.stat_result(values, more | {"st_ctime": status.st_mtime, "st_ctime_ns": status.st_mtime_ns})
