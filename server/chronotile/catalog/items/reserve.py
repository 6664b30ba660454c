"""Reserved disk space for removing items on a full disk: SQLite writes before it frees anything."""

import os
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from chronotile.catalog.items.schema import INDEX_FILE
from chronotile.core.private_files import open_private

RESERVE = f"{INDEX_FILE}.reserve"
RESERVE_BYTES = 8 << 20
"""Twice the log size at which SQLite moves its log into the database file."""


MARGIN_BYTES = 4 << 20
"""Free space that must remain for other programs before the reserve is made again."""


def keep_reserve(folder: Path, *, margin_bytes: int = MARGIN_BYTES) -> None:
    """Write the reserve file, unless it exists or the disk is too full.

    Args:
        folder: Folder of the index.
        margin_bytes: Space that must remain free in addition.
    """
    file = folder / RESERVE
    with suppress(OSError):
        if file.exists() and file.stat().st_size == RESERVE_BYTES:
            return
        if disk_usage(folder).free < RESERVE_BYTES + margin_bytes:
            return
        try:
            with open(file, "wb", opener=open_private) as written:
                written.write(os.urandom(RESERVE_BYTES))  # a file system that compresses would keep no room by zeros
        except OSError:
            file.unlink(missing_ok=True)


def release_reserve(folder: Path) -> bool:
    """Delete the reserve file; return whether it existed."""
    try:
        (folder / RESERVE).unlink()
    except FileNotFoundError:
        return False
    return True
