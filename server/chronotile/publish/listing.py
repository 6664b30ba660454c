"""Which items a run has, and in which folders, on disk: they may be millions."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from types import TracebackType
from typing import Self

from chronotile.errors import WriteFailed

_TEMPORARY = ""
"""Name of a database of SQLite: a file of this connection alone, of which 2 MB are in memory."""
_MADE = 'CREATE TABLE listed (id TEXT, "group" TEXT, PRIMARY KEY (id, "group")) WITHOUT ROWID'


class Listing:
    """The ids of items with the folders of their years or days. One thread may use it.

    Its methods raise `WriteFailed` where there is no room for temporary files.
    """

    def __init__(self) -> None:
        with _faults():
            self._database = sqlite3.connect(_TEMPORARY)
            self._database.execute("PRAGMA journal_mode = OFF")  # nothing is undone
            self._database.execute(_MADE)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove it."""
        self._database.close()

    def add(self, group: str, id_: str) -> None:
        """Add an item."""
        with _faults():
            self._database.execute("INSERT OR IGNORE INTO listed VALUES (?, ?)", (id_, group))

    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the folders in their order, each with the ids of its items in theirs."""
        with _faults():
            rows = self._database.execute('SELECT "group", id FROM listed ORDER BY "group", id')
            for group, found in groupby(rows, key=lambda row: str(row[0])):
                yield group, [str(id_) for _group, id_ in found]

    def moved(self, group: str, ids: Iterable[str]) -> set[str]:
        """Return those of some items that are in other folders, and not in this one."""
        return {each for each in ids if group not in (found := self._groups_of(each)) and found}

    def _groups_of(self, id_: str) -> set[str]:
        with _faults():
            return {
                str(group) for (group,) in self._database.execute('SELECT "group" FROM listed WHERE id = ?', (id_,))
            }


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise WriteFailed(f"the list of items, a temporary file, cannot be written: {error}") from error
