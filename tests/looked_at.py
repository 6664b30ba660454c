"""Which files a piece of code asks the system about: each `stat` is made, and noted."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LONG_AGO_NS = 1_500_000_000 * 10**9


@contextmanager
def looked_at(folder: Path, *, thread: int | None = None) -> Iterator[Counter[str]]:
    """Count the `stat` calls of the block on what lies in a folder, by path from there; of one thread, or of all."""
    paths: list[str] = []
    stat, start = os.stat, f"{folder}/"

    def noted(path, *rest, **options):
        if thread in (None, threading.get_ident()):
            paths.append(str(path))
        return stat(path, *rest, **options)

    found = Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", noted)
        yield found
    found.update(path.removeprefix(start) for path in paths if path.startswith(start))


def settle(folder: Path) -> None:
    """Give all files and folders an old age: what is written next has another one, however coarse the clock is."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
