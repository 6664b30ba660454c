"""Expected wait of a new request."""

import pytest

from chronotile.http.waiting_line import FORGET_S, WaitingLine
from tests.clock import Clock


@pytest.fixture
def clock():
    return Clock(1000.0)


def serve(line, clock, tokens, *, every_s):
    for token in tokens:
        clock.now_s += every_s
        line.leave(token, is_served=True)


def test_expected_wait_of_an_empty_line_is_zero(clock):
    assert WaitingLine(10.0, clock).expected_s() == 0


def test_unmeasured_work_is_as_fast_as_usual(clock):
    line = WaitingLine(0.5, clock)
    for _ in range(3):
        line.join()

    assert line.expected_s() == pytest.approx(4 * 0.5)


def test_work_that_takes_longer_counts_for_more(clock):
    line = WaitingLine(0.04, clock)
    for _ in range(10):
        line.join(usual_s=0.25)

    assert line.expected_s() == pytest.approx(11 * 0.25)


def test_assumed_time_is_at_least_the_usual_time(clock):
    line = WaitingLine(0.04, clock)
    line.join(usual_s=0.001)

    assert line.expected_s() == pytest.approx(2 * 0.04)


def test_pace_of_long_work_applies_to_short_work_too(clock):
    line = WaitingLine(0.1, clock)
    tokens = [line.join(usual_s=1.0) for _ in range(200)]
    serve(line, clock, tokens, every_s=2.0)
    for _ in range(10):
        line.join()

    assert line.expected_s() == pytest.approx(10 * 0.2 + 2.0, rel=0.01)


def test_the_pace_is_measured_while_others_wait(clock):
    line = WaitingLine(1.0, clock)
    tokens = [line.join() for _ in range(1000)]

    serve(line, clock, tokens[:900], every_s=0.01)

    assert len(line) == 100
    assert line._pace_s == pytest.approx(0.01, rel=0.1)


def test_one_long_interval_changes_the_pace_little(clock):
    """After a cold file or a pause of the machine, a hundred requests for quick work are still admitted."""
    line = WaitingLine(0.01, clock)
    tokens = [line.join() for _ in range(100)]

    serve(line, clock, tokens[:1], every_s=1.0)
    serve(line, clock, tokens[1:5], every_s=0.01)

    assert line.expected_s() < 3


def test_expected_wait_is_at_least_the_time_the_first_request_has_waited(clock):
    line = WaitingLine(0.01, clock)
    line.join()
    clock.now_s += 60

    assert line.expected_s() == pytest.approx(60)


def test_who_waited_in_vain_leaves_a_slow_pace(clock):
    line = WaitingLine(0.01, clock)
    tokens = [line.join() for _ in range(64)]
    clock.now_s += 10
    for token in tokens:
        line.leave(token, is_served=False)

    line.join()

    assert line.expected_s() > 5


def test_slow_running_work_raises_the_expected_wait_before_it_ends(clock):
    line = WaitingLine(0.1, clock)
    for _ in range(40):
        line.join()
    before_s = line.expected_s()
    clock.now_s += 2

    assert before_s < 5 < line.expected_s()


def test_slow_running_work_counts_as_its_share_of_the_threads(clock):
    one, four = WaitingLine(0.1, clock), WaitingLine(0.1, clock, threads=4)
    for line in (one, four):
        for _ in range(40):
            line.join()
    clock.now_s += 2

    assert four.expected_s() < one.expected_s()


def test_the_last_who_would_wait_too_long_are_refused(clock):
    line, refused = WaitingLine(1.0, clock), []
    for number in range(30):
        line.join(lambda number=number: refused.append(number))

    line.refuse_last(10.5)
    line.refuse_last(10.5)

    assert refused == [*reversed(range(10, 30))]
    assert len(line) == 10


def test_long_work_at_the_end_is_not_refused_for_its_own_time(clock):
    line, refused = WaitingLine(0.1, clock), []
    for number in range(20):
        line.join(lambda number=number: refused.append(number))
    line.join(lambda: refused.append("long"), usual_s=100.0)
    line.refuse_last(2.5)
    before = [*refused]
    line.join(lambda: refused.append("behind it"))
    line.refuse_last(2.5)

    assert (before, refused) == ([], ["behind it"])


def test_past_wait_counts(clock):
    line, refused = WaitingLine(1.0, clock), []
    for number in range(10):
        line.join(lambda number=number: refused.append(number))
    serve(line, clock, [line.join()], every_s=1.0)
    line.refuse_last(10.5)

    assert refused == [9]


@pytest.mark.parametrize("waiting", [100, 200])
def test_pause_refuses_no_request_for_quick_work(clock, waiting):
    line, refused = WaitingLine(0.01, clock), []
    for number in range(waiting):
        line.join(lambda number=number: refused.append(number))
    clock.now_s += 1.5
    line.refuse_last(10)

    assert refused == []


def test_who_may_not_be_refused_stays_though_it_came_last(clock):
    line, refused = WaitingLine(1.0, clock), []
    for number in range(20):
        line.join(lambda number=number: refused.append(number))
    token = line.join()
    line.refuse_last(10.5)

    assert refused == [*reversed(range(10, 20))]
    line.leave(token, is_served=True)
    assert len(line) == 10


def test_who_was_refused_and_is_served_at_the_same_moment_counts_as_served(clock):
    line = WaitingLine(1.0, clock)
    first, second = line.join(), line.join(lambda: None)
    line.refuse_last(1.5)
    assert len(line) == 1
    clock.now_s += 3
    for token in (first, second):
        line.leave(token, is_served=True)

    assert len(line) == 0


def test_request_refused_behind_a_hopeless_wait_leaves_a_slow_pace(clock):
    line = WaitingLine(0.01, clock)
    tokens = [line.join(lambda: None) for _ in range(64)]
    clock.now_s += 9.9
    line.refuse_last(10)
    refused = 64 - len(line)
    clock.now_s += 0.1
    for token in tokens:
        line.leave(token, is_served=False)
    line.join()

    assert refused > 32
    assert line.expected_s() > 5


def test_cancelled_request_does_not_change_the_pace(clock):
    line = WaitingLine(0.5, clock)
    token = line.join()
    clock.now_s += 10
    line.cancel(token)
    line.join()

    assert line.expected_s() == pytest.approx(2 * 0.5)


def test_a_pace_of_long_ago_is_forgotten(clock):
    line = WaitingLine(0.01, clock)
    serve(line, clock, [line.join() for _ in range(100)], every_s=3.0)
    clock.now_s += FORGET_S + 1
    line.join()

    assert line.expected_s() == pytest.approx(0.02)


def test_a_newcomer_of_another_client_waits_for_one_turn(clock):
    line = WaitingLine(0.5, clock)
    for _ in range(9):
        line.join(client="crowd")

    assert line.expected_s("crowd") == pytest.approx(10 * 0.5)
    assert line.expected_s("other") == pytest.approx(2 * 0.5)


def test_newcomer_waits_as_long_as_nothing_was_served(clock):
    line = WaitingLine(0.01, clock)
    line.join(client="crowd")
    clock.now_s += 9.0

    assert line.expected_s("other") >= 9.0


def test_the_last_of_the_longest_makes_room_unless_it_is_admitted(clock):
    line, refused = WaitingLine(0.5, clock), []
    for number in range(3):
        line.join(lambda number=number: refused.append(number), client="crowd")
    line.join(client="crowd")
    line.refuse(line.refusable_for("other"))

    assert refused == [2]
    assert line.refusable_for("crowd") is None
    assert len(line) == 3
