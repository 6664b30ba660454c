"""Findings: notes, warnings and errors about data, for the operator."""

from dataclasses import dataclass
from typing import Literal

from chronotile.core.printable import printable

Severity = Literal["error", "warning", "note"]
LEFT_OUT = "left out: "
"""Start of the message of a finding about data that are not served."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `chronotile check`: a fault or note, its place, and the remedy."""

    severity: Severity
    place: str
    message: str
    collection: str = ""
    """Id of the configured collection, if the finding is about one."""
    path: str = ""
    """Path or URL of the missing data; only for operators."""
    written: str = ""
    """File and line of the configuration; only for operators."""

    def __post_init__(self) -> None:
        for name in ("place", "message", "path"):  # these contain file names and texts of files
            object.__setattr__(self, name, printable(getattr(self, name)))

    @property
    def is_left_out(self) -> bool:
        """Whether the data are not served."""
        return self.message.startswith(LEFT_OUT)

    @property
    def text(self) -> str:
        """The finding in one line, without its severity; only for operators."""
        path = f"; looked for {self.path}" if self.path else ""
        written = f" ({self.written})" if self.written else ""
        return f"{self.place}: {self.message}{path}{written}"
