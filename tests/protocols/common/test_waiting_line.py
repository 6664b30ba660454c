"""How long a newcomer would wait."""

import pytest

from chronotile.protocols.common.waiting_line import FORGET_S, WaitingLine


class Clock:
    """Seconds that the test sets."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


def serve(line, clock, tokens, *, every_s):
    for token in tokens:
        clock.now_s += every_s
        line.leave(token, is_served=True)


def test_nobody_waits_where_nobody_does(clock):
    assert WaitingLine(10.0, clock).expected_s == 0


def test_unmeasured_work_is_as_fast_as_usual(clock):
    line = WaitingLine(0.5, clock)
    for _ in range(3):
        line.join()

    assert line.expected_s == pytest.approx(4 * 0.5)


def test_the_pace_is_measured_while_others_wait(clock):
    line = WaitingLine(1.0, clock)
    tokens = [line.join() for _ in range(1000)]

    serve(line, clock, tokens[:900], every_s=0.01)

    assert len(line) == 100
    assert line._pace_s == pytest.approx(0.01, rel=0.1)


def test_one_long_interval_says_little(clock):
    """A cold file, or a pause of the machine, refuses nobody of a hundred who wait for quick work."""
    line = WaitingLine(0.01, clock)
    tokens = [line.join() for _ in range(100)]

    serve(line, clock, tokens[:1], every_s=1.0)
    serve(line, clock, tokens[1:5], every_s=0.01)

    assert line.expected_s < 3


def test_it_takes_at_least_as_long_as_the_first_has_waited(clock):
    line = WaitingLine(0.01, clock)
    line.join()
    clock.now_s += 60

    assert line.expected_s == pytest.approx(60)


def test_who_waited_in_vain_leaves_a_slow_pace(clock):
    line = WaitingLine(0.01, clock)
    tokens = [line.join() for _ in range(64)]
    clock.now_s += 10
    for token in tokens:
        line.leave(token, is_served=False)

    line.join()

    assert line.expected_s > 5


def test_who_cancels_says_nothing_of_the_pace(clock):
    line = WaitingLine(0.5, clock)
    token = line.join()
    clock.now_s += 10
    line.cancel(token)
    line.join()

    assert line.expected_s == pytest.approx(2 * 0.5)


def test_a_pace_of_long_ago_is_forgotten(clock):
    line = WaitingLine(0.01, clock)
    serve(line, clock, [line.join() for _ in range(100)], every_s=3.0)
    clock.now_s += FORGET_S + 1
    line.join()

    assert line.expected_s == pytest.approx(0.02)
