"""Where the state of an archive is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the state of an archive is."""

    archive: str
    """Its id."""
    folder: Path
    """Of the jobs and of databases of SQLite."""
    url: str | None
    """Of PostgreSQL."""
