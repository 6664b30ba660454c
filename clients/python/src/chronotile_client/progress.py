"""The progress of a job, as a line of text in a terminal or a notebook, otherwise in the log."""

import logging
import sys
from collections import deque

from chronotile_client.executions import JobState

WIDTH = 100
LOGGED_PERCENT = 10
"""A message is logged for each step of this size, and for each status."""

_log = logging.getLogger(__name__)
_logged: deque[tuple[str | None, str, int]] = deque(maxlen=256)
"""Last logged steps of jobs: each is logged once, however often the state is requested."""


def show_progress(state: JobState) -> None:
    """Overwrite the last line with the state of a job in a terminal or a notebook, otherwise log it at INFO."""
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
