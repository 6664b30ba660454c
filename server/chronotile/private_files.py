"""Files and folders of jobs and of the item index, which only the user who runs the server and workers may read."""

import logging
import os
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

FILE_MODE = 0o600
FOLDER_MODE = 0o700
OTHERS = 0o077
"""What the group and other users may not do; also the umask of worker processes."""


def make_private_folder(folder: Path) -> None:
    """Make a folder if it is missing, and those above it that are missing.

    Raises:
        OSError: It cannot be made.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing or [folder]):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """Open a file; if this makes it, it is private. For the `opener` of `open`."""
    return os.open(path, flags, FILE_MODE)


def make_private_file(path: Path) -> None:
    """Make an empty file if it is missing; one that exists is not opened.

    Raises:
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))


def make_private(path: Path) -> None:
    """Remove permissions of other users, which older versions gave; a path of another owner is left as it is."""
    try:
        mode = path.stat().st_mode
        if mode & OTHERS:
            path.chmod(mode & 0o7700)
    except FileNotFoundError:
        return
    except OSError:
        log.warning("other users of this machine may read %s: it belongs to another user", path)
