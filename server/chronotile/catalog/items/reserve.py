"""Reserved disk space for removing items on a full disk: SQLite writes before it frees anything."""

import os
from contextlib import suppress
from pathlib import Path
from shutil import disk_usage

from chronotile.catalog.items.schema import FILE
from chronotile.core.durable_files import open_private

RESERVE = f"{FILE}.reserve"
RESERVE_BYTES = 8 << 20
"""Twice the log of changes that SQLite lets grow before it carries them into its file."""


MARGIN_BYTES = 4 << 20
"""What is left to others beside the room, where it is not made right after it was used."""


def keep_reserve(folder: Path, *, margin_bytes: int = MARGIN_BYTES) -> None:
    """Write the file that holds the room of an index, unless it is there or the disk has no such room.

    Args:
        folder: Of the index.
        margin_bytes: What has to be free beside it.
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
    """Free the room; return whether there was some."""
    try:
        (folder / RESERVE).unlink()
    except FileNotFoundError:
        return False
    return True
