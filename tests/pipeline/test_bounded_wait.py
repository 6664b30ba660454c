"""Limits the time of checks that may hang."""

import threading
from concurrent.futures import wait

import pytest

from chronotile.pipeline.bounded_wait import BoundedChecks
from tests.running import PATIENCE_S


@pytest.fixture
def door():
    """Return an event that a check waits for; it is set at the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def late(door):
    """Return checks after one, at `store`, has timed out."""
    looks = BoundedChecks(max_wait_s=0.05)
    assert looks.run("store", door.wait, last_value="before") == "before"
    looks._max_wait_s = PATIENCE_S  # other checks must end even on a busy machine
    return looks


def test_result_is_returned():
    assert BoundedChecks().run("store", lambda: "now", last_value="before") == "now"


def test_a_machine_that_stands_still_makes_no_look_late(door, monkeypatch):
    """The fault: after a pause longer than the patience, older data were returned though the store answered."""
    turns = []

    def wait_as_the_machine_stands_still(futures, turn_s):
        turns.append(turn_s)
        if len(turns) > 1:  # the check continues after the first turn
            door.set()
        return wait(futures, turn_s if len(turns) > 1 else 0)

    monkeypatch.setattr("chronotile.pipeline.bounded_wait.wait", wait_as_the_machine_stands_still)

    assert BoundedChecks(PATIENCE_S).run("store", lambda: door.wait() and "now", last_value="before") == "now"


def test_no_second_look_starts_during_a_late_one(late):
    assert late.run("store", lambda: "now", last_value="before") == "before"


def test_other_things_are_looked_up_during_a_late_look(late):
    assert late.run("another", lambda: "now", last_value="before") == "now"


def test_other_results_are_accepted_after_a_late_look_ended(late, door):
    threads = [each for each in threading.enumerate() if each.name == "check"]

    door.set()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert late.run("store", lambda: "now", last_value="before") == "now"


@pytest.mark.parametrize("error", [OSError, TimeoutError])
def test_error_is_raised_to_its_caller(error):
    def look():
        raise error("gone")

    with pytest.raises(error, match="gone"):
        BoundedChecks().run("store", look, last_value="before")
