"""Items of files that match a pattern. Files whose names differ only in `{variable}` form one item."""

import fnmatch
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from chronotile.archive.index.documents import state_of
from chronotile.archive.index.file_items import read_files
from chronotile.archive.index.granules import read_granule
from chronotile.archive.index.source import (
    CheckAddress,
    DeletedEntry,
    Listed,
    ListedEntry,
    ReadEntry,
    Unread,
    age_limit_text,
    any_address,
)
from chronotile.catalog.items.passes import SourcePass
from chronotile.core.errors import InvalidItem, SourceUnavailable, UnsupportedSource
from chronotile.core.model.source import DATA, SourceSpec
from chronotile.core.model.time.instants import TimeSpan
from chronotile.readers.dated_files import NOT_LISTED, SIDE_FILES, VARIABLE, times_in_names
from chronotile.readers.file_states import one_look, state_now
from chronotile.readers.hrefs import is_product, local_path

THREADS = 8
_CHANGES = "changes"
_PLACEHOLDER = re.compile(r"(\{variable\}|\*\*/?|\*|\?|\[[^]]*\])")
_TRIMMED = "-_. "


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGroup:
    """The files of one item."""

    paths: Mapping[str, str]
    """Paths by name of the asset."""
    state: str


class FilesSource:
    """The items of local files.

    Args:
        spec: The source of the collection.

    Raises:
        UnsupportedSource: The files are remote; remote patterns cannot be listed.
    """

    state = ""
    is_computing = False
    allowed: CheckAddress = staticmethod(any_address)
    is_here = True

    def __init__(self, spec: SourceSpec) -> None:
        if local_path(spec.href) is None:
            raise UnsupportedSource(NOT_LISTED)
        self._spec = spec
        # The positions of a swath take up to 100 MB.
        self.threads = 1 if spec.kind == "netcdf" else THREADS
        self.scan = FolderScan()
        self._groups: dict[str, FileGroup] = {}
        # The folder above the first variable part of the pattern.
        self._root = re.split(r"[*?[{]", str(local_path(spec.href)))[0].rpartition("/")[0] + "/"

    @property
    def identity(self) -> str:
        """The pattern, and the options for reading the files."""
        variables = sorted(f"{variable.id}={variable.name}" for variable in self._spec.stored.variables.values())
        left_out = "".join(f" without {path}" for path in sorted(self._spec.left_out))
        options = (
            f"{' '.join(variables)}{left_out}{age_limit_text(self._spec.items.keep_days if self._spec.items else None)}"
        )
        if self._spec.kind == "netcdf" and self._spec.items is not None:
            options = f"{options} group {self._spec.group} grid {self._spec.items.grid}"
        return f"files {self._spec.href} {self._spec.time_pattern} {self._spec.crs} {options}"

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether a folder has other files, or any of the next `most_files` files was overwritten."""
        return self.scan.has_changed(most_files=most_files)

    @property
    def knows_changes(self) -> bool:
        """Whether it was listed before."""
        return bool(self._groups)

    def next_since(self) -> str | None:
        """Return a constant: later passes may read only changes since this object was made."""
        return _CHANGES

    def entries(self, run: SourcePass) -> Iterator[Listed]:
        """Yield the items of all files, or of the files changed since the last pass if the pass is not whole.

        Raises:
            SourceUnavailable: No file matches; a disk may not be mounted.
        """
        before, groups = self._groups, self._group_files()
        # A folder that cannot be listed keeps its previous files.
        self._groups = before | groups if self.scan.failures else groups
        for folder, reason in self.scan.failures.items():
            yield Unread(key=folder, reason=reason)
        spans = self._spans()
        for key, group in self._groups.items():
            if run.is_whole or before.get(key) != group:
                yield ListedEntry(key=key, read=partial(self._read, key, group, spans.get(key)), state=group.state)
        if not run.is_whole:
            yield from (DeletedEntry(key=key) for key in before.keys() - self._groups.keys())

    def _group_files(self) -> dict[str, FileGroup]:
        paths, states = dict[str, dict[str, str]](), dict[str, list[str]]()
        patterns = dict(self._patterns())
        has_variable = VARIABLE in self._spec.href
        expressions = {name: _expression(str(local_path(self._spec.href)), name) for name in patterns if has_variable}
        for name, path, state in self.scan.files(patterns):
            key, asset = _template(path, expressions[name], name) if has_variable else (path, name)
            if path.endswith(SIDE_FILES) or path in self._spec.left_out or not asset:
                continue
            paths.setdefault(key, {})[asset] = path
            states.setdefault(key, []).append(state)
        if not paths and not self.scan.failures:
            raise SourceUnavailable(f"no file matches {self._spec.href}; is its disk mounted?")
        return {key: FileGroup(paths=paths[key], state=_join(states[key])) for key in sorted(paths)}

    def _patterns(self) -> Iterator[tuple[str, str]]:
        """Yield values of `{variable}` (empty for any) and the patterns of their files."""
        href = str(local_path(self._spec.href))
        if VARIABLE not in href:
            yield DATA, href
        elif self._spec.variables:
            stored = self._spec.stored.variables.values()
            names = dict.fromkeys(variable.name or variable.id for variable in stored)
            yield from ((name, href.replace(VARIABLE, name)) for name in names)
        else:
            yield "", href.replace(VARIABLE, "*")

    def _spans(self) -> dict[str, TimeSpan]:
        firsts = {next(iter(group.paths.values())): key for key, group in self._groups.items()}
        times = times_in_names(list(firsts), self._spec.time_pattern)
        return {firsts[path]: span for path, _text, span in times if span is not None}

    def _read(self, key: str, group: FileGroup, span: TimeSpan | None, _before: str) -> ReadEntry:
        if self._spec.kind == "netcdf":
            (path,) = group.paths.values()
            item, problem = read_granule(_id_of(key, self._root), path, self._spec, span)
            return ReadEntry(items=(item,), state=group.state, problem=problem)
        if span is None:
            raise InvalidItem("its name contains no time; set time_pattern: with a group (?P<time>…)")
        item = read_files(_id_of(key, self._root), group.paths, span, crs=self._spec.crs)
        return ReadEntry(items=(item,), state=group.state)


def _join(states: list[str]) -> str:
    return states[0] if len(states) == 1 else blake2b(" ".join(states).encode(), digest_size=12).hexdigest()


def _expression(href: str, name: str) -> re.Pattern[str]:
    """Return the pattern as a regular expression in which each `{variable}` is a group."""
    variable = re.escape(name) if name else "[^/]+?"
    numbers = iter(range(1_000))
    meanings = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}

    def meaning(part: str) -> str:
        if part == VARIABLE:
            number = next(numbers)
            return f"(?P<v{number}>{variable})" if number == 0 or name else f"(?P<v{number}>(?P=v0))"
        if part.startswith("[") and len(part) > 1:
            return fnmatch.translate(part).removeprefix("(?s:").removesuffix(r")\Z")
        return meanings.get(part) or re.escape(part)

    return re.compile("".join(meaning(part) for part in _PLACEHOLDER.split(href)))


def _template(path: str, expression: re.Pattern[str], name: str) -> tuple[str, str]:
    """Return the path with `{variable}` instead of the variable, and the variable; empty if the path does not match."""
    match = expression.fullmatch(path)
    if match is None:
        return path, ""
    key = path
    for group in sorted(match.groupdict(), key=match.start, reverse=True):
        start, end = match.span(group)
        key = f"{key[:start]}{VARIABLE}{key[end:]}"
    return key, name or match["v0"]


def _id_of(key: str, root: str) -> str:
    """Return the path below the pattern's root as an id, without suffix and variable; `--` replaces slashes."""
    stem = str(Path(key.removeprefix(root)).with_suffix(""))
    parts = [re.sub(rf"[{_TRIMMED}]*\{{variable\}}", "", part).strip(_TRIMMED) for part in stem.split("/")]
    return "--".join(part for part in parts if part) or Path(key).stem


MAX_FILES = 10_000_000
MAX_DEPTH = 64
"""Depth of folders that `**` includes, which also ends cycles of links."""
_MAGIC = re.compile(r"[*?[]")


@dataclass(frozen=True, slots=True)
class _FolderEntry:
    name: str
    is_folder: bool
    state: str
    """Changes when the file, or a file of the product, is replaced; empty for other folders."""


@dataclass(slots=True)
class _ListedFolder:
    mtime_ns: int
    entries: tuple[_FolderEntry, ...]


@dataclass(slots=True)
class FolderScan:
    """Folders at their last listing; unchanged folders are not listed again."""

    failures: dict[str, str] = field(default_factory=dict)
    """Reasons by path of folders that could not be listed, so that their content is unknown."""
    _folders: dict[str, _ListedFolder] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)
    _turn: Iterator[tuple[str, _FolderEntry]] = field(default_factory=lambda: iter(()))

    def files(self, patterns: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
        """Yield pattern names, paths of matching files and their states, sorted within a pattern.

        Args:
            patterns: Absolute paths with `*`, `?`, `[…]` and `**`, by name.

        Raises:
            UnsupportedSource: There are more than `MAX_FILES` files.
        """
        self.failures.clear()
        self._used.clear()
        count = 0
        for name, pattern in patterns.items():
            parts = Path(os.path.abspath(pattern)).parts  # noqa: PTH100 -- does not follow links
            for path, state in self._matching(parts[0], parts[1:], 0):
                count += 1
                if count > MAX_FILES:
                    raise UnsupportedSource(f"more than {MAX_FILES} files match")
                yield name, path, state
        for folder in self._folders.keys() - self._used:
            del self._folders[folder]

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether a folder has other entries than at its last listing, or a file was overwritten.

        Args:
            most_files: Number of files to check, continuing where the last call stopped.
        """
        is_changed = any(_mtime(folder) != listed.mtime_ns for folder, listed in self._folders.items())
        batch = list(islice(self._turn, most_files))
        if len(batch) < most_files:
            self._turn = iter([(path, e) for path, listed in self._folders.items() for e in listed.entries])
        with one_look():
            for folder, entry in batch:
                path = os.path.join(folder, entry.name)  # noqa: PTH118 -- for very many files
                if entry.state and folder in self._folders and _has_changed(path, entry.state):
                    del self._folders[folder]
                    is_changed = True
        return is_changed

    def _matching(self, folder: str, parts: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
        part, rest = parts[0], parts[1:]
        if part == "**":
            yield from self._match_below(folder, parts, depth)
            return
        matches = re.compile(fnmatch.translate(part)).match if _MAGIC.search(part) else None
        if matches is None and rest:
            path = os.path.join(folder, part)  # noqa: PTH118 -- for very many files
            if os.path.isdir(path):  # noqa: PTH112 -- for very many files
                yield from self._matching(path, rest, depth + 1)
            return
        for entry in self._list_folder(folder):
            is_meant = entry.name == part if matches is None else matches(entry.name) and not entry.name.startswith(".")
            if not is_meant:
                continue
            path = os.path.join(folder, entry.name)  # noqa: PTH118 -- for very many files
            if rest and entry.is_folder:
                yield from self._matching(path, rest, depth + 1)
            elif not rest and entry.state:
                yield path, entry.state

    def _match_below(self, folder: str, parts: tuple[str, ...], depth: int) -> Iterator[tuple[str, str]]:
        """Yield the matches of `**`: no folder, or any folders below."""
        if len(parts) > 1:
            yield from self._matching(folder, parts[1:], depth)
        for entry in self._list_folder(folder) if depth < MAX_DEPTH else ():
            path = os.path.join(folder, entry.name)  # noqa: PTH118 -- for very many files
            if entry.is_folder and not entry.name.startswith("."):
                yield from self._match_below(path, parts, depth + 1)
            elif len(parts) == 1 and entry.state:
                yield path, entry.state

    def _list_folder(self, folder: str) -> tuple[_FolderEntry, ...]:
        self._used.add(folder)
        mtime_ns = _mtime(folder)
        stored = self._folders.get(folder)
        if stored is not None and stored.mtime_ns == mtime_ns:
            return stored.entries
        try:
            with os.scandir(folder) as directory, one_look():  # of a product: one listing for all its files
                entries = tuple(sorted(_entries(directory), key=lambda entry: entry.name))
        except OSError as error:
            self.failures[folder] = f"it cannot be listed: {error.strerror}"
            return ()
        # The time was read before the listing, so that a change during the listing counts as a later change.
        self._folders[folder] = _ListedFolder(mtime_ns, entries)
        return entries


def _entries(directory: Iterable["os.DirEntry[str]"]) -> Iterator[_FolderEntry]:
    for entry in directory:
        try:
            is_folder = entry.is_dir()
            is_plain_folder = is_folder and not is_product(entry.path)
            yield _FolderEntry(entry.name, is_folder, "" if is_plain_folder else state_of(state_now(entry.path)))
        except OSError:
            continue  # a broken link, or a file that was just deleted


def _has_changed(path: str, state: str) -> bool:
    try:
        return state_of(state_now(path)) != state
    except OSError:
        return True


def _mtime(folder: str) -> int:
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 -- for very many files
    except OSError:
        return -1
