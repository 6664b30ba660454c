"""The load of workers in shared memory."""

import asyncio
import os

import pytest

from chronotile.app.workers.loads import CountedTasks, Loads, loads_bytes


@pytest.fixture
def descriptor(tmp_path):
    """A file that several map, as processes do."""
    opened = os.open(tmp_path / "loads", os.O_RDWR | os.O_CREAT)
    os.ftruncate(opened, loads_bytes(2))
    yield opened
    os.close(opened)


def test_load_counts_waiting_and_running_requests(descriptor):
    supervisor, worker = Loads(descriptor, 2), Loads(descriptor, 2)
    for _ in range(5):
        supervisor.hand(1)
    worker.take(1)
    worker.take(1)
    worker.answer(1, 4)

    assert (supervisor.load_of(0), supervisor.load_of(1)) == (0, 3 + 4)


def test_connections_that_others_get_are_no_load(descriptor):
    supervisor, worker = Loads(descriptor, 2), Loads(descriptor, 2)
    for _ in range(3):
        supervisor.hand(0)
    worker.take(0)

    supervisor.take_back(0, 2)

    assert supervisor.load_of(0) == 0


def test_a_worker_begins_with_nothing_to_do(descriptor):
    supervisor, worker = Loads(descriptor, 2), Loads(descriptor, 2)
    supervisor.hand(1)
    worker.answer(1, 9)

    supervisor.reset(1)

    assert supervisor.load_of(1) == 0


def test_requests_are_reported_at_their_start_and_end(descriptor):
    loads = Loads(descriptor, 2)
    told = []

    async def request() -> None:
        told.append(loads.load_of(0))

    async def answer_two() -> None:
        tasks = CountedTasks(loads, 0)
        for _ in range(2):
            task = asyncio.create_task(request())
            task.add_done_callback(tasks.discard)
            tasks.add(task)
        await asyncio.gather(*tasks)

    asyncio.run(answer_two())

    assert (told, loads.load_of(0)) == ([2, 2], 0)
