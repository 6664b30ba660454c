"""How many workers serve what, as the process that opened the archive tells the supervisor, which replaces it."""

import json
from dataclasses import asdict, dataclass
from typing import IO

from chronotile.core.finding import Finding
from chronotile.core.logs import LogFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a supervisor needs to know."""

    count: int
    """How many workers there are to be."""
    block_bytes: int
    """Of the memory in which all workers keep decoded blocks."""
    findings: tuple[Finding, ...]
    """What was found of the archive and is printed; workers log what they find besides."""
    lines: tuple[str, ...]
    """Printed once connections are answered."""
    log_level: str
    log_format: LogFormat

    def store(self, file: IO[str]) -> None:
        """Write it to an empty file, whose start is read next."""
        json.dump(asdict(self), file)
        file.seek(0)


def stored_plan(file: IO[str]) -> Plan:
    """Return what `Plan.store` wrote."""
    members = json.load(file)
    findings = tuple(Finding(**each) for each in members.pop("findings"))
    return Plan(**members, findings=findings)
