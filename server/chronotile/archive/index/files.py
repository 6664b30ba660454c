"""Items of files that match a pattern: those of one date and tile, whose names are equal except for `{variable}`."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from pathlib import Path

from chronotile.archive.index.file_items import read_files
from chronotile.archive.index.folders import FolderScan
from chronotile.archive.index.rules import any_address
from chronotile.archive.index.source import Gone, Listed, ListedEntry, ReadEntry, Unread
from chronotile.catalog.items.passes import SourcePass
from chronotile.errors import InvalidItem, SourceUnavailable, UnsupportedSource
from chronotile.model.source import DATA, SourceSpec
from chronotile.model.time.instants import TimeSpan
from chronotile.readers.files import NOT_LISTED, SIDE_FILES, VARIABLE, times_in_names
from chronotile.readers.hrefs import local_path

THREADS = 8
_CHANGES = "changes"
_PLACEHOLDER = re.compile(r"(\{variable\}|\*\*/?|\*|\?|\[[^]]*\])")
_TRIMMED = "-_. "


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGroup:
    """The files of one item."""

    paths: Mapping[str, str]
    """By name of the asset."""
    state: str


class FilesSource:
    """The items of files of this machine.

    Args:
        spec: Of the collection.

    Raises:
        UnsupportedSource: The files are elsewhere, where a pattern cannot be listed.
    """

    state = ""
    threads = THREADS
    is_computing = False
    allowed = staticmethod(any_address)
    is_here = True

    def __init__(self, spec: SourceSpec) -> None:
        if local_path(spec.href) is None:
            raise UnsupportedSource(NOT_LISTED)
        self._spec = spec
        self.scan = FolderScan()
        self._groups: dict[str, FileGroup] = {}
        self._root = _fixed_folder(str(local_path(spec.href)))

    @property
    def identity(self) -> str:
        """The pattern, and the options with which the files are read."""
        variables = sorted(f"{each.id}={each.name}" for each in self._spec.stored.variables.values())
        left_out = "".join(f" without {path}" for path in sorted(self._spec.left_out))
        return f"files {self._spec.href} {self._spec.time_pattern} {self._spec.crs} {' '.join(variables)}{left_out}"

    def has_changed(self, *, most_files: int) -> bool:
        """Return whether a folder has other files, or one of some files was written over."""
        return self.scan.has_changed(most_files=most_files)

    @property
    def knows_changes(self) -> bool:
        """Whether it was listed before."""
        return bool(self._groups)

    def since(self) -> str | None:
        """Return that further passes may read changes alone: those since this source was made."""
        return _CHANGES

    def entries(self, run: SourcePass) -> Iterator[Listed]:
        """Yield the items of all files; of a pass that is not whole, of those that changed since the last time.

        Raises:
            SourceUnavailable: No file matches: a disk may not be mounted.
        """
        before, found = self._groups, self._found()
        # What a folder that cannot be listed holds is taken to be as it was.
        self._groups = before | found if self.scan.failures else found
        for folder, reason in self.scan.failures.items():
            yield Unread(key=folder, reason=reason)
        spans = self._spans()
        for key, group in self._groups.items():
            if run.is_whole or before.get(key) != group:
                yield ListedEntry(key=key, read=partial(self._read, key, group, spans.get(key)), state=group.state)
        if not run.is_whole:
            yield from (Gone(key=key) for key in before.keys() - self._groups.keys())

    def _found(self) -> dict[str, FileGroup]:
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
        return {key: FileGroup(paths=paths[key], state=_joined(states[key])) for key in sorted(paths)}

    def _patterns(self) -> Iterator[tuple[str, str]]:
        """The text that stands for `{variable}`, empty for any, and the pattern of its files."""
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
        found = times_in_names(list(firsts), self._spec.time_pattern)
        return {firsts[path]: span for path, _text, span in found if span is not None}

    def _read(self, key: str, group: FileGroup, span: TimeSpan | None, _before: str) -> ReadEntry:
        if span is None:
            raise InvalidItem("its name contains no time; set time_pattern: with a group (?P<time>…)")
        item = read_files(_id_of(key, self._root), group.paths, span, crs=self._spec.crs)
        return ReadEntry(items=(item,), state=group.state)


def _joined(states: list[str]) -> str:
    return states[0] if len(states) == 1 else blake2b(" ".join(states).encode(), digest_size=12).hexdigest()


def _expression(href: str, name: str) -> re.Pattern[str]:
    """The pattern as an expression in which each `{variable}` is a group."""
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
    """The path with `{variable}` in place of the variable, and the variable; an empty one where it does not match."""
    match = expression.fullmatch(path)
    if match is None:
        return path, ""
    key = path
    for group in sorted(match.groupdict(), key=match.start, reverse=True):
        start, end = match.span(group)
        key = f"{key[:start]}{VARIABLE}{key[end:]}"
    return key, name or match["v0"]


def _fixed_folder(href: str) -> str:
    """The folder above the first part of a pattern that varies."""
    before = re.split(r"[*?[{]", href)[0]
    return before.rpartition("/")[0] + "/"


def _id_of(key: str, root: str) -> str:
    """The path below the root of the pattern without suffix and variable, as an id: slashes are no part of ids."""
    stem = str(Path(key.removeprefix(root)).with_suffix(""))
    parts = [re.sub(rf"[{_TRIMMED}]*\{{variable\}}", "", part).strip(_TRIMMED) for part in stem.split("/")]
    return "--".join(part for part in parts if part) or Path(key).stem
