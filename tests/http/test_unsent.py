"""Answers that clients do not fetch use no more memory than their limit."""

import pytest

from chronotile.http.body_memory import MAX_BYTES
from chronotile.http.unsent_answers import FREE_UNSENT_BYTES, SETTLED_S, UnsentAnswers
from chronotile.pipeline.caches.answer_memory import AnswerMemory

SIXTH = MAX_BYTES // 6


class Transport:
    """Transport with the members that unsent answers use."""

    def __init__(self, left):
        self.left, self.is_aborted = left, False

    def get_write_buffer_size(self):
        return self.left

    def abort(self):
        self.is_aborted = True


@pytest.fixture
def clock():
    """List that contains the time in seconds."""
    return [0.0]


def test_above_the_bound_the_slowest_connection_is_closed(clock):
    memory = AnswerMemory(MAX_BYTES)
    unsent = UnsentAnswers(memory, clock=lambda: clock[0])
    transports = [Transport(SIXTH) for _ in range(7)]
    for each in transports[:6]:
        unsent.add(each)
        clock[0] += SETTLED_S
    for number, each in enumerate(transports[:6]):
        each.left -= 0 if number == 3 else SIXTH // 2
    unsent.add(transports[6])

    assert [each.is_aborted for each in transports] == [number == 3 for number in range(7)]
    assert unsent.taken_bytes == 6 * SIXTH
    assert memory.taken_bytes == 6 * SIXTH - FREE_UNSENT_BYTES


def test_a_new_connection_is_closed_only_if_all_are_as_new(clock):
    unsent = UnsentAnswers(AnswerMemory(), clock=lambda: clock[0])
    old, new = Transport(MAX_BYTES), Transport(SIXTH)
    unsent.add(old)
    clock[0] += SETTLED_S
    old.left -= SIXTH
    unsent.add(new)

    assert (old.is_aborted, new.is_aborted) == (True, False)


def test_one_answer_may_be_larger_than_the_bound(clock):
    unsent = UnsentAnswers(AnswerMemory(), clock=lambda: clock[0])
    transport = Transport(2 * MAX_BYTES)

    unsent.add(transport)
    assert not transport.is_aborted
    unsent.remove(transport)
    unsent.remove(transport)

    assert unsent.taken_bytes == 0


def test_received_answer_releases_its_memory():
    memory = AnswerMemory(MAX_BYTES)
    unsent = UnsentAnswers(memory)
    transport = Transport(SIXTH)

    unsent.add(transport)
    transport.left = 1
    unsent.add(transport)
    unsent.remove(transport)

    assert memory.taken_bytes == 0
