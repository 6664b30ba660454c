"""How far a job is, as one line of text."""

import sys

from chronotile_client.executions import JobState

WIDTH = 100


def show_progress(state: JobState) -> None:
    """Write the state of a job over the line before, in a terminal or a notebook; elsewhere write nothing."""
    if not (sys.stderr.isatty() or "ipykernel" in sys.modules):
        return
    line = f"{state.process}: {state.status}, {state.progress} % {state.message}"[:WIDTH]
    end = "\n" if state.is_over else ""
    sys.stderr.write(f"\r{line:<{WIDTH}}{end}")
    sys.stderr.flush()
