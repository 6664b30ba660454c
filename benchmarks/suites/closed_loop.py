"""Contenders that alternately get the same requests, and the similarity of their answers."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.cold import drop_cached
from benchmarks.figures import median
from benchmarks.findings import Findings, Row, Told, Unit
from benchmarks.load.kept_alive import connected, latencies, timed
from benchmarks.load.wrk import throughput
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import Absent, Contender, NotStarted, running
from benchmarks.pictures import LEAST_CORRELATION, BlankPicture, decode, likeness, require_drawn
from benchmarks.suites.options import Options

CONNECTIONS = 8
COMPARED = 3
"""Pictures a case and contender."""
CANDIDATES = 30
"""Subjects among which those are looked for that show something."""
WARM_UP_S = 1.0

Cases = Mapping[str, Sequence[Any]]
Found = Sequence["Contender[Any] | Absent"]


@dataclass(frozen=True, slots=True)
class Standing:
    """A contender whose server runs."""

    contender: Contender[Any]
    port: int


class Turns:
    """Contenders that run concurrently and are measured alternately."""

    def __init__(self, standing: Sequence[Standing], findings: Findings, options: Options) -> None:
        self.standing = standing
        self._findings = findings
        self._options = options

    def throughput(self, cases: Cases, *, connections: int = CONNECTIONS, keep_alive: bool = False) -> None:
        """Add rows of requests per second over fresh connections."""

        def measure(each: Standing, subjects: Sequence[Any], number: int) -> tuple[float, int]:
            asks = [each.contender.ask(subject) for subject in _rotated(subjects, number)]
            found = throughput(
                each.port, asks, connections=connections, seconds=self._options.seconds, keep_alive=keep_alive
            )
            return found.per_s, found.failed

        self._by_turns(cases, "req/s", measure)

    def latency(self, cases: Cases) -> None:
        """Add rows of median milliseconds over one kept connection."""

        def measure(each: Standing, subjects: Sequence[Any], number: int) -> tuple[float, int]:
            asks = [each.contender.ask(subject) for subject in _rotated(subjects, number)]
            found = latencies(each.port, asks, seconds=self._options.seconds / 2)
            return median(found.milliseconds), found.failed

        self._by_turns(cases, "ms", measure)

    def _by_turns(
        self, cases: Cases, unit: Unit, measure: Callable[[Standing, Sequence[Any], int], tuple[float, int]]
    ) -> None:
        values: dict[tuple[str, str], list[float]] = {}
        failures: dict[tuple[str, str], int] = {}
        for number in range(self._options.rounds):
            for case, subjects in cases.items():
                # Who comes first changes, so that nobody always follows the same neighbour.
                for each in _rotated(self.standing, number):
                    value, failed = measure(each, subjects, number)
                    key = (case, each.contender.name)
                    values.setdefault(key, []).append(value)
                    failures[key] = failures.get(key, 0) + failed
        names = [each.contender.name for each in self.standing]
        self._findings.rows += [
            Row(case=case, contender=name, unit=unit, rounds=values[case, name], failed=failures[case, name])
            for name in names
            for case in cases
        ]


def measure_pictures(found: Found, cases: Cases, findings: Findings, *, ground: Ground, options: Options) -> None:
    """Start all contenders, compare their pictures, and add rows of throughput and latency, measured alternately."""
    with ExitStack() as stack:
        standing = compare_pictures(start(stack, found, findings, ground), cases, findings)
        warm(standing, cases)
        turns = Turns(standing, findings, options)
        turns.throughput(cases)
        turns.latency(cases)


def start(stack: ExitStack, found: Found, findings: Findings, ground: Ground) -> list[Standing]:
    """Start all contenders and report missing ones."""
    standing = []
    for each in found:
        if isinstance(each, Absent):
            findings.absent.append(f"{each.name}: {each.reason}")
            continue
        try:
            port = stack.enter_context(running(each.name, each.server, ground.scratch))
        except (NotStarted, subprocess.CalledProcessError) as error:
            findings.absent.append(f"{each.name}: {error}; see its log")
            continue
        standing.append(Standing(each, port))
        findings.told.append(Told(each.name, each.software, each.settings))
    return standing


def warm(standing: Sequence[Standing], cases: Cases) -> None:
    """Let every contender open and decode the data of its requests."""
    for each in standing:
        for subjects in cases.values():
            throughput(
                each.port, [each.contender.ask(one) for one in subjects], connections=CONNECTIONS, seconds=WARM_UP_S
            )


def compare_pictures(standing: Sequence[Standing], cases: Cases, findings: Findings) -> list[Standing]:
    """Return contenders that draw, and report the similarity of their pictures to ours.

    A contender is skipped with a message if its picture is blank and ours is not.

    Raises:
        BlankPicture: Our picture is blank.
    """
    ours = next(each for each in standing if each.contender.name == findings.ours)
    kept = []
    for each in standing:
        try:
            told = "; ".join(_likeness(ours, each, case, subjects) for case, subjects in cases.items())
        except (BlankPicture, ValueError, OSError) as error:
            if each is ours:
                raise
            findings.absent.append(f"{each.contender.name}: {error}")
            findings.told = [one for one in findings.told if one.name != each.contender.name]
            continue
        kept.append(each)
        is_it = [one.name == each.contender.name for one in findings.told]
        findings.told[is_it.index(True)] = replace(findings.told[is_it.index(True)], likeness=told)
    return kept


def _likeness(ours: Standing, theirs: Standing, case: str, subjects: Sequence[Any]) -> str:
    pairs = []
    for subject in _drawn(ours, subjects):
        picture, other = (_picture(each, subject) for each in (ours, theirs))
        require_drawn(other, f"{theirs.contender.name}, {case},")
        pairs.append(likeness(picture, other))
    agreement = sum(pair.valid_agreement for pair in pairs) / len(pairs)
    correlation = sum(pair.correlation for pair in pairs) / len(pairs)
    doubt = "" if correlation >= LEAST_CORRELATION else " (NOT THE SAME PICTURE)"
    return f"{case}: {agreement:.0%} / {correlation:.2f}{doubt}"


def _drawn(ours: Standing, subjects: Sequence[Any]) -> Iterator[Any]:
    """The first subjects that show something varied."""
    count = 0
    for subject in subjects[:CANDIDATES]:
        if count == COMPARED:
            return
        try:
            require_drawn(_picture(ours, subject), ours.contender.name)
        except BlankPicture:
            continue
        count += 1
        yield subject
    if not count:
        raise BlankPicture(f"{ours.contender.name} drew none of {CANDIDATES} pictures")


def _picture(each: Standing, subject: Any) -> Any:  # noqa: ANN401 -- an array of pixels; a subject of the suite
    with connected(each.port) as connection:
        answer = connection.ask(each.contender.ask(subject))
    if answer.status != 200:
        raise ValueError(f"answers {answer.status}: {answer.body[:150]!r}")
    return decode(answer.body)


def first_touch(found: Found, cases: Cases, files: Sequence[Path], *, findings: Findings, ground: Ground) -> None:
    """Add rows of median milliseconds of first requests: servers just started, files not in the page cache."""
    for each in found:
        if isinstance(each, Absent) or each.name not in {told.name for told in findings.told}:
            continue
        for case, subjects in cases.items():
            with running(each.name, each.server, ground.scratch) as port:
                drop_cached(files)
                taken = timed(port, [each.ask(subject) for subject in subjects])
            values = [median(taken.milliseconds)]
            findings.rows.append(Row(case=case, contender=each.name, unit="ms", rounds=values, failed=taken.failed))


def _rotated(items: Sequence[Any], number: int) -> list[Any]:
    """Another beginning each round, so that no round is the replay of the last."""
    start = number * 97 % len(items)
    return [*items[start:], *items[:start]]
