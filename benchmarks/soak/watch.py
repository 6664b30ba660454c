"""Memory, file descriptors and threads of processes from /proc, and their development over hours."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.figures import slope

PROC = Path("/proc")
TEN_MINUTES_S = 600.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One process at one moment."""

    pid: int
    pss_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Course:
    """Development of one process."""

    pid: int
    samples: int
    pss_mb_per_10_min: float | None
    """`None` of fewer than two samples."""
    max_pss_mb: float
    descriptors: tuple[int, int]
    """Fewest, most."""
    threads: tuple[int, int]
    """Fewest, most."""


def descendants(pid: int) -> list[int]:
    """Return the processes below a process, itself not."""
    children = defaultdict(list)
    for status in PROC.glob("[0-9]*/stat"):
        text = _text(status)
        if text:
            after_name = text.rpartition(")")[2].split()
            children[int(after_name[1])].append(int(status.parent.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children[waiting.pop()]
        found += below
        waiting += below
    return sorted(found)


def memory_of(process: int, entry: str) -> int:
    """Return the bytes that a process has now (`VmRSS`), or had at most (`VmHWM`)."""
    lines = (PROC / str(process) / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(entry))


def workers_of(parent: int) -> list[int]:
    """Return the workers of a server: its children, except Python's process for shared resources."""
    return [pid for pid in descendants(parent) if b"resource_tracker" not in _command(pid)]


def sample(pid: int) -> Sample | None:
    """Return the resources of a process now, or nothing if it ended."""
    folder = PROC / str(pid)
    memory, status = _text(folder / "smaps_rollup"), _text(folder / "status")
    pss, threads = (
        re.search(r"^Pss:\s+(\d+)", memory, re.MULTILINE),
        re.search(r"^Threads:\s+(\d+)", status, re.MULTILINE),
    )
    if pss is None or threads is None:
        return None
    try:
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        return None
    return Sample(pid, int(pss[1]) * 1024 / 1e6, descriptors, int(threads[1]))


def samples(pids: Iterable[int]) -> Iterator[Sample]:
    """Give the samples of the processes that are still there."""
    for pid in pids:
        found = sample(pid)
        if found is not None:
            yield found


def courses(history: Mapping[int, Sequence[tuple[float, Sample]]], *, after_s: float) -> list[Course]:
    """Return the development of each process that ran long enough.

    Args:
        history: Seconds of activity and samples, by process.
        after_s: Earlier samples are ignored: caches fill.
    """
    found = []
    for pid, taken in history.items():
        kept = [(at, each) for at, each in taken if at >= after_s] or list(taken)
        pss = [each.pss_mb for _, each in kept]
        descriptors, threads = [each.descriptors for _, each in kept], [each.threads for _, each in kept]
        found.append(
            Course(
                pid=pid,
                samples=len(kept),
                pss_mb_per_10_min=slope([at / TEN_MINUTES_S for at, _ in kept], pss) if len(kept) > 1 else None,
                max_pss_mb=max(each.pss_mb for _, each in taken),
                descriptors=(min(descriptors), max(descriptors)),
                threads=(min(threads), max(threads)),
            )
        )
    return found


def _command(pid: int) -> bytes:
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
