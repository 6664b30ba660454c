"""Requests at a fixed rate, some of them abandoned, and counts of failures."""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from benchmarks.load.exchange import BrokenAnswer, abandon, exchange
from benchmarks.soak.asks import MAKERS, NOT_YET, Known, Maker, Question, WrongAnswer
from benchmarks.soak.clock import ActiveClock

HOST = "127.0.0.1"
MOST_IN_FLIGHT = 256
TIMEOUT_S = 30.0


@dataclass(slots=True)
class Counts:
    """Counts of requests and failures of a period."""

    asked: Counter[str] = field(default_factory=Counter)
    """Number by kind."""
    abandoned: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Number by kind of 503 with `Retry-After`, which is not an error."""
    errors: Counter[str] = field(default_factory=Counter)
    """Number by kind and mistake."""
    latencies_ms: list[float] = field(default_factory=list)

    def add(self, other: "Counts") -> None:
        """Add the counts of another period, except its latencies."""
        self.asked += other.asked
        self.abandoned += other.abandoned
        self.refused += other.refused
        self.errors += other.errors


@dataclass(slots=True)
class Driver:
    """Sends requests to a server on this machine."""

    port: int
    known: Known
    clock: ActiveClock
    log: TextIO
    abandoned_share: float
    chance: random.Random = field(default_factory=lambda: random.Random(5))
    counts: Counts = field(default_factory=Counts)
    """Counts of the current minute."""
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def offered(self) -> list[Maker]:
        """Return the requests of the soak; optional ones only if the server answers them now."""
        found = []
        for maker in MAKERS:
            if maker in NOT_YET:
                answer = await exchange(maker(self.chance, self.known).ask, HOST, self.port)
                if answer.status != 200:
                    continue
            found.append(maker)
        return found

    async def run(self, makers: Sequence[Maker], *, rate: float, until_s: float) -> None:
        """Send `rate` requests per second of activity."""
        weights = [MAKERS[maker] for maker in makers]
        due = self.clock.now()
        while due < until_s:
            await self.clock.sleep_until(due)
            due += 1 / rate
            (maker,) = self.chance.choices(makers, weights)
            question = maker(self.chance, self.known)
            if len(self._running) >= MOST_IN_FLIGHT:
                self._fail(question, f"not sent, {MOST_IN_FLIGHT} were not answered yet")
                continue
            one = self._abandon if self.chance.random() < self.abandoned_share else self._ask
            task = asyncio.create_task(one(question))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        await asyncio.gather(*self._running)

    async def _ask(self, question: Question) -> None:
        self.counts.asked[question.kind] += 1
        started, stops = self.clock.now(), self.clock.stops
        try:
            answer = await exchange(question.ask, HOST, self.port, timeout_s=TIMEOUT_S)
            if self.clock.stops == stops:
                self.counts.latencies_ms.append((self.clock.now() - started) * 1000)
            if answer.status == 503 and answer.headers.get("retry-after"):
                self.counts.refused[question.kind] += 1
            else:
                question.check(answer)
        except TimeoutError:
            self.clock.now()
            if self.clock.stops == stops:  # else the time went by while all stood still
                self._fail(question, "no answer in time")
        except (OSError, BrokenAnswer, WrongAnswer, ValueError, KeyError, IndexError, TypeError) as error:
            self._fail(question, f"{type(error).__name__}: {error}")

    async def _abandon(self, question: Question) -> None:
        self.counts.abandoned += 1
        try:
            await abandon(
                question.ask,
                HOST,
                self.port,
                after_s=self.chance.choice([0, 0.001, 0.005, 0.02]),
                after_bytes=self.chance.choice([0, 2_000, 20_000]),
            )
        except OSError as error:
            self._fail(question, f"{type(error).__name__}: {error}")

    def _fail(self, question: Question, mistake: str) -> None:
        self.counts.errors[f"{question.kind}: {mistake[:120]}"] += 1
        self.log.write(f"{self.clock.now():.1f} {question.ask.path} {mistake}\n")
        self.log.flush()
