"""What each process of a cluster of our own does first of all."""

import logging
import os
import signal

from chronotile.queue.private_files import OTHERS

_NO_SCHEDULER = "Failed to communicate with scheduler"


def dask_setup(_worker: object) -> None:
    """Leave it to us to end the process, and to tell why; Dask calls this by its name."""
    os.umask(OTHERS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts it as well as us
    logging.getLogger("distributed.worker").addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of Dask's log is about more than the scheduler being gone, which it is when we end."""
    return not str(record.msg).startswith(_NO_SCHEDULER)
