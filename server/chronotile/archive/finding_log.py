"""The log of findings: each once, until it is gone and comes again."""

import logging
import re
from collections.abc import Iterable
from hashlib import blake2b

from chronotile.core.finding import Finding
from chronotile.readers.caches.disk import Records, RecordsInMemory

log = logging.getLogger(__name__)

_COUNTS = re.compile(r"\d+ of \d+")
"""How many files a finding is of: another number with each date that comes, though the finding is the same."""


class FindingLog:
    """Logs what is found of an archive, at its start and whenever it is reopened.

    Args:
        records: Store what was logged; for one process in its memory.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records or RecordsInMemory()

    def skip(self, findings: Iterable[Finding]) -> None:
        """Take findings for logged: they were printed."""
        for finding in findings:
            self._records.add(_name(finding), finding.text)

    def tell(self, findings: Iterable[Finding]) -> None:
        """Log the findings that there were not before; notes with less weight than what should be done about."""
        named = {_name(finding): finding for finding in findings}
        for name in self._records.names():
            if name not in named:
                self._records.remove(name)
        for name, finding in named.items():
            if self._records.add(name, finding.text):
                level = logging.INFO if finding.severity == "note" else logging.WARNING
                log.log(level, "%s  %s", finding.severity, finding.text)


def _name(finding: Finding) -> str:
    # Without the line that requests it, which moves when the configuration is edited elsewhere, and without counts.
    text = "\n".join((finding.severity, finding.place, _COUNTS.sub("", finding.message), finding.path))
    return blake2b(text.encode(), digest_size=16).hexdigest()
