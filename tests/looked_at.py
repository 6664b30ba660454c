"""Counts the files whose state a piece of code requests: each `stat` is made, and recorded."""

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
    """Count the `stat` calls of the block on paths in a folder, by relative path; of one thread, or of every thread."""
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
    """Give all files and folders an old age: later writes have another one, even with a coarse clock."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
