"""Log of findings, in which a finding appears again only if it disappeared in the meantime."""

import logging
import re
from collections.abc import Iterable
from hashlib import blake2b

from chronotile.core.finding import Finding, Severity
from chronotile.readers.caches.records import Records, RecordsInMemory

log = logging.getLogger(__name__)

_COUNTS = re.compile(r"\d+ of \d+")
"""Numbers of files in a message: they grow with each new date, although the finding is the same."""
_LEVELS: dict[Severity, int] = {"error": logging.ERROR, "warning": logging.WARNING, "note": logging.INFO}


class FindingLog:
    """Logs the findings of an archive at its start and at each reload.

    Args:
        records: Names of logged findings, which may be shared by processes; `None`: in memory of this process.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records or RecordsInMemory()

    def skip(self, findings: Iterable[Finding]) -> None:
        """Record findings as logged, because they were printed."""
        for finding in findings:
            self._records.add(_name(finding), finding.text)

    def log_new(self, findings: Iterable[Finding]) -> None:
        """Log findings that are new since the last call, at the level of their severity."""
        findings_by_name = {_name(finding): finding for finding in findings}
        for name in self._records.names():
            if name not in findings_by_name:
                self._records.remove(name)
        for name, finding in findings_by_name.items():
            if self._records.add(name, finding.text):
                log.log(_LEVELS[finding.severity], "%s  %s", finding.severity, finding.text)


def _name(finding: Finding) -> str:
    # Without the line of the configuration, which moves when other lines are edited, and without counts.
    text = "\n".join((finding.severity, finding.place, _COUNTS.sub("", finding.message), finding.path))
    return blake2b(text.encode(), digest_size=16).hexdigest()
