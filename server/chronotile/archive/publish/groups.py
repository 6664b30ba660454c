"""The catalogues of years, months and days, which link to items."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

from chronotile.archive.publish.copying import CATALOGUE, Copier, in_order, item_place
from chronotile.archive.publish.documents import JSON, encode, group_of, linked
from chronotile.archive.publish.publication import Publication
from chronotile.archive.publish.target import Target, read_document
from chronotile.core.errors import WriteFailed
from chronotile.core.model.types import Json

# Which items a run has, and in which folders, on disk: they may be millions.

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

    def close(self) -> None:
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
        found, groups_of = set[str](), 'SELECT "group" FROM listed WHERE id = ?'
        with _faults():
            for id_ in ids:
                groups = {str(each) for (each,) in self._database.execute(groups_of, (id_,))}
                if groups and group not in groups:
                    found.add(id_)
        return found


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise WriteFailed(f"the list of items, a temporary file, cannot be written: {error}") from error


class Groups:
    """Writes these catalogues. A group is the path of a folder, such as `2024/06`.

    Its methods raise `WriteFailed` where the target cannot be read or written.

    Args:
        publication: What is published.
        target: Where.
        copier: Knows which files are an item's.
        listed: The items that are there, with their groups.
    """

    def __init__(self, publication: Publication, target: Target, copier: Copier, listed: Listing) -> None:
        self._publication, self._target, self._copier, self._listed = publication, target, copier, listed

    def write(self) -> set[str]:
        """Write the catalogues of days, months and years that have other items; return all years of these."""
        children = defaultdict[str, set[str]](set)
        years = set[str]()
        for group, ids in self._listed.groups():
            self._add(group, items={item_place(each): each for each in ids})
            years.add(group[:4])
            above = group
            while "/" in above:
                above, _slash, child = above.rpartition("/")
                children[above].add(child)
        for group in sorted(children, key=len, reverse=True):
            self._add(group, children=children[group])
        return years

    def drop_moved(self, groups: Collection[str]) -> list[str]:
        """Take items that are listed elsewhere out of groups and those below, with their files.

        All that leads to their new places is there before: a run that is interrupted loses none.

        Returns:
            The groups that lead to nothing now: for `remove`, once no link leads to them.
        """
        given = sorted(groups)
        return [
            group
            for group, document in zip(given, in_order(self._read_group, given), strict=True)
            if document is not None and not self._drop_moved_of(group, document)
        ]

    def remove(self, groups: Collection[str]) -> None:
        """Remove catalogues."""
        for group in groups:
            self._target.remove(f"{group}/{CATALOGUE}")

    def _add(self, group: str, *, children: set[str] | None = None, items: dict[str, str] | None = None) -> None:
        before = self._read_group(group) or {}
        all_children = {*linked(before, "child"), *(children or ())}
        document = self._document(group, all_children, {**linked(before, "item"), **(items or {})})
        if document != before:
            self._write(group, document)

    def _drop_moved_of(self, group: str, before: Json) -> bool:
        """Do so in one group and those below; return whether it leads to something still."""
        below = {f"{group}/{child}": child for child in linked(before, "child")}
        items = linked(before, "item")
        emptied = self.drop_moved(below)
        moved = self._listed.moved(group, items.values())
        children = {below[each] for each in below.keys() - set(emptied)}
        stayed = {place: id_ for place, id_ in items.items() if id_ not in moved}
        if emptied or moved:
            self._write(group, self._document(group, children, stayed))
            self.remove(emptied)
            for each in sorted(moved):
                path = f"{group}/{item_place(each)}"
                known = (read_document(self._target, path) or {}).get("assets", {})
                self._target.remove(path)  # first: an interrupted run must not leave a part that looks whole
                self._copier.remove_replaced(path.rpartition("/")[0], known, {})
        return bool(children or stayed)

    def _document(self, group: str, children: Collection[str], items: dict[str, str]) -> Json:
        return group_of(self._publication, group, children=sorted(children), items=sorted(items.items()))

    def _read_group(self, group: str) -> Json | None:
        return read_document(self._target, f"{group}/{CATALOGUE}")

    def _write(self, group: str, document: Json) -> None:
        self._target.write(f"{group}/{CATALOGUE}", encode(document), media_type=JSON)
