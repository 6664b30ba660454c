"""Signals that end a run of tests.

Commands in the process of the tests replace the handlers, so that a signal ended the command alone, with status 0.
"""

import signal

import pytest

from chronotile.app.process_setup import ENDING, is_told_to_end

HANDLERS = {number: signal.getsignal(number) for number in ENDING}


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Restore the handlers after each test; end the run if a command received a signal."""
    for number, handler in HANDLERS.items():
        signal.signal(number, handler)
    if is_told_to_end():
        item.session.shouldstop = "a signal to end the run was received during a command"
