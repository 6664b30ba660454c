"""Files and folders that only the user who runs the server and workers may read."""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

FILE_MODE = 0o600

FOLDER_MODE = 0o700

OTHERS = 0o077
"""Permissions of the group and other users, which are removed; also the umask of worker processes."""


def make_private_folder(folder: Path) -> None:
    """Make a private folder and its missing parents, unless they exist.

    Raises:
        OSError: It cannot be made.
    """
    missing = [path for path in (folder, *folder.parents) if not path.exists()] or [folder]
    for path in reversed(missing):
        path.mkdir(mode=FOLDER_MODE, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """Open a file; a new file is private. For the `opener` of `open`."""
    return os.open(path, flags, FILE_MODE)


def make_private_file(path: Path) -> None:
    """Make an empty private file unless it exists; an existing file is not opened.

    Raises:
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))


def make_private(path: Path) -> None:
    """Remove permissions of other users, for example from a folder of the operator or a restored backup."""
    try:
        mode = path.stat().st_mode
        if mode & OTHERS:
            path.chmod(mode & 0o7700)
    except FileNotFoundError:
        return
    except OSError:
        log.warning("other users of this machine may read %s: it belongs to another user", path)
