"""Files that match a pattern, with their states, and the folders whose times change when files come or go."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from chronotile.errors import UnsupportedSource

MOST_FILES = 10_000_000
MOST_DEPTH = 64
"""Folders in folders that `**` looks into; links that lead back end here."""
_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class _Entry:
    name: str
    is_folder: bool
    state: str


@dataclass(slots=True)
class _Folder:
    mtime_ns: int
    entries: tuple[_Entry, ...]


@dataclass(slots=True)
class FolderScan:
    """Folders as they were listed; those that did not change since are not listed again."""

    failures: dict[str, str] = field(default_factory=dict)
    """Why folders could not be listed, by path: what they hold is not known."""
    _folders: dict[str, _Folder] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _turn: Iterator[tuple[str, _Entry]] = field(default_factory=lambda: iter(()))

    def files(self, patterns: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
        """Yield names of patterns, paths of files that match them, and their states, sorted within a pattern.

        Args:
            patterns: Absolute paths with `*`, `?`, `[…]` and `**`, by name.

        Raises:
            UnsupportedSource: There are more than `MOST_FILES`.
        """
        self.failures.clear()
        self._used.clear()
        count = 0
        for name, pattern in patterns.items():
            parts = Path(os.path.abspath(pattern)).parts  # noqa: PTH100 -- without following links
            for path, state in self._matching(parts[0], parts[1:], 0):
                count += 1
                if count > MOST_FILES:
                    raise UnsupportedSource(f"more than {MOST_FILES} files match")
                yield name, path, state
        for folder in self._folders.keys() - self._used:
            del self._folders[folder]

    def has_changed(self, *, most_files: int) -> bool:
        """Whether a folder has other entries than when it was listed, or a file was written over.

        Args:
            most_files: How many files are looked at, beginning after those of the last call.
        """
        is_changed = any(_mtime(folder) != listed.mtime_ns for folder, listed in self._folders.items())
        batch = list(islice(self._turn, most_files))
        if len(batch) < most_files:
            self._turn = iter([(path, each) for path, listed in self._folders.items() for each in listed.entries])
        for folder, entry in batch:
            if entry.state and folder in self._folders and _state_now(folder, entry.name) != entry.state:
                del self._folders[folder]
                is_changed = True
        return is_changed

    def _matching(self, folder: str, parts: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._below(folder, parts, depth)
            return
        matches = re.compile(fnmatch.translate(part)).match if _MAGIC.search(part) else None
        if matches is None and rest:
            path = os.path.join(folder, part)  # noqa: PTH118 -- of many
            if os.path.isdir(path):  # noqa: PTH112 -- of many
                yield from self._matching(path, rest, depth + 1)
            return
        for entry in self._listed(folder):
            is_meant = entry.name == part if matches is None else matches(entry.name) and not entry.name.startswith(".")
            if not is_meant:
                continue
            path = os.path.join(folder, entry.name)  # noqa: PTH118 -- of many
            if rest and entry.is_folder:
                yield from self._matching(path, rest, depth + 1)
            elif not rest and not entry.is_folder:
                yield path, entry.state

    def _below(self, folder: str, parts: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
        """What `**` stands for: no folder, or any below."""
        if len(parts) > 1:
            yield from self._matching(folder, parts[1:], depth)
        for entry in self._listed(folder) if depth < MOST_DEPTH else ():
            path = os.path.join(folder, entry.name)  # noqa: PTH118 -- of many
            if entry.is_folder and not entry.name.startswith("."):
                yield from self._below(path, parts, depth + 1)
            elif len(parts) == 1 and not entry.is_folder:
                yield path, entry.state

    def _listed(self, folder: str) -> tuple[_Entry, ...]:
        self._used.add(folder)
        mtime_ns = _mtime(folder)
        known = self._folders.get(folder)
        if known is not None and known.mtime_ns == mtime_ns:
            return known.entries
        try:
            with os.scandir(folder) as found:
                entries = tuple(sorted(_entries(found), key=lambda entry: entry.name))
        except OSError as error:
            self.failures[folder] = f"it cannot be listed: {error.strerror}"
            return ()
        # Listed after its time was read: what comes between is seen as a further change.
        self._folders[folder] = _Folder(mtime_ns, entries)
        return entries


def _entries(found: Iterable["os.DirEntry[str]"]) -> Iterator[_Entry]:
    for each in found:
        try:
            is_folder = each.is_dir()
            yield _Entry(each.name, is_folder, "" if is_folder else state_of(each.stat()))
        except OSError:
            continue  # a link to nothing, or it is gone already


def state_of(status: os.stat_result) -> str:
    """Return what changes when a file is replaced."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _state_now(folder: str, name: str) -> str | None:
    try:
        return state_of(os.stat(os.path.join(folder, name)))  # noqa: PTH116, PTH118 -- of many
    except OSError:
        return None


def _mtime(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 -- of many
    except OSError:
        return -1
