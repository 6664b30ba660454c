"""Setup of each local Dask worker process."""

import logging
import os
import signal

from chronotile.core.private_files import OTHERS

_NO_SCHEDULER = "Failed to communicate with scheduler"


def dask_setup(_worker: object) -> None:
    """Ignore Ctrl-C and hide Dask's log lines of it, as the parent ends the process. Dask calls this by its name."""
    os.umask(OTHERS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends SIGINT to all processes of the group
    logging.getLogger("distributed.worker").addFilter(lambda record: not str(record.msg).startswith(_NO_SCHEDULER))
