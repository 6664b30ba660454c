"""Short texts by name, of one process or shared by several."""

from collections.abc import Collection
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol


class Records(Protocol):
    """Texts by name. All methods may be called by several threads, and processes, at once."""

    def add(self, name: str, text: str) -> bool:
        """Keep a text, unless there is one of that name; return whether it was kept."""

    def remove(self, name: str) -> bool:
        """Forget a text; return whether there was one."""

    def names(self) -> Collection[str]:
        """Return the names of all that are kept."""

    def read(self, name: str) -> str | None:
        """Return a text, if there is one of that name."""


class RecordsInMemory:
    """Records of one process."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def add(self, name: str, text: str) -> bool:
        """Keep a text, unless there is one of that name; return whether it was kept."""
        return self._texts.setdefault(name, text) is text

    def remove(self, name: str) -> bool:
        """Forget a text; return whether there was one."""
        return self._texts.pop(name, None) is not None

    def names(self) -> Collection[str]:
        """Return the names of all that are kept."""
        return tuple(self._texts)

    def read(self, name: str) -> str | None:
        """Return a text, if there is one of that name."""
        return self._texts.get(name)


class RecordsInFolder:
    """Records that several processes share, one small file each."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def add(self, name: str, text: str) -> bool:
        """Keep a text, unless there is one of that name; return whether it was kept."""
        with NamedTemporaryFile("w", dir=self._folder, prefix=".", encoding="utf-8") as written:
            written.write(text)
            written.flush()
            try:
                (self._folder / name).hardlink_to(written.name)  # whole, and by one process only
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> bool:
        """Forget a text; return whether there was one."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self) -> Collection[str]:
        """Return the names of all that are kept."""
        return [path.name for path in self._folder.iterdir() if not path.name.startswith(".")]

    def read(self, name: str) -> str | None:
        """Return a text, if there is one of that name."""
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
