"""The folder of a job: its partial results, its results, and their removal."""

import logging
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from chronotile.durable_files import Disk
from chronotile.private_files import make_private_folder

log = logging.getLogger(__name__)

RESULTS = "results"


PARTIAL_RESULTS = "pieces"
"""In it each plan has a folder of its own: a process that was suspended may still do a task of an older plan."""


ASIDE = "pieces.gone."
"""Beginning of the names that partial results get which are to be removed."""


def make_folders(folder: Path) -> None:
    """Make the folders of a job."""
    for name in (PARTIAL_RESULTS, RESULTS):
        make_private_folder(folder / name)
    Disk().settle([folder.parent, folder, folder / PARTIAL_RESULTS])


def clear(folder: Path) -> None:
    """Remove all of a job but its results; tasks that are still being done see it and stop."""
    try:
        remove_partial_results(folder)
        for each in folder.glob("*"):
            if each.is_file():
                each.unlink(missing_ok=True)
    except OSError as error:
        log.warning("obsolete files of the job %s cannot be deleted: %s", folder.name, error)


def remove(folder: Path) -> bool:
    """Remove all of a job, results too; return whether all is gone. If not, the operator gets a log line."""
    try:
        _put_aside(folder)
        shutil.rmtree(folder)
    except FileNotFoundError:  # it had none, or another removes it now
        return not folder.exists()
    except OSError as error:
        log.warning("the files of the job %s cannot be deleted: %s", folder.name, error)
        return False
    return True


def remove_partial_results(folder: Path) -> None:
    """Remove the partial results of a job; tasks that are still being done find no place to write."""
    _put_aside(folder)
    for gone in folder.glob(f"{ASIDE}*"):
        shutil.rmtree(gone, ignore_errors=True)


def _put_aside(folder: Path) -> None:
    """Let tasks that are still being done find no place to write: they might while all is removed."""
    with suppress(FileNotFoundError):
        (folder / PARTIAL_RESULTS).rename(folder / f"{ASIDE}{secrets.token_hex(4)}")
