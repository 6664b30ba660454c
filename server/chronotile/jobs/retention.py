"""What is forgotten: jobs that ended long ago, with their files."""

import logging
import shutil
from pathlib import Path

from chronotile.jobs.table import JobTable

AT_ONCE = 500
"""Jobs forgotten in one transaction, so that nobody waits for it for long."""

log = logging.getLogger(__name__)


def forget_ended(table: JobTable, folder: Path, *, before: float) -> int:
    """Forget jobs that ended before a moment, and return how many.

    The files of a job go first: what is interrupted is done the next time. A job whose files cannot be removed is
    kept, and an operator told.

    Args:
        table: That of the jobs.
        folder: Of the jobs, with a folder of each by its id.
        before: Seconds since 1970, UTC.

    Raises:
        SourceUnavailable: The table is out of reach.
    """
    ended = table.ended_before(before)
    gone = 0
    for start in range(0, len(ended), AT_ONCE):
        without_files = [id_ for id_ in ended[start : start + AT_ONCE] if _remove(folder / id_)]
        table.forget(without_files)
        gone += len(without_files)
    return gone


def _remove(folder: Path) -> bool:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:  # it had none, or another worker removes it now
        return not folder.exists()
    except OSError as error:
        log.warning("the job %s is not forgotten, as its files cannot be removed: %s", folder.name, error.strerror)
        return False
    return True
