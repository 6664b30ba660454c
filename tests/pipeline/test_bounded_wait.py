"""Looks at what may hang."""

import threading
from concurrent.futures import wait

import pytest

from chronotile.pipeline.bounded_wait import BoundedLooks
from tests.running import PATIENCE_S


@pytest.fixture
def door():
    """What a look waits for; open in the end, so that no thread is left."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def late(door):
    """Looks of which one, at `store`, has been given up."""
    looks = BoundedLooks(patience_s=0.05)
    assert looks.take("store", door.wait, known="before") == "before"
    looks._patience_s = PATIENCE_S  # others are to be found however busy the machine is
    return looks


def test_what_is_found_is_told():
    assert BoundedLooks().take("store", lambda: "now", known="before") == "now"


def test_a_machine_that_stands_still_makes_no_look_late(door, monkeypatch):
    """The fault: after a pause of more than the patience, older data were told though the store answered."""
    turns = []

    def wait_as_the_machine_stands_still(futures, turn_s):
        turns.append(turn_s)
        if len(turns) > 1:  # the look goes on when the first turn is over
            door.set()
        return wait(futures, turn_s if len(turns) > 1 else 0)

    monkeypatch.setattr("chronotile.pipeline.bounded_wait.wait", wait_as_the_machine_stands_still)

    assert BoundedLooks(PATIENCE_S).take("store", lambda: door.wait() and "now", known="before") == "now"


def test_while_a_late_look_goes_on_no_other_is_begun(late):
    assert late.take("store", lambda: "now", known="before") == "before"


def test_other_things_are_looked_at_meanwhile(late):
    assert late.take("another", lambda: "now", known="before") == "now"


def test_when_a_late_look_has_ended_others_are_taken(late, door):
    threads = [each for each in threading.enumerate() if each.name == "look"]

    door.set()
    for thread in threads:
        thread.join(PATIENCE_S)

    assert late.take("store", lambda: "now", known="before") == "now"


@pytest.mark.parametrize("error", [OSError, TimeoutError])
def test_an_error_is_that_of_who_asked(error):
    def look():
        raise error("gone")

    with pytest.raises(error, match="gone"):
        BoundedLooks().take("store", look, known="before")
