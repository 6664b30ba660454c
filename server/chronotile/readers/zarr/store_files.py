"""Files and folders that distinguish Icechunk repositories and xcube's folders of levels from other stores."""

import os
from pathlib import Path

from chronotile.core.errors import UnsupportedSource

LEVELS_END = ".levels"
"""End of the name of a folder with the levels of xcube, `0.zarr`, `1.zarr`, …, each with half the resolution."""

LINK = "0.link"
"""File in such a folder with the path of the store of the finest level."""

MAX_LINK_BYTES = 4096

HEADS = ("repo", "refs/branch.main/ref.json")
"""Documents of Icechunk repositories (format 2 and 1) that each commit replaces."""

SNAPSHOTS = "snapshots"
"""Folder that Icechunk repositories of both formats have."""


def linked_store(levels: Path) -> Path | None:
    """Return the store of the finest level of a folder of levels, by its link; `None` without a link.

    The path is relative to that folder, or, from some versions of xcube, to its parent folder.

    Raises:
        UnsupportedSource: The link is empty or not printable.
    """
    if levels.suffix != LEVELS_END or not (levels / LINK).is_file():
        return None
    with (levels / LINK).open("rb") as file:
        text = os.fsdecode(file.read(MAX_LINK_BYTES)).strip()
    if not text.isprintable() or not text:
        raise UnsupportedSource(f"its {LINK} holds no path")
    below, below_parent = (Path(os.path.normpath(base / text)) for base in (levels, levels.parent))
    return below_parent if below_parent.is_dir() and not below.is_dir() else below
