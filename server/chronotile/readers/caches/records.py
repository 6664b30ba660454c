"""Short texts by name, for one process or shared by several."""

import logging
from collections.abc import Collection
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

log = logging.getLogger(__name__)


class Records(Protocol):
    """Texts by name. All methods may be called by several threads and processes concurrently."""

    def add(self, name: str, text: str) -> bool:
        """Store a text unless the name exists; return whether it was stored."""

    def remove(self, name: str) -> bool:
        """Delete a text; return whether it existed."""

    def names(self) -> Collection[str]:
        """Return the names of all texts."""

    def read(self, name: str) -> str | None:
        """Return a text, or `None` if the name does not exist."""


class RecordsInMemory:
    """Records of one process."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        """Each text is in a separate list, whose identity distinguishes it from an equal text stored earlier."""

    def add(self, name: str, text: str) -> bool:
        """Store a text unless the name exists; return whether it was stored."""
        record = [text]
        return self._texts.setdefault(name, record) is record

    def remove(self, name: str) -> bool:
        """Delete a text; return whether it existed."""
        return self._texts.pop(name, None) is not None

    def names(self) -> Collection[str]:
        """Return the names of all texts."""
        return tuple(self._texts)

    def read(self, name: str) -> str | None:
        """Return a text, or `None` if the name does not exist."""
        record = self._texts.get(name)
        return None if record is None else record[0]


class RecordsInFolder:
    """Records that several processes share, in one small file each.

    They only inform operators and must not cause failures: a deleted folder is created again, and on a
    full disk a text counts as stored. It may then be logged twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, text: str) -> bool:
        """Store a text unless the name exists; return whether it was stored."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._write(name, text)
        except OSError as error:
            log.warning("records in %s cannot be written: %s", self._folder, error)
            return True

    def _write(self, name: str, text: str) -> bool:
        with NamedTemporaryFile("w", dir=self._folder, prefix=".", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            try:
                (self._folder / name).hardlink_to(file.name)  # complete, and by one process only
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> bool:
        """Delete a text; return whether it existed."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self) -> Collection[str]:
        """Return the names of all texts."""
        try:
            return [path.name for path in self._folder.iterdir() if not path.name.startswith(".")]
        except FileNotFoundError:
            return []

    def read(self, name: str) -> str | None:
        """Return a text, or `None` if the name does not exist."""
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
