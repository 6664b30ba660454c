"""The plan that the process that opened the archive passes to the supervisor."""

import json
from dataclasses import asdict, dataclass
from typing import IO

from chronotile.core.finding import Finding
from chronotile.core.logs import LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlan:
    """Arguments of the supervisor and of logging."""

    count: int
    """The number of workers."""
    block_bytes: int
    """Size of the memory in which all workers store decoded blocks."""
    findings: tuple[Finding, ...]
    """Findings that are already printed; workers do not log them again."""
    lines: tuple[str, ...]
    """Lines to print when the workers are ready."""
    log_level: str
    log_format: LogFormat

    def store(self, file: IO[str]) -> None:
        """Write the plan to an empty file, and seek to the start."""
        json.dump(asdict(self), file)
        file.seek(0)


def read_plan(file: IO[str]) -> WorkerPlan:
    """Read a plan that `WorkerPlan.store` has written."""
    members = json.load(file)
    findings = tuple(Finding(**finding) for finding in members.pop("findings"))
    return WorkerPlan(**members, findings=findings)
