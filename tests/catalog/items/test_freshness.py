"""Counters of collections that are looked up by one thread and forgotten by another."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from chronotile.catalog.items.collection_states import CollectionStates
from chronotile.core.model.items import CollectionState
from tests.running import until


def test_counters_cleared_by_another_thread_are_not_zero():
    looked_up = count(1)

    def clock() -> float:
        if meanwhile:
            meanwhile.pop()()  # as another thread between two steps of this one
        return 0.0

    meanwhile = []
    states = CollectionStates(
        lambda: {"scenes": CollectionState(counter=next(looked_up), times_counter=0, layouts_counter=0)}, clock
    )
    states.state_of("scenes")
    meanwhile.append(states.forget)

    during, after = states.state_of("scenes"), states.state_of("scenes")

    assert (during.counter, after.counter) == (1, 2)


def test_threads_that_wait_for_a_look_up_take_the_next_one_together():
    looked_up, ticks, held = [], [], threading.Event()

    def look_up():
        looked_up.append(len(ticks))
        held.wait()
        return {"scenes": CollectionState(counter=len(looked_up), times_counter=0, layouts_counter=0)}

    def clock():
        ticks.append(None)
        return float(len(ticks))

    states = CollectionStates(look_up, clock)
    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(states.state_of, "scenes", is_fresh=True)
        until(lambda: looked_up)
        before = len(ticks)
        others = [threads.submit(states.state_of, "scenes", is_fresh=True) for _ in range(8)]
        until(lambda: len(ticks) == before + 8)
        held.set()
        counters = [each.result().counter for each in (first, *others)]

    assert counters == [1] + [2] * 8
