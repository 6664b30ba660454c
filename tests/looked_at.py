"""Which files a piece of code asks the system about: each `stat` is made, and noted."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def looked_at(folder: Path) -> Iterator[Counter[str]]:
    """Count the `stat` calls of the block on what lies in a folder, by path from there."""
    paths: list[str] = []
    stat, start = os.stat, f"{folder}/"

    def noted(path, *rest, **options):
        paths.append(str(path))
        return stat(path, *rest, **options)

    found = Counter[str]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", noted)
        yield found
    found.update(path.removeprefix(start) for path in paths if path.startswith(start))
