"""Reactions of the supervisor to silent workers, over their channels."""

import asyncio
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from chronotile.app.workers.loads import BEAT, READY
from chronotile.app.workers.supervisor import FIRST_BEATS, FROZEN_BEATS, SUSPECT_BEATS, RunningWorker, Supervisor


@dataclass
class Process:
    """Stands for a worker process."""

    is_killed: bool = False

    def kill(self) -> None:
        self.is_killed = True


@dataclass
class Watched:
    """A supervisor of two workers that a test speaks for."""

    supervisor: Supervisor
    announced: list[bool]
    processes: list[Process] = field(default_factory=lambda: [Process(), Process()])
    workers: list[RunningWorker] = field(default_factory=list)

    def say(self, number: int, message: bytes) -> None:
        self.workers[number].worker_end.send(message)
        self.supervisor._hear(self.workers[number])

    def look(self, times: int) -> None:
        for _ in range(times):
            self.supervisor._check_silent()


@pytest.fixture
def watched():
    """Return a watched worker, to be used in an event loop, which checks of the supervisor need."""

    def make(opened: ExitStack) -> Watched:
        listener = opened.enter_context(socket.socket())
        announced: list[bool] = []
        supervisor = Supervisor(
            listener, count=2, spawn=None, block_bytes=4096, findings=(), announce=lambda: announced.append(True)
        )
        opened.callback(supervisor._folder.cleanup)
        opened.callback(lambda: asyncio.get_running_loop().remove_reader(listener))
        made = Watched(supervisor, announced)
        for number, process in enumerate(made.processes):
            ours, theirs = map(opened.enter_context, socket.socketpair())
            ours.setblocking(False)
            theirs.setblocking(False)
            made.workers.append(RunningWorker(number, process, ours, theirs))
        supervisor._running.update(made.workers)
        return made

    return make


def in_a_loop(test, watched) -> None:
    async def run() -> None:
        with ExitStack() as opened:
            test(watched(opened))

    asyncio.run(run())


def test_a_worker_that_is_silent_while_another_starts_does_not_keep_the_server_from_serving(watched):
    def test(both: Watched) -> None:
        both.say(0, READY)
        both.look(SUSPECT_BEATS)
        both.say(1, READY)
        assert both.announced == []

        both.say(0, BEAT)

        assert both.announced == [True]

    in_a_loop(test, watched)


def test_silence_is_logged_before_its_end_and_neither_is_a_warning(watched, caplog):
    caplog.set_level("INFO", logger="chronotile")

    def test(both: Watched) -> None:
        for number in (0, 1):
            both.say(number, READY)
        both.look(SUSPECT_BEATS - 1)
        both.say(1, BEAT)
        assert caplog.messages == []

        both.look(1)
        both.say(0, BEAT)

    in_a_loop(test, watched)

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("INFO", "worker 0 has not responded for 3 s; it gets no new connections"),
        ("INFO", "worker 0 responds again"),
    ]


def test_starting_worker_may_be_silent_for_longer_than_a_running_one(watched):
    def test(both: Watched) -> None:
        both.say(0, READY)

        both.look(FROZEN_BEATS)
        assert [each.is_killed for each in both.processes] == [True, False]

        both.look(FIRST_BEATS - FROZEN_BEATS)
        assert [each.is_killed for each in both.processes] == [True, True]

    in_a_loop(test, watched)
