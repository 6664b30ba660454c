"""A program within a control group that has so much memory and no more, as in a container."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from time import sleep
from typing import IO

NO_GROUPS = "control groups of memory cannot be made here"
V1 = Path("/sys/fs/cgroup/memory")
V2 = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Group:
    """A control group of memory (cgroups(7)), of either version."""

    folder: Path
    is_v1: bool

    @property
    def kills(self) -> int:
        """Processes that were killed since they took more memory than there is."""
        text = (self.folder / ("memory.oom_control" if self.is_v1 else "memory.events")).read_text("ascii")
        return int(dict(line.split() for line in text.splitlines()).get("oom_kill", 0))

    @property
    def peak_bytes(self) -> int:
        """Peak memory, including files in memory that could have been released."""
        return int((self.folder / ("memory.max_usage_in_bytes" if self.is_v1 else "memory.peak")).read_text("ascii"))

    def start(self, command: Sequence[str], *, environment: dict[str, str], log: IO[str]) -> "subprocess.Popen[bytes]":
        """Start a program in the group."""
        entering = ["sh", "-c", 'echo $$ > "$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]
        return subprocess.Popen(entering, env=environment, stdout=log, stderr=subprocess.STDOUT)


@contextmanager
def group_of(memory_bytes: int) -> Iterator[Group]:
    """Yield a group with this memory and no swap; all its processes must have ended by the end of the block.

    Raises:
        OSError: No group can be made: the user lacks permission, or the system has no control groups.
    """
    is_v1 = (V1 / "memory.limit_in_bytes").exists()
    folder = Path(mkdtemp(prefix="chronotile-", dir=V1 if is_v1 else V2))
    folder.chmod(0o755)  # programs of other users read their own limits there
    try:
        (folder / ("memory.limit_in_bytes" if is_v1 else "memory.max")).write_text(str(memory_bytes))
        with suppress(OSError):  # without swap this file does not exist
            unswapped = "memory.memsw.limit_in_bytes" if is_v1 else "memory.swap.max"
            (folder / unswapped).write_text(str(memory_bytes if is_v1 else 0))
        yield Group(folder, is_v1)
    finally:
        _remove(folder)


def lack_of_groups() -> str | None:
    """Return why no group can be made here, or `None`."""
    try:
        with group_of(64 << 20) as group, Path(os.devnull).open("w") as log:
            ended = group.start(["true"], environment=dict(os.environ), log=log).wait()
            return f"{NO_GROUPS}: a program in one ended with {ended}" if ended else None
    except OSError as error:
        return f"{NO_GROUPS}: {error.strerror or error}"


def _remove(folder: Path) -> None:
    """A group stays busy for a moment after its last process has ended."""
    for _ in range(100):
        try:
            folder.rmdir()
        except OSError:
            sleep(0.05)
        else:
            return
