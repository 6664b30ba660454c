"""What each process of a cluster of our own does first of all."""

import logging
import os
import signal

from chronotile.core.durable_files import OTHERS

_NO_SCHEDULER = "Failed to communicate with scheduler"


def dask_setup(_worker: object) -> None:
    """Ignore Ctrl-C and hide what Dask logs then, as the parent ends the process; Dask calls this by its name."""
    os.umask(OTHERS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts it as well as us
    logging.getLogger("distributed.worker").addFilter(lambda record: not str(record.msg).startswith(_NO_SCHEDULER))
