"""How far a job is, as one line of text in a terminal or a notebook, elsewhere in the log."""

import logging
import sys
from collections import deque

from chronotile_client.executions import JobState

WIDTH = 100
LOGGED_PERCENT = 10
"""A message is logged for each such step of progress, and for each status."""

_log = logging.getLogger(__name__)
_logged: deque[tuple[str | None, str, int]] = deque(maxlen=256)
"""Steps of jobs that were logged last: each is logged once, however often the job is looked at."""


def show_progress(state: JobState) -> None:
    """Write the state of a job over the line before, in a terminal or a notebook; elsewhere log it at INFO."""
    line = f"{state.process}: {state.status}, {state.progress} % {state.message}"[:WIDTH]
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        step = (state.id, state.status, state.progress // LOGGED_PERCENT)
        if step not in _logged:
            _logged.append(step)
            _log.info("job %s: %s", state.id, line)
        return
    end = "\n" if state.is_over else ""
    sys.stderr.write(f"\r{line:<{WIDTH}}{end}")
    sys.stderr.flush()
