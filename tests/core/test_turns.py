"""Turn-taking: no client starves, entries of a client stay in order, cancelled tasks lose no permit."""

import asyncio
from collections import defaultdict

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.core.turns import CLIENT, FairSemaphore, FairThreads, Turns

CLIENTS = st.sampled_from("abcde")
STEPS = st.lists(st.tuples(st.sampled_from(["add", "pop", "remove"]), CLIENTS, st.integers(0, 9)), max_size=80)


class Model:
    """The same queue, written as lists: the rotation of clients, and the entries of each."""

    def __init__(self) -> None:
        self.rotation = list[str]()
        self.entries = defaultdict[str, list[int]](list)
        self.number = 0

    def add(self, turns: Turns[int], client: str) -> None:
        self.number += 1
        turns.add(client, self.number)
        self.entries[client].append(self.number)
        self.rotation += [client] if client not in self.rotation else []

    def pop(self, turns: Turns[int]) -> None:
        found = turns.pop()
        client = self.rotation.pop(0) if self.rotation else ""
        assert found == (self.entries[client].pop(0) if client else None)
        self.rotation += [client] if self.entries[client] else []

    def remove(self, turns: Turns[int], client: str, place: int) -> None:
        entries = self.entries[client]
        entry = entries.pop(place) if place < len(entries) else -1
        assert turns.remove(client, entry) == (entry != -1)
        self.rotation = [each for each in self.rotation if self.entries[each]]

    def order(self) -> list[int]:
        queues = [list(self.entries[client]) for client in self.rotation]
        longest = max(map(len, queues), default=0)
        return [queue[turn] for turn in range(longest) for queue in queues if turn < len(queue)]


@given(STEPS)
@settings(max_examples=40, deadline=None)
def test_turns_follow_the_model_in_any_order_of_calls(steps: list[tuple[str, str, int]]) -> None:
    turns, model = Turns[int](), Model()
    for step, client, place in steps:
        arguments = {"add": (client,), "pop": (), "remove": (client, place)}[step]
        getattr(model, step)(turns, *arguments)
        assert list(turns) == model.order()
        assert len(turns) == len(model.order())
        assert turns.first == next(iter(model.order()), None)


@given(st.lists(st.tuples(CLIENTS, st.booleans()), min_size=1, max_size=40), st.integers(1, 3), st.data())
@settings(max_examples=15, deadline=None)
def test_semaphore_serves_in_turns_and_loses_no_permit(
    tasks: list[tuple[str, bool]], permits: int, data: st.DataObject
) -> None:
    cancelled_when = data.draw(st.lists(st.booleans(), min_size=len(tasks), max_size=len(tasks)))
    anyio.run(_serve, tasks, permits, cancelled_when)


async def _serve(tasks: list[tuple[str, bool]], permits: int, is_late: list[bool]) -> None:
    """Let tasks wait, cancel some before and some while permits are released, and compare the order with `Turns`."""
    semaphore, served = FairSemaphore(permits), list[int]()
    for _ in range(permits):
        await semaphore.acquire()

    async def wait(number: int) -> None:
        CLIENT.set(tasks[number][0])
        await semaphore.acquire()
        served.append(number)

    waiting = [asyncio.create_task(wait(number)) for number in range(len(tasks))]
    await anyio.lowlevel.checkpoint()
    turns = Turns[int]()
    for number, (client, _is_cancelled) in enumerate(tasks):
        turns.add(client, number)
    for number, (client, is_cancelled) in enumerate(tasks):
        if is_cancelled and not is_late[number]:
            waiting[number].cancel()
            turns.remove(client, number)
    expected = list(turns)
    await anyio.lowlevel.checkpoint()
    for _ in tasks:
        semaphore.release()
    late = [number for number, (_client, is_cancelled) in enumerate(tasks) if is_cancelled and is_late[number]]
    for number in late:
        waiting[number].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert served == [number for number in expected if number not in late]
    # All permits, released ones and initial ones, are either held by a served task or free.
    free = len(tasks) - len(served)
    for _ in range(free):
        assert not semaphore.must_wait()
        await semaphore.acquire()
    assert semaphore.must_wait()


async def _order_of_service(clients: list[str]) -> list[str]:
    threads, served = FairThreads(1), list[str]()
    await threads._turns.acquire()

    async def run(client: str) -> None:
        CLIENT.set(client)
        await threads.run(lambda: served.append(client))

    waiting = [asyncio.create_task(run(client)) for client in clients]
    await anyio.lowlevel.checkpoint()
    threads._turns.release()
    await asyncio.gather(*waiting)
    return served


@pytest.mark.parametrize("crowd", [3, 50])
def test_threads_serve_a_single_task_second(crowd: int) -> None:
    served = anyio.run(_order_of_service, ["crowd"] * crowd + ["other"])
    assert served[:2] == ["crowd", "other"]
    assert len(served) == crowd + 1
