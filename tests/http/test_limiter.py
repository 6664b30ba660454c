"""Numbers of running and waiting work."""

import asyncio
import os
import sys
import threading
from contextlib import nullcontext, suppress

import anyio
import anyio.lowlevel
import pytest

from chronotile.core.errors import ClientGone, ServerBusy
from chronotile.core.turns import CLIENT
from chronotile.http.limiter import MAX_SOURCES, MAX_WAITING, Limiter
from chronotile.http.limiter import PATIENCE_S as PATIENCE_OF_GATE_S
from tests.clock import Clock
from tests.running import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend():
    return "asyncio"


class Door:
    """Work that lasts until the test sets `open`."""

    def __init__(self):
        self.open = threading.Event()

    def work(self):
        assert self.open.wait(PATIENCE_S)
        return "done"


async def until(condition):
    with anyio.fail_after(PATIENCE_S):
        while not condition():
            await anyio.lowlevel.checkpoint()


def test_work_runs_in_a_thread():
    here = threading.get_ident()

    assert anyio.run(Limiter("pictures", 2).run, threading.get_ident) != here


async def test_one_source_that_hangs_leaves_threads_to_the_others():
    limiter, door = Limiter("pictures", 8), Door()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: limiter.run(door.work, sources=["hanging"]))
        await until(lambda: limiter.running == 2 and limiter.waiting == 18)
        other = await limiter.run(lambda: "quick", sources=["other"])
        door.open.set()

    assert (other, limiter.running, limiter.waiting) == ("quick", 0, 0)


async def test_work_of_several_sources_counts_as_a_thread_of_each():
    limiter, door = Limiter("pictures", 8), Door()
    async with anyio.create_task_group() as tasks:
        for first in ("a", "b", "c", "d"):
            tasks.start_soon(lambda first=first: limiter.run(door.work, sources=[first, "hanging"]))
        await until(lambda: limiter.running + limiter.waiting == 4)
        shared = limiter.running, limiter.waiting
        others = [await limiter.run(lambda: "quick", sources=[source]) for source in ("a", "b", "c", "d")]
        door.open.set()

    assert (shared, others, limiter.running, limiter.waiting) == ((2, 2), ["quick"] * 4, 0, 0)


async def test_work_that_waits_for_one_source_holds_no_thread_of_another():
    limiter, door = Limiter("pictures", 4), Door()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: limiter.run(door.work, sources=["hanging"]))
        await until(lambda: limiter.running == 1)
        tasks.start_soon(lambda: limiter.run(door.work, sources=["other", "hanging"]))
        await until(lambda: limiter.waiting == 1)
        other = await limiter.run(lambda: "quick", sources=["other"])
        door.open.set()

    assert (other, limiter.running, limiter.waiting) == ("quick", 0, 0)


async def free(limiter, source):
    """Take all free threads, turns and quotas of a source, and return their numbers."""
    return [await count_free(each) for each in (limiter._threads, limiter._slots, limiter._quota(source).threads)]


async def count_free(semaphore):
    count = 0
    while not semaphore.must_wait():
        await semaphore.acquire()
        count += 1
    return count


def fail():
    raise ZeroDivisionError


async def is_disconnected():
    return False


@pytest.mark.parametrize(
    ("work", "has_to_wait", "options", "expectation"),
    [
        (lambda: "done", False, {}, nullcontext()),
        (lambda: "done", True, {}, nullcontext()),
        (fail, False, {}, pytest.raises(ZeroDivisionError)),
        (fail, True, {}, pytest.raises(ZeroDivisionError)),
        (lambda: "done", False, {"is_connected": is_disconnected}, nullcontext()),
        (lambda: "done", True, {"is_connected": is_disconnected}, pytest.raises(ClientGone)),
    ],
    ids=["ends", "waits-and-ends", "fails", "waits-and-fails", "disconnected", "waits-disconnected"],
)
async def test_work_gives_back_its_thread_its_turn_and_its_share_however_it_ends(
    monkeypatch, work, has_to_wait, options, expectation
):
    monkeypatch.setattr("chronotile.http.limiter.STALLED_S", 60)
    limiter, door = Limiter("pictures", 4, quick_slots=1), Door()
    async with anyio.create_task_group() as tasks:
        if has_to_wait:
            tasks.start_soon(lambda: limiter.run(door.work, sources=["one"]))
            await until(lambda: limiter.running == 1)
            tasks.start_soon(opened_once, door, lambda: limiter.waiting == 1)
        with expectation:
            await limiter.run(work, sources=["one"], **options)

    assert await free(limiter, "one") == [4, 1, 1]


async def opened_once(door, condition):
    await until(condition)
    door.open.set()


async def test_work_that_is_cancelled_while_it_runs_gives_back_its_thread_its_turn_and_its_share(monkeypatch):
    monkeypatch.setattr("chronotile.http.limiter.STALLED_S", 60)
    limiter, door = Limiter("pictures", 4, quick_slots=1), Door()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: limiter.run(door.work, sources=["one"]))
        await until(lambda: limiter.running == 1)
        tasks.cancel_scope.cancel()
    door.open.set()

    assert await free(limiter, "one") == [4, 1, 1]


async def test_quick_work_runs_in_turns_though_there_are_threads(monkeypatch):
    monkeypatch.setattr("chronotile.http.limiter.STALLED_S", 60)
    limiter, door = Limiter("pictures", 8, quick_slots=2), Door()
    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(limiter.run, door.work)
        await until(lambda: (limiter.running, limiter.waiting) == (2, 6))
        door.open.set()

    assert (limiter.running, limiter.waiting) == (0, 0)


async def test_work_that_stalls_lets_others_begin():
    limiter, door = Limiter("pictures", 8, quick_slots=1), Door()
    async with anyio.create_task_group() as tasks:
        for number in range(3):
            tasks.start_soon(lambda number=number: limiter.run(door.work, sources=[f"hanging {number}"]))
        await until(lambda: limiter.running == 3)
        other = await limiter.run(lambda: "quick", sources=["other"])
        running = limiter.running
        door.open.set()
    after = [await limiter.run(lambda: "again") for _ in range(3)]

    assert (other, running, limiter.running, limiter.waiting, after) == ("quick", 3, 0, 0, ["again"] * 3)


async def test_work_cancelled_while_it_waits_takes_no_slot(monkeypatch):
    monkeypatch.setattr("chronotile.http.limiter.STALLED_S", 60)
    limiter, door = Limiter("pictures", 4, quick_slots=1), Door()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: limiter.run(door.work, sources=["one"]))
        await until(lambda: limiter.running == 1)
        async with anyio.create_task_group() as given_up:
            given_up.start_soon(lambda: limiter.run(door.work, sources=["other"]))
            await until(lambda: limiter.waiting == 1)
            given_up.cancel_scope.cancel()
        assert (limiter.running, limiter.waiting) == (1, 0)
        door.open.set()

    assert (await free(limiter, "one"), await count_free(limiter._quota("other").threads)) == ([4, 1, 1], 1)


async def fill(tasks, limiter, door, waiting, **kwargs):
    """Let one request occupy the only thread, and others wait."""
    tasks.start_soon(lambda: limiter.run(door.work, **kwargs))
    await until(lambda: limiter.running == 1)
    await fill_more(tasks, limiter, door, waiting, **kwargs)


async def fill_more(tasks, limiter, door, waiting, **kwargs):
    """Start `waiting` requests that wait; before, no request may wait."""
    for _ in range(waiting):
        tasks.start_soon(lambda: limiter.run(door.work, **kwargs))
    await until(lambda: limiter.waiting == waiting)


async def is_refused(limiter, door, **kwargs):
    """Return whether another request is refused immediately."""

    async def ask():
        try:
            with anyio.fail_after(0):
                await limiter.run(door.work, **kwargs)
        except ServerBusy:
            return True
        except TimeoutError:
            return False
        raise AssertionError("it ran")

    return await asyncio.create_task(ask())


@pytest.mark.parametrize("clients", [200, 500])
async def test_burst_of_quick_work_is_never_refused(clients):
    """Regression: most requests of 200 clients were refused, since more than 64 waited for one source."""

    limiter, door, answers = Limiter("series", 8, quick_slots=3, clock=Clock(1000.0)), Door(), []

    async def ask():
        answers.append(await limiter.run(door.work, sources=["one"]))

    async with anyio.create_task_group() as tasks:
        for _ in range(clients // 2):  # there are two workers
            tasks.start_soon(ask)
        await until(lambda: limiter.running + limiter.waiting == clients // 2)
        door.open.set()

    assert (answers, limiter.refused, limiter.waiting) == (["done"] * (clients // 2), 0, 0)


async def test_request_with_too_long_a_wait_is_refused():
    limiter, door = Limiter("coverages", 1, patience_s=30, usual_s=10, clock=Clock(1000.0)), Door()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, door, 3)
        first = await is_refused(limiter, door)
        door.open.set()

    assert (first, limiter.refused) == (True, 1)


async def test_last_requests_of_a_burst_of_long_work_are_refused_immediately():
    """Regression: before any measurement, 124 requests were admitted, and most were refused seconds later."""

    limiter, door = Limiter("areas", 1, patience_s=5, usual_s=0.04, clock=Clock(1000.0)), Door()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, door, 20, usual_s=0.25, sources=["one"])
        refused = [await is_refused(limiter, door, usual_s=0.25, sources=["one"]) for _ in range(30)]
        door.open.set()

    assert (refused, limiter.refused) == ([True] * 30, 30)


async def test_less_waiting_for_slower_work_is_admitted(monkeypatch):
    monkeypatch.setattr("chronotile.http.limiter.CHECK_S", 60)  # all slow work is measured

    clock = Clock(1000.0)
    limiter, first, last = Limiter("series", 1, patience_s=5, usual_s=0.01, clock=clock), Door(), Door()

    def slow():
        clock.now_s += 2

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.run, first.work)
        await until(lambda: limiter.running == 1)
        for _ in range(200):
            tasks.start_soon(limiter.run, slow)
        await until(lambda: limiter.waiting == 200)
        first.open.set()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, last, 2)
        refused = await is_refused(limiter, last)
        last.open.set()

    assert refused


async def test_the_last_are_refused_as_soon_as_the_work_turns_out_to_be_slow():
    """Regression: a burst of slow work was admitted, and the part that would be late was refused 10 s later."""

    clock = Clock(1000.0)
    limiter, door = Limiter("series", 1, patience_s=5, usual_s=0.1, clock=clock), Door()
    refused, done = [], []

    async def ask(number):
        try:
            await limiter.run(door.work, sources=["one"])
            done.append(number)
        except ServerBusy:
            refused.append(number)

    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(ask, number)
            await until(lambda number=number: limiter.running + limiter.waiting == number + 1)
        clock.now_s += 4
        await until(lambda: limiter.refused and len(refused) == limiter.refused)
        assert (limiter.running, limiter.waiting) == (1, 39 - len(refused))
        door.open.set()

    assert (done + sorted(refused), limiter.waiting) == ([*range(40)], 0)
    assert 10 < len(done) < 20


async def test_who_passed_a_step_is_not_refused_at_the_next_though_it_came_last():
    clock = Clock(1000.0)
    limiter, first, second = Limiter("series", 1, usual_s=0.1, clock=clock), Door(), Door()
    refused, parts = [], []

    async def in_two_parts():
        parts.append(await limiter.run(first.work))
        parts.append(await limiter.run(second.work))

    async def ask():
        try:
            await limiter.run(second.work)
        except ServerBusy:
            refused.append(1)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(in_two_parts)
        await until(lambda: limiter.running == 1)
        for _ in range(40):
            tasks.start_soon(ask)
        await until(lambda: limiter.waiting == 40)
        first.open.set()
        await until(lambda: parts and (limiter.running, limiter.waiting) == (1, 40))  # the second part came last
        clock.now_s += 6
        await until(lambda: refused)
        second.open.set()

    assert (parts, len(refused) == limiter.refused) == (["done", "done"], True)


async def test_who_has_waited_for_a_source_is_not_refused_behind_others_for_a_thread():
    clock = Clock(1000.0)
    limiter, door = Limiter("series", 4, usual_s=0.1, quick_slots=4, clock=clock), Door()
    source, done = Door(), []

    async def ask(name, **kwargs):
        with suppress(ServerBusy):
            await limiter.run(door.work, **kwargs)
            done.append(name)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: limiter.run(source.work, sources=["one"]))
        await until(lambda: limiter.running == 1)
        tasks.start_soon(lambda: ask("waited for the source", sources=["one"]))
        await until(lambda: limiter.waiting == 1)
        for _ in range(3 + 30):
            tasks.start_soon(ask, "other")
        await until(lambda: (limiter.running, limiter.waiting) == (4, 31))
        source.open.set()  # it moves to the end of the queue for a thread
        await until(lambda: len(limiter._line) == 30 and not any(len(each.line) for each in limiter._quotas.values()))
        clock.now_s += 8
        await until(lambda: limiter.refused)
        door.open.set()

    assert (done.count("waited for the source"), limiter.refused + len(done)) == (1, 34)


async def test_work_that_does_not_go_on_is_not_waited_for():
    clock = Clock(1000.0)
    limiter, door = Limiter("pictures", 1, clock=clock), Door()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, door, 1)
        before = await is_refused(limiter, door)
        clock.now_s += PATIENCE_OF_GATE_S + 1
        after = await is_refused(limiter, door)
        door.open.set()

    assert (before, after) == (False, True)


async def test_who_has_waited_too_long_is_refused():
    limiter, door = Limiter("pictures", 4, patience_s=0.05), Door()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: limiter.run(door.work, sources=["hanging"]))
        await until(lambda: limiter.running == 1)
        with pytest.raises(ServerBusy, match="would wait too long"):
            await limiter.run(door.work, sources=["hanging"])
        waiting = limiter.waiting
        other = await limiter.run(lambda: "quick", sources=["other"])
        door.open.set()

    assert (waiting, other, await limiter.run(lambda: "again", sources=["hanging"])) == (0, "quick", "again")


async def test_who_has_waited_too_long_for_a_thread_gives_back_its_share_of_the_source():
    limiter, door = Limiter("pictures", 4, quick_slots=4, patience_s=0.05), Door()
    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(lambda number=number: limiter.run(door.work, sources=[f"hanging {number}"]))
        await until(lambda: limiter.running == 4)
        with pytest.raises(ServerBusy):
            await limiter.run(door.work, sources=["other"])
        door.open.set()

    assert (await limiter.run(lambda: "quick", sources=["other"]), limiter.waiting) == ("quick", 0)


async def test_a_request_that_was_let_in_is_not_refused_with_the_rest_of_its_work():
    clock = Clock(1000.0)
    limiter, first, second = Limiter("series", 1, clock=clock), Door(), Door()

    async def in_two_parts():
        return [await limiter.run(first.work), await limiter.run(second.work)]

    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, second, 0)
        tasks.start_soon(in_two_parts)
        await until(lambda: limiter.waiting == 1)
        tasks.start_soon(limiter.run, second.work)
        await until(lambda: limiter.waiting == 2)
        clock.now_s += PATIENCE_OF_GATE_S + 1
        refused = await is_refused(limiter, second)
        first.open.set()
        second.open.set()

    assert (refused, limiter.refused) == (True, 1)


async def test_admitted_request_is_not_counted_as_refused():
    limiter, door = Limiter("areas", 1, clock=Clock(1000.0)), Door()
    limiter.max_waiting = 0
    await limiter.run(lambda: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.run, door.work)
        await until(lambda: limiter.running == 1)
        said = limiter.refuses(["a"])
        door.open.set()

    assert said is False


async def test_past_the_queue_work_is_refused_however_quick_it_is():
    limiter, door = Limiter("pictures", 1, usual_s=0.0001, clock=Clock(1000.0)), Door()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, door, MAX_WAITING)
        try:
            with pytest.raises(ServerBusy, match="would wait too long"):
                await limiter.run(door.work)
        finally:
            door.open.set()


async def test_limiter_predicts_and_counts_refusals():
    limiter, door = Limiter("pictures", 1, clock=Clock(1000.0)), Door()
    free = limiter.refuses(["a"])
    async with anyio.create_task_group() as tasks:
        limiter.max_waiting = 2
        await fill(tasks, limiter, door, 0, sources=["a"])
        busy = limiter.refuses(["a"])
        await fill_more(tasks, limiter, door, 1, sources=["a"])
        full = limiter.refuses(["a"]), limiter.refuses(["b"])
        door.open.set()

    assert (free, busy, full, limiter.refused) == (False, False, (True, False), 1)


async def test_one_source_fills_only_half_of_the_queue():
    limiter, door = Limiter("pictures", 4, usual_s=0.0001, clock=Clock(1000.0)), Door()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, door, MAX_WAITING // 2, sources=["hanging"])
        refused = await is_refused(limiter, door, sources=["hanging"])
        other = await limiter.run(lambda: "quick", sources=["other"])
        door.open.set()

    assert (refused, other) == (True, "quick")


async def test_a_source_that_hangs_refuses_only_its_own_requests():
    clock = Clock(1000.0)
    limiter, door = Limiter("pictures", 8, clock=clock), Door()
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(lambda: limiter.run(door.work, sources=["hanging"]))
        await until(lambda: limiter.running == 2 and limiter.waiting == 18)
        clock.now_s += PATIENCE_OF_GATE_S + 1
        refused = await is_refused(limiter, door, sources=["hanging"])
        other = [await limiter.run(lambda: "quick", sources=["other"]) for _ in range(3)]
        door.open.set()

    assert (refused, other) == (True, ["quick"] * 3)


async def test_refusals_are_logged_once_in_a_while(caplog):
    clock = Clock(1000.0)
    limiter, door = Limiter("coverages", 1, usual_s=60, clock=clock), Door()
    async with anyio.create_task_group() as tasks:
        await fill(tasks, limiter, door, 1)
        for _ in range(50):
            assert await is_refused(limiter, door)
        clock.now_s += 60
        assert await is_refused(limiter, door)
        door.open.set()

    assert [record.args[2] for record in caplog.records] == [1, 51]


async def test_sources_that_are_not_read_any_more_are_forgotten():
    limiter = Limiter("fetches", 8)
    for number in range(3000):
        await limiter.run(lambda: None, sources=[f"host {number}"])

    assert len(limiter._quotas) <= MAX_SOURCES


async def test_work_of_a_client_that_left_during_the_wait_is_not_run():
    limiter, door, ran, refused = Limiter("pictures", 1), Door(), [], []

    async def run_disconnected():
        with pytest.raises(ClientGone):
            await limiter.run(lambda: ran.append(1), is_connected=is_disconnected)
        refused.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.run, door.work)
        await until(lambda: limiter.running == 1)
        tasks.start_soon(run_disconnected)
        await until(lambda: limiter.waiting == 1)
        door.open.set()

    assert (ran, refused) == ([], [True])


async def test_an_error_of_the_work_frees_its_place():
    def fail():
        raise ValueError("no")

    limiter = Limiter("pictures", 1)
    with pytest.raises(ValueError, match="no"):
        await limiter.run(fail, sources=["a"])

    assert (limiter.running, limiter.waiting) == (0, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no niceness of their own")
async def test_threads_give_way_by_the_niceness_of_their_gate():
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    nicer, plain = await Limiter("cubes", 1, niceness=7).run(niceness), await Limiter("pictures", 1).run(niceness)

    assert (nicer, plain) == (min(niceness() + 7, 19), niceness())


async def wait_as(client, limiter, served, *, sources=()):
    CLIENT.set(client)
    await limiter.run(lambda: served.append(client), sources=sources)


@pytest.mark.parametrize("sources", [[], ["one"]], ids=["thread", "source"])
async def test_clients_take_turns_at_a_limiter(sources):
    limiter, door, served = Limiter("pictures", 1, clock=Clock(1000.0)), Door(), []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: limiter.run(door.work, sources=sources))
        await until(lambda: limiter.running == 1)
        for client in ("crowd", "crowd", "crowd", "crowd", "one", "other", "one"):
            tasks.start_soon(lambda client=client: wait_as(client, limiter, served, sources=sources))
        await until(lambda: limiter.waiting == 7)
        door.open.set()

    assert served == ["crowd", "one", "other", "crowd", "one", "crowd", "crowd"]


async def test_a_full_limiter_refuses_the_last_of_the_longest():
    limiter, door, served, refused = Limiter("pictures", 1, clock=Clock(1000.0)), Door(), [], []
    limiter.max_waiting = 4

    async def run(client):
        try:
            await wait_as(client, limiter, served)
        except ServerBusy:
            refused.append(client)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.run, door.work)
        await until(lambda: limiter.running == 1)
        for client in ("crowd", "crowd", "crowd", "crowd", "crowd", "other"):
            tasks.start_soon(run, client)
            await anyio.lowlevel.checkpoint()
        await until(lambda: len(refused) == 2 and limiter.waiting == 4)
        door.open.set()

    assert refused == ["crowd", "crowd"]
    assert sorted(served) == ["crowd", "crowd", "crowd", "other"]


async def test_a_crowd_does_not_count_for_the_wait_of_others():
    limiter, door, served = Limiter("coverages", 1, usual_s=1.0, patience_s=30.0, clock=Clock(1000.0)), Door(), []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(limiter.run, door.work)
        await until(lambda: limiter.running == 1)
        for _ in range(30):
            tasks.start_soon(wait_as, "crowd", limiter, served)
        await until(lambda: limiter.waiting == 30)
        CLIENT.set("crowd")
        is_crowd_refused = await is_refused(limiter, door)
        tasks.start_soon(wait_as, "other", limiter, served)
        await until(lambda: limiter.waiting == 31)
        door.open.set()

    assert is_crowd_refused
    assert served[1] == "other"
