from benchmarks.soak.clock import TICK_S, ActiveClock


def test_clock_stands_still_while_the_process_is_stopped():
    moments = iter([0.0, 1.0, 301.0, 302.0])
    clock = ActiveClock(lambda: next(moments))

    active = [clock.now(), clock.now(), clock.now()]

    assert active == [1.0, 1.0 + TICK_S, 2.0 + TICK_S]
    assert clock.stops == 1
