"""Results of a suite, as numbers and as a table; each suite is stored separately."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from benchmarks.figures import median

Unit = Literal["req/s", "ms", "kB"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of one contender in one case, a value a round."""

    case: str
    contender: str
    unit: Unit
    rounds: list[float]
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Told:
    """A measured server, its settings, and the similarity of its pictures or numbers to ours."""

    name: str
    software: str
    settings: str
    likeness: str = ""


@dataclass(slots=True, kw_only=True)
class Findings:
    """All results of a suite."""

    suite: str
    title: str
    about: str
    ours: str
    """The contender that ratios are of."""
    rows: list[Row] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Who is not in the table, and why."""
    notes: list[str] = field(default_factory=list)
    command: str = ""
    taken: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC")
    machine: str = field(
        default_factory=lambda: f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    )


def ratio(ours: Sequence[float], theirs: Sequence[float], unit: Unit) -> float:
    """Return how many times better ours is: the median of the ratios of paired rounds."""
    pairs = zip(ours, theirs, strict=True)
    better = (a / b if unit == "req/s" else b / a for a, b in pairs if a > 0 and b > 0)
    return median(list(better))


def markdown(findings: Findings) -> str:
    """Return a suite as Markdown."""
    lines = [
        f"## {findings.title}",
        "",
        findings.about,
        f"`{findings.command}`, {findings.taken}; {findings.machine}.",
        "",
    ]
    for unit, meaning in (("req/s", "more is better"), ("ms", "less is better"), ("kB", "less is better")):
        rows = [row for row in findings.rows if row.unit == unit]
        if rows:
            lines += [*_table(rows, findings.ours, f"{unit}, {meaning}"), ""]
    if findings.told:
        lines += ["| contender | version | settings | likeness to ours |", "| --- | --- | --- | --- |"]
        lines += [f"| {each.name} | {each.software} | {each.settings} | {each.likeness} |" for each in findings.told]
        lines.append("")
    lines += [f"- {each}" for each in [*findings.absent, *findings.notes]]
    return "\n".join(lines).rstrip() + "\n"


def _table(rows: Sequence[Row], ours: str, heading: str) -> list[str]:
    cases = _in_order(row.case for row in rows)
    found = {(row.contender, row.case): row for row in rows}
    lines = [f"| {heading} | {' | '.join(cases)} |", f"| --- |{' --- |' * len(cases)}"]
    for contender in _in_order(row.contender for row in rows):
        cells = [_cell(found.get((contender, case)), found.get((ours, case)), ours) for case in cases]
        lines.append(f"| {contender} | {' | '.join(cells)} |")
    return lines


def _cell(row: Row | None, ours: Row | None, name: str) -> str:
    """`median [least..most]`, and in bold how many times better ours is."""
    if row is None or not row.rounds:
        return "-"
    text = f"{_number(median(row.rounds))} [{_number(min(row.rounds))}..{_number(max(row.rounds))}]"
    if row.failed:
        text += f", {row.failed} failed"
    if ours is not None and row.contender != name:
        text += f" **{ratio(ours.rounds, row.rounds, row.unit):.1f}x**"
    return text


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _in_order(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def keep(findings: Findings, folder: Path) -> None:
    """Write a suite into the results, in the place of its last run, and the table of all suites that were ever run."""
    folder.mkdir(exist_ok=True)
    (folder / f"{findings.suite}.json").write_text(json.dumps(asdict(findings), indent=1) + "\n")
    (folder / f"{findings.suite}.md").write_text("# " + markdown(findings)[3:])
