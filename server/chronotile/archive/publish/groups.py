"""Catalogues of years, months and days, which link to items."""

import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby

from chronotile.archive.publish.copying import Copier, map_in_order
from chronotile.archive.publish.documents import JSON, encode, group_of, linked_titles
from chronotile.archive.publish.names import CATALOGUE, item_place
from chronotile.archive.publish.publication import Publication
from chronotile.archive.publish.target import Target, read_document
from chronotile.core.errors import WriteFailed
from chronotile.core.model.types import Json

# Items of a run with their folders. Stored on disk, because there may be millions.

_TEMPORARY = ""
"""Name of a temporary SQLite database: a file of this connection only, with 2 MB in memory."""
_MADE = 'CREATE TABLE listed (id TEXT, "group" TEXT, PRIMARY KEY (id, "group")) WITHOUT ROWID'


class ItemListing:
    """Ids of items with the folders of their years or days. Not thread-safe.

    Methods raise `WriteFailed` if there is no space for temporary files.
    """

    def __init__(self) -> None:
        with _faults():
            self._database = sqlite3.connect(_TEMPORARY)
            self._database.execute("PRAGMA journal_mode = OFF")  # no rollbacks
            self._database.execute(_MADE)

    def close(self) -> None:
        """Delete the database."""
        self._database.close()

    def add(self, group: str, id_: str) -> None:
        """Add an item."""
        with _faults():
            self._database.execute("INSERT OR IGNORE INTO listed VALUES (?, ?)", (id_, group))

    def groups(self) -> Iterator[tuple[str, list[str]]]:
        """Yield the folders in order, each with the ordered ids of its items."""
        with _faults():
            rows = self._database.execute('SELECT "group", id FROM listed ORDER BY "group", id')
            for group, group_rows in groupby(rows, key=lambda row: str(row[0])):
                yield group, [str(id_) for _group, id_ in group_rows]

    def moved_items(self, group: str, ids: Iterable[str]) -> set[str]:
        """Return the items that have other folders, but not this one."""
        item_ids, groups_of = set[str](), 'SELECT "group" FROM listed WHERE id = ?'
        with _faults():
            for id_ in ids:
                groups = {str(x) for (x,) in self._database.execute(groups_of, (id_,))}
                if groups and group not in groups:
                    item_ids.add(id_)
        return item_ids


@contextmanager
def _faults() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise WriteFailed(f"the list of items, a temporary file, cannot be written: {error}") from error


class Groups:
    """Writes catalogues of years, months and days. A group is the path of a folder, such as `2024/06`.

    Methods raise `WriteFailed` if the target cannot be read or written.

    Args:
        publication: The publication.
        target: The target.
        copier: Removes files of items.
        listed: The current items with their groups.
    """

    def __init__(self, publication: Publication, target: Target, copier: Copier, listed: ItemListing) -> None:
        self._publication, self._target, self._copier, self._listed = publication, target, copier, listed

    def write(self) -> set[str]:
        """Write changed catalogues of days, months and years; return all years with items."""
        children = defaultdict[str, set[str]](set)
        years = set[str]()
        for group, ids in self._listed.groups():
            self._add(group, items={item_place(x): x for x in ids})
            years.add(group[:4])
            above = group
            while "/" in above:
                above, _slash, child = above.rpartition("/")
                children[above].add(child)
        for group in sorted(children, key=len, reverse=True):
            self._add(group, children=children[group])
        return years

    def drop_moved(self, groups: Collection[str]) -> list[str]:
        """Remove items that have moved from groups and the groups below, with their files.

        The documents that lead to the new locations exist before, so an interrupted run loses no item.

        Returns:
            The groups that are empty now. Remove them by `remove` when no link leads to them.
        """
        ordered = sorted(groups)
        return [
            group
            for group, document in zip(ordered, map_in_order(self._read_group, ordered), strict=True)
            if document is not None and not self._drop_moved_of(group, document)
        ]

    def remove(self, groups: Collection[str]) -> None:
        """Remove catalogues."""
        for group in groups:
            self._target.remove(f"{group}/{CATALOGUE}")

    def _add(self, group: str, *, children: set[str] | None = None, items: dict[str, str] | None = None) -> None:
        before = self._read_group(group) or {}
        all_children = {*linked_titles(before, "child"), *(children or ())}
        document = self._document(group, all_children, {**linked_titles(before, "item"), **(items or {})})
        if document != before:
            self._write(group, document)

    def _drop_moved_of(self, group: str, before: Json) -> bool:
        """Remove moved items from one group and the groups below; return whether it still links to anything."""
        below = {f"{group}/{child}": child for child in linked_titles(before, "child")}
        items = linked_titles(before, "item")
        emptied = self.drop_moved(below)
        moved = self._listed.moved_items(group, items.values())
        children = {below[k] for k in below.keys() - set(emptied)}
        stayed = {place: id_ for place, id_ in items.items() if id_ not in moved}
        if emptied or moved:
            self._write(group, self._document(group, children, stayed))
            self.remove(emptied)
            for moved_id in sorted(moved):
                path = f"{group}/{item_place(moved_id)}"
                assets = (read_document(self._target, path) or {}).get("assets", {})
                self._target.remove(path)  # first, so that an interrupted run leaves no document with missing files
                self._copier.remove_replaced(path.rpartition("/")[0], assets, {})
        return bool(children or stayed)

    def _document(self, group: str, children: Collection[str], items: dict[str, str]) -> Json:
        return group_of(self._publication, group, children=sorted(children), items=sorted(items.items()))

    def _read_group(self, group: str) -> Json | None:
        return read_document(self._target, f"{group}/{CATALOGUE}")

    def _write(self, group: str, document: Json) -> None:
        self._target.write(f"{group}/{CATALOGUE}", encode(document), media_type=JSON)
