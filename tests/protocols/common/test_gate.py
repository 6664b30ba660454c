"""How much work runs and waits."""

import os
import sys
import threading

import anyio
import anyio.lowlevel
import pytest

from chronotile.errors import ServerBusy
from chronotile.protocols.common.gate import Gate
from tests.running import PATIENCE_S


class Door:
    """Work that ends when the test says so."""

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

    assert anyio.run(Gate("pictures", 2).run, threading.get_ident) != here


def test_one_source_that_hangs_leaves_threads_to_the_others():
    async def main():
        gate, door = Gate("pictures", 8), Door()
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(lambda: gate.run(door.work, sources=["hanging"]))
            await until(lambda: gate.running == 2 and gate.waiting == 18)
            other = await gate.run(lambda: "quick", sources=["other"])
            door.open.set()
        return other, gate.running, gate.waiting

    assert anyio.run(main) == ("quick", 0, 0)


def test_work_of_several_sources_counts_as_a_thread_of_each():
    async def main():
        gate, door = Gate("pictures", 8), Door()
        async with anyio.create_task_group() as tasks:
            for first in ("a", "b", "c", "d"):
                tasks.start_soon(lambda first=first: gate.run(door.work, sources=[first, "hanging"]))
            await until(lambda: gate.running + gate.waiting == 4)
            shared = gate.running, gate.waiting
            others = [await gate.run(lambda: "quick", sources=[source]) for source in ("a", "b", "c", "d")]
            door.open.set()
        return shared, others, gate.running, gate.waiting

    assert anyio.run(main) == ((2, 2), ["quick"] * 4, 0, 0)


def test_work_that_waits_for_one_source_holds_no_thread_of_another():
    async def main():
        gate, door = Gate("pictures", 4), Door()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: gate.run(door.work, sources=["hanging"]))
            await until(lambda: gate.running == 1)
            tasks.start_soon(lambda: gate.run(door.work, sources=["other", "hanging"]))
            await until(lambda: gate.waiting == 1)
            other = await gate.run(lambda: "quick", sources=["other"])
            door.open.set()
        return other, gate.running, gate.waiting

    assert anyio.run(main) == ("quick", 0, 0)


def test_quick_work_runs_in_turns_though_there_are_threads(monkeypatch):
    monkeypatch.setattr("chronotile.protocols.common.gate.STALLED_S", 60)

    async def main():
        gate, door = Gate("pictures", 8, brisk=2), Door()
        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(gate.run, door.work)
            await until(lambda: (gate.running, gate.waiting) == (2, 6))
            door.open.set()
        return gate.running, gate.waiting

    assert anyio.run(main) == (0, 0)


def test_work_that_stalls_lets_others_begin():
    async def main():
        gate, door = Gate("pictures", 8, brisk=1), Door()
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(lambda number=number: gate.run(door.work, sources=[f"hanging {number}"]))
            await until(lambda: gate.running == 3)
            other = await gate.run(lambda: "quick", sources=["other"])
            running = gate.running
            door.open.set()
        after = [await gate.run(lambda: "again") for _ in range(3)]
        return other, running, gate.running, gate.waiting, after

    assert anyio.run(main) == ("quick", 3, 0, 0, ["again"] * 3)


def test_work_that_is_given_up_while_it_waits_for_its_turn_takes_none(monkeypatch):
    monkeypatch.setattr("chronotile.protocols.common.gate.STALLED_S", 60)

    async def main():
        gate, door = Gate("pictures", 4, brisk=1), Door()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run, door.work)
            await until(lambda: gate.running == 1)
            async with anyio.create_task_group() as given_up:
                given_up.start_soon(gate.run, door.work)
                await until(lambda: gate.waiting == 1)
                given_up.cancel_scope.cancel()
            assert (gate.running, gate.waiting) == (1, 0)
            door.open.set()
        return await gate.run(lambda: "next")

    assert anyio.run(main) == "next"


def test_past_the_queue_work_is_refused():
    async def main():
        gate, door = Gate("pictures", 1), Door()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run, door.work)
            await until(lambda: gate.running == 1)
            for _ in range(gate.max_waiting):
                tasks.start_soon(gate.run, door.work)
            await until(lambda: gate.waiting == gate.max_waiting)
            try:
                with pytest.raises(ServerBusy, match="pictures"):
                    await gate.run(door.work)
            finally:
                door.open.set()

    anyio.run(main)


def test_one_source_fills_only_half_of_the_queue():
    async def main():
        gate, door = Gate("pictures", 1), Door()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: gate.run(door.work, sources=["hanging"]))
            await until(lambda: gate.running == 1)
            for _ in range(gate.max_waiting // 2):
                tasks.start_soon(lambda: gate.run(door.work, sources=["hanging"]))
            await until(lambda: gate.waiting == gate.max_waiting // 2)
            try:
                with pytest.raises(ServerBusy):
                    await gate.run(door.work, sources=["hanging"])
            finally:
                door.open.set()

    anyio.run(main)


def test_what_nobody_wants_after_a_wait_is_not_run():
    async def nobody():
        return False

    async def main():
        gate, door, ran, results = Gate("pictures", 1), Door(), [], []

        async def unwanted():
            results.append(await gate.run(lambda: ran.append(1), is_wanted=nobody))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(gate.run, door.work)
            await until(lambda: gate.running == 1)
            tasks.start_soon(unwanted)
            await until(lambda: gate.waiting == 1)
            door.open.set()
        return ran, results

    assert anyio.run(main) == ([], [None])


def test_an_error_of_the_work_frees_its_place():
    def fail():
        raise ValueError("no")

    async def main():
        gate = Gate("pictures", 1)
        with pytest.raises(ValueError, match="no"):
            await gate.run(fail, sources=["a"])
        return gate.running, gate.waiting

    assert anyio.run(main) == (0, 0)


def test_as_many_wait_for_a_thread_as_the_gate_is_told():
    gate = Gate("cubes", 2, waiting_per_thread=5)

    assert gate.max_waiting == 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere threads have no niceness of their own")
def test_threads_give_way_by_the_niceness_of_their_gate():
    def niceness():
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def main():
        return await Gate("cubes", 1, niceness=7).run(niceness), await Gate("pictures", 1).run(niceness)

    assert anyio.run(main) == (min(niceness() + 7, 19), niceness())
