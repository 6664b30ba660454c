"""Drafts of collections: grouping of files before any file is opened."""

import glob
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from chronotile.archive.discovery.names import (
    ANY,
    ONE,
    TIME,
    VARIABLE,
    FileName,
    Looks,
    NameGroup,
    group_names,
    group_times,
    slug,
    strip_suffix,
)
from chronotile.archive.discovery.sentinel2 import split_products
from chronotile.archive.discovery.walk import WalkResult
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.time.domain import TimeDomain
from chronotile.readers.kind import SourceKind
from chronotile.readers.kinds import KINDS
from chronotile.readers.name_parts import time_of_groups

NAMELESS = "data"
"""Id if neither the files' names nor the folder's have a letter or digit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A proposed collection."""

    id: str
    text: str
    """The shared part of its files' names, or the name of its only file."""
    kind: SourceKind
    root: Path
    """Absolute path of the folder that was searched, or of the folder that contains the only file or store."""
    href: str
    """Relative to `root`."""
    files: tuple[Path, ...]
    """Relative to `root`."""
    time_pattern: str | None = None
    variables: tuple[str, ...] = ()
    """The values of `{variable}` in the href."""
    left_out: tuple[str, ...] = ()
    """Paths, relative to `root`, that the href matches, but that must not be opened."""
    group: str | None = None
    """Group of the files; empty for the root, `None` before it is chosen."""

    @property
    def first(self) -> Path:
        """The first file, or the store."""
        return self.root / self.files[0]

    @property
    def is_literal(self) -> bool:
        """Whether its href is a path instead of a pattern."""
        return not self.kind.options.has_bands and len(self.files) == 1

    def spec(self, variables: Iterable[VariableSpec] = (), times: TimeDomain | None = None) -> SourceSpec:
        """Return the source to open; `times` from the files override times in their names."""
        return SourceSpec(
            collection=self.id,
            kind=self.kind.name,
            href=f"{escape_pattern(str(self.root))}/{self.href}" if len(self.files) > 1 else str(self.first),
            time_pattern=self.time_pattern if times is None else None,
            times=times,
            variables={variable.id: variable for variable in variables},
            left_out=frozenset(str(self.root / path) for path in self.left_out),
            group=self.group,
        )

    def select_group(self, path: str) -> "Draft":
        """Return the draft of a group of the same files, named after the group; the root keeps the name."""
        words = [self.text, *path.split("/")] if path else [self.text]
        return replace(self, id=slug(" ".join((self.id, path))), text=" ".join(words), group=path)


def drafts_of(result: WalkResult, root: Path, looks: Looks) -> list[Draft]:
    """Return the drafts of collections in the order of their files, with unique ids.

    Args:
        result: The files.
        root: The base folder of their paths.
        looks: Checks of file contents.
    """
    places = {KINDS[name]: [path.relative_to(root) for path in paths] for name, paths in result.places.items()}
    everything = sorted(path.as_posix() for kind, paths in places.items() if kind.options.is_of_files for path in paths)
    drafts = [
        draft for kind, paths in places.items() for draft in _draft_kind(kind, paths, everything, root, looks=looks)
    ]
    left_out = sorted(path.relative_to(root).as_posix() for path in result.left_out)
    bounded = (replace(draft, left_out=tuple(paths_matching(draft.href, left_out))) for draft in drafts)
    return list(make_ids_unique(sorted(bounded, key=lambda draft: draft.files[0])))


def _draft_kind(
    kind: SourceKind, paths: Sequence[Path], everything: Sequence[str], root: Path, *, looks: Looks
) -> Iterator[Draft]:
    """Yield drafts of a kind: one per group of similar names for files of bands, else one per group of times."""
    if kind.options.has_bands:
        groups, other_paths = split_products(paths, root)
        yield from (
            _draft_group(group, kind, everything, root) for group in (*groups, *group_names(other_paths, looks))
        )
    elif kind.options.is_of_files:
        for group in group_times(paths):
            if len(group.names) > 1 and group.is_dated:
                yield _draft_group(group, kind, everything, root)
            else:
                yield from (_draft_store(name.path, kind, root) for name in group.names)
    else:
        yield from (_draft_store(path, kind, root) for path in paths)


def _draft_group(group: NameGroup, kind: SourceKind, everything: Sequence[str], root: Path) -> Draft:
    # The nearest folder with a constant name.
    fixed = [part for part in group.folder_pattern.split("/") if part and part.isprintable()]
    folder = fixed[-1] if fixed else root.name
    text = group.shared_text
    return Draft(
        id=slug(text) or slug(folder) or NAMELESS,
        text=text or folder,
        kind=kind,
        root=root,
        href=href_of(group, everything),
        files=tuple(name.path for name in group.names),
        time_pattern=time_pattern_of(group, root),
        variables=group.variables,
    )


def _draft_store(path: Path, kind: SourceKind, root: Path) -> Draft:
    text = strip_suffix(path.name)
    return Draft(id=slug(text) or NAMELESS, text=text, kind=kind, root=root, href=path.as_posix(), files=(path,))


def make_ids_unique(drafts: Iterable[Draft], existing: Iterable[str] = ()) -> Iterator[Draft]:
    """Make ids unique, also among `existing`: the second draft with an id is called `id-2`, the third `id-3`."""
    ids = set(existing)
    for draft in drafts:
        number, id_ = 1, draft.id
        while id_ in ids:
            number += 1
            id_ = f"{draft.id}-{number}"
        ids.add(id_)
        yield replace(draft, id=id_)


_DIGITS = re.compile(r"\d+")
_LAST_WORD = re.compile(r"[A-Za-z0-9]*[-_. ]*$")


def href_of(group: NameGroup, everything: Sequence[str]) -> str:
    """Return the pattern of the group's files for a configuration, relative to the folder.

    Variable parts are `*`, or `?` per letter if `*` would also match other files.

    Args:
        group: The files.
        everything: All files of the folder, sorted.
    """
    group_paths = {name.path.as_posix() for name in group.names}
    if len(group_paths) == 1:
        return escape_pattern(*group_paths)
    start = re.split(f"[{TIME}{ANY}{VARIABLE}{ONE}]", group.pattern)[0]
    first = bisect_left(everything, start)
    last = bisect_left(everything, start + chr(0x10FFFF), lo=first)
    other_paths = [path for path in everything[first:last] if path not in group_paths]
    loose = _href(group.pattern, ["*"] * group.pattern.count(TIME))
    if not _matches_any(loose, group, other_paths):
        return loose
    spelled = {re.sub("[^/]", "?", name.time or "") for name in group.names}
    strict = _href(group.pattern, spelled.pop().split("/")) if len(spelled) == 1 else loose
    return loose if _matches_any(strict, group, other_paths) else strict


def _href(pattern: str, times: Iterable[str]) -> str:
    """Return the pattern with a text of `times` for each part of the time."""
    parts, rest = re.split(f"([{TIME}{ANY}{VARIABLE}{ONE}])", pattern), iter(times)
    spelled = {ANY: "*", VARIABLE: "{variable}", ONE: "?"}
    return "".join(next(rest) if part == TIME else spelled.get(part, escape_pattern(part)) for part in parts)


def escape_pattern(text: str) -> str:
    """Return a literal text as a glob; braces, which are special in a configuration, become `?`."""
    return re.sub(r"[{}$]", "?", glob.escape(text)) if re.search(r"[][*?{}$]", text) else text


def _matches_any(href: str, group: NameGroup, other_paths: Iterable[str]) -> bool:
    expressions = [_expression(href.replace("{variable}", word)) for word in (group.variables or ("",))]
    return any(expression.fullmatch(path) for path in other_paths for expression in expressions)


def paths_matching(href: str, paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths that a pattern matches with any variable."""
    expression = _expression(href.replace("{variable}", "*"))
    yield from (path for path in paths if expression.fullmatch(path))


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\[.\]|\*|\?)", pattern)
    meanings = {"*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(meanings.get(part, re.escape(part[1] if len(part) == 3 and part[0] == "[" else part)) for part in parts)
    )


def time_pattern_of(group: NameGroup, root: Path) -> str | None:
    """Return an expression that finds the times in all paths of a group; `None` if there is no common one."""
    if not group.is_dated:
        return None
    before, after = group.pattern.partition(TIME)[0], group.pattern.rpartition(TIME)[2]
    shapes = {_grouped_shape(name) for name in group.names}
    shape = shapes.pop() if len(shapes) == 1 else "|".join(sorted(shapes, key=len, reverse=True))
    for head in (before[-1:], _LAST_WORD.findall(before)[0], before.rpartition("/")[2]):
        for tail in ("", _literal(after[:1]), f"{_literal(after)}$"):
            pattern = f"{_literal(head)}(?P<time>{shape}){tail}"
            if _finds_all(re.compile(pattern), group, root):
                return pattern
    return None


def _grouped_shape(name: FileName) -> str:
    """Return the form of a name's time; with named groups if its last digit is a dekad, pentad or half of a month."""
    if name.number is None or name.time is None:
        return _shape(name.time or "")
    match = re.fullmatch(r"\d{4}(\D*)\d\d(\D*)[\dabAB]", name.time)
    between, apart = map(_quote, match.groups()) if match else ("", "")
    digit = "[abAB]" if name.number == "half" else r"\d"
    return rf"(?P<year>\d{{4}}){between}(?P<month>\d{{2}}){apart}(?P<{name.number}>{digit})"


def _shape(time: str) -> str:
    # The form of the text of a time: `2019-06-04` is `\d{4}-\d{2}-\d{2}`.
    return _DIGITS.sub(lambda match: rf"\d{{{len(match[0])}}}" if len(match[0]) > 1 else r"\d", _quote(time))


def _literal(text: str) -> str:
    # The text as an expression; placeholders match anything except a slash.
    parts, spelled = re.split(f"([{ANY}{VARIABLE}{ONE}])", text), {ANY: "[^/]*", VARIABLE: "[^/]*", ONE: "[^/]"}
    return "".join(spelled.get(part) or _quote(part) for part in parts)


def _quote(text: str) -> str:
    # The text as an expression; hyphens and blanks need no backslash outside brackets.
    return re.escape(text).replace(r"\-", "-").replace(r"\ ", " ")


def _finds_all(expression: re.Pattern[str], group: NameGroup, root: Path) -> bool:
    for name in group.names:
        match = expression.search((root / name.path).as_posix())
        if match is None or match["time"] != name.time or time_of_groups(match.groupdict()) is None:
            return False
    return True
