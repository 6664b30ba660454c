"""A configuration made from what lies in a folder (`chronotile serve FOLDER`, docs/design/discovery.md)."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from chronotile.archive.discovery.collection import DiscoveredCollection, Section, found_collection
from chronotile.archive.discovery.date_findings import TIME_REMEDY, date_findings, masked_href
from chronotile.archive.discovery.drafts import Draft, drafts_of, escape_pattern
from chronotile.archive.discovery.names import ANY, TIME, as_title, is_known, name_of
from chronotile.archive.discovery.variables import looks_below
from chronotile.archive.discovery.walk import WalkResult, reason_by_content, walk
from chronotile.archive.open_sources import THREADS
from chronotile.catalog.load import parse_configuration
from chronotile.core.errors import ChronotileError, ConfigurationError, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding, Severity
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from chronotile.core.yaml_source import list_names, write_yaml
from chronotile.readers.kinds import kind_of_named, kind_of_path, kind_options
from chronotile.readers.library_errors import opening
from chronotile.readers.reader_caches import ReaderCaches

HINT = "name a folder or file of data; without any of your own: chronotile demo"
_NUMBER = re.compile(r"\d\d")

Progress = Callable[[str, float], None]
"""Called with what is being looked at and the share of the work that is done, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What was found in a folder, as a configuration."""

    place: Path
    """The folder, file or store looked into."""
    root: Path
    """The folder from which its files are counted."""
    collections: tuple[DiscoveredCollection, ...]
    findings: tuple[Finding, ...]
    """What was left out, and why."""

    def values(self, folder: Path) -> dict[str, object]:
        """Return the configuration, its paths relative to `folder`."""
        return {
            "service": {"title": as_title(self.place.name) or "chronotile"},
            "collections": {each.draft.id: _section(each, folder) for each in self.collections},
        }

    def text(self, folder: Path) -> str:
        """Return the configuration as a file in `folder` holds it, with what was found as comments."""
        parts = [
            "# Made by chronotile from what it found; change what it guessed wrong.\n",
            *(f"# {finding.place}: {finding.message}\n" for finding in self.findings),
            "\n",
            write_yaml({"service": self.values(folder)["service"]}),
            "\ncollections:\n",
        ]
        for each in self.collections:
            parts += [
                f"\n  # {comment}\n" if not index else f"  # {comment}\n" for index, comment in enumerate(each.comments)
            ]
            text = write_yaml({each.draft.id: _section(each, folder)})
            parts += [f"  {line}" for line in text.splitlines(keepends=True)]
        return "".join(parts)


def discover(
    place: Path, styles: Mapping[str, Style], caches: ReaderCaches, *, progress: Progress | None = None
) -> Discovery:
    """Return the sources of a folder, file or store that can be served; data read from them is cached in `caches`.

    Raises:
        ConfigurationError: None can be served; the message has the reason for each source.
    """
    if not place.exists():
        raise ConfigurationError([f"{place} does not exist; {HINT}"])
    place = place.absolute()
    found, root = _find(place)
    drafts = drafts_of(found, root, looks_below(root))
    looked = list(_look(drafts, partial(found_collection, styles=styles, caches=caches), progress))
    collections = tuple(each for each in looked if isinstance(each, DiscoveredCollection))
    failures = [each for each in looked if isinstance(each, Finding)]
    if not collections:
        _refuse(place, failures, found)
    notes = [
        *_undated_findings(collections),
        *tile_findings(collections, root),
        *alike_findings(drafts, root),
        *date_findings(collections, root),
        *(finding for each in collections for finding in each.findings),
    ]
    return Discovery(place=place, root=root, collections=collections, findings=(*found.findings, *failures, *notes))


def _find(place: Path) -> tuple[WalkResult, Path]:
    """What there is, and the folder it is in; a file that is named is looked into whatever it is called."""
    if place.is_dir() and kind_of_path(place) is None:
        return walk(place), place
    if reason := reason_by_content(place):
        raise ConfigurationError([f"{place.name}: {reason}"])
    return WalkResult({kind_of_named(place).name: (place,)}), place.parent


def _look(
    drafts: list[Draft], find: Callable[[Draft], DiscoveredCollection], progress: Progress | None
) -> Iterator[DiscoveredCollection | Finding]:
    def look(draft: Draft) -> DiscoveredCollection | Finding:
        try:
            if draft.is_literal and re.search(r"[{}]", str(draft.first)):
                raise UnsupportedSource(
                    "its name has { or }, which have a special meaning in a configuration; rename it"
                )
            with opening("it"):
                found = find(draft)
                # Of one that no configuration may have, the configuration of all would be refused.
                values = {"collections": {found.draft.id: _section(found, found.draft.root)}}
                parse_configuration(values, file=Path("configuration"), kinds=kind_options())
                return found
        except ChronotileError as error:
            place = str(draft.files[0]) if len(draft.files) == 1 else f"{draft.href} ({len(draft.files)} files)"
            return Finding("error", place, f"{LEFT_OUT}{error.message}")

    with ThreadPoolExecutor(THREADS, thread_name_prefix="discover") as pool:
        for number, (draft, each) in enumerate(zip(drafts, pool.map(look, drafts), strict=True), start=1):
            if progress is not None:
                progress(draft.id, number / len(drafts))
            yield each


def _undated_findings(collections: Iterable[DiscoveredCollection]) -> Iterator[Finding]:
    """A finding for each grid that several files without time have: most often they are the times of one variable."""
    groups: dict[NativeGrid, list[Draft]] = {}
    for each in collections:
        if each.is_undated:
            groups.setdefault(each.grid, []).append(each.draft)
    for drafts in groups.values():
        names = [str(draft.files[0]) for draft in drafts]
        if len(names) > 1:
            # Without any number they are rather different things: dem.tif, slope.tif.
            severity: Severity = "warning" if any(map(_NUMBER.search, names)) else "note"
            message = (
                f"{len(names)} files on one grid without times in their names, such as {names[0]}: each is a "
                "separate layer; if they are times of one variable, write a configuration with href: "
                f"{masked_href(names)} and {TIME_REMEDY}, or rename them with dates such as 2019-06-04"
            )
            yield Finding(severity, drafts[0].root.name, message)


def _refuse(place: Path, failures: list[Finding], found: WalkResult) -> NoReturn:
    """Say why nothing can be served: of each source that does not open, or of what was skipped.

    Raises:
        ConfigurationError: Always.
    """
    if failures:
        raise ConfigurationError([f"{each.place}: {each.message.removeprefix(LEFT_OUT)}" for each in failures])
    skipped = [f"{each.place}: {each.message}" for each in found.findings]
    raise ConfigurationError([f"{place.name} holds no GeoTIFF, JPEG 2000, VRT, NetCDF or Zarr; {HINT}", *skipped])


def _section(found: DiscoveredCollection, folder: Path) -> Section:
    title: Section = {"title": found.title} if found.title else {}
    draft, start = found.draft, _start(found.draft, folder)
    href = f"{start if draft.is_literal else escape_pattern(start)}{draft.href}"
    source = {"kind": draft.kind.name, "href": href, **found.source}
    without = [f"{start}{path}" for path in draft.left_out]
    source |= {"without": without} if without else {}
    section: Section = {**title, "source": source, "variables": dict(found.variables)}
    return section | ({"composites": dict(found.composites)} if found.composites else {})


def _start(draft: Draft, folder: Path) -> str:
    """The path from `folder` to that of the draft's files, with a slash, where both are on one drive."""
    try:
        start = os.path.relpath(draft.root, folder)
    except ValueError:
        start = str(draft.root)
    return "" if start == "." else f"{Path(start).as_posix()}/"


# Collections that belong together: tiles of one, as their names and grids tell, and those of like names.

FEWEST_TILES = 3
MOST_UNLIKE = 0.01
"""Share by which the pixels of tiles may differ in size."""
CATALOGUES = ("catalog.json", "collection.json")
_WORD = re.compile(r"[A-Za-z0-9]+")
_KINDS = {
    "satellite": re.compile(
        r"(?<![A-Za-z0-9])(?:S[1-6][A-D?](?![A-Za-z0-9])|L[CEOT]0[\d?](?![A-Za-z0-9])|M[OY]D(?=\d\d))"
    ),
    "version": re.compile(r"(?<![A-Za-z0-9])[vV]\d+(?:\.\d+)*(?![A-Za-z0-9])"),
}
_REMEDIES = {
    "satellite": "for one collection of them write a configuration with href: {pattern} (of two files of one time the "
    "first is served)",
    "version": "if one replaces the others, remove those; for one collection of them write a configuration with href: "
    "{pattern}",
}


def tile_findings(collections: Iterable[DiscoveredCollection], root: Path) -> Iterator[Finding]:
    """Yield a finding for each group of dated collections whose names differ in one word and which lie side by side."""
    groups: dict[str, list[DiscoveredCollection]] = {}
    for each in collections:
        if each.draft.kind.options.may_have_items and each.draft.time_pattern is not None:
            for pattern in _patterns(each.draft):
                groups.setdefault(pattern, []).append(each)
    named: set[str] = set()
    for pattern, members in sorted(groups.items(), key=lambda group: (-len(group[1]), len(group[0]), group[0])):
        ids = {each.draft.id for each in members}
        if len(members) >= FEWEST_TILES and not ids & named and _are_tiles(members):
            named |= ids
            yield Finding("warning", root.name, _message(pattern, members[0].draft.id, len(members), root))


def _message(pattern: str, example: str, count: int, root: Path) -> str:
    catalogue = next((name for name in CATALOGUES if (root / name).is_file()), None)
    beside = "" if catalogue is None else f", or serve the catalogue {catalogue} in this folder"
    return (
        f"{count} collections, such as {example}, are tiles of one: for one map of all of them, write a configuration "
        f"with variables:, such as {{V: {{band: 1}}}}, and with tiles: true and href: {pattern}{beside}"
    )


def _patterns(draft: Draft) -> set[str]:
    """The pattern of the files with `*` in place of each folder, or word with a digit, by which tiles may differ."""
    href = undated_href(draft)
    folders = href.split("/")[:-1]
    words = {word for word in _WORD.findall(href) if re.search(r"\d", word) and not is_known(word)}
    words |= {folder for folder in folders if not set("*?[{") & set(folder) and not is_known(folder)}
    return {re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", "*", href) for word in words}


def undated_href(draft: Draft) -> str:
    """Return the pattern of a collection's files; of a single one with `*` for its time and further dates."""
    if len(draft.files) > 1:
        return draft.href
    return re.sub(f"[{TIME}{ANY}]", "*", escape_pattern(name_of(draft.files[0]).pattern))


def _are_tiles(members: Sequence[DiscoveredCollection]) -> bool:
    """Whether all are on grids of their own, of like pixels."""
    grids = [each.grid for each in members]
    sizes = [grid.resolution for grid in grids]
    return len(set(grids)) == len(grids) and max(sizes) <= min(sizes) * (1 + MOST_UNLIKE)


def alike_findings(drafts: Iterable[Draft], root: Path) -> Iterator[Finding]:
    """Yield a note for each group of dated collections whose files' names differ in one of these words only."""
    patterns = {draft.id: undated_href(draft) for draft in drafts if draft.time_pattern is not None}
    for what, expression in _KINDS.items():
        groups: dict[str, dict[str, str]] = {}
        for own, pattern in patterns.items():
            for word in expression.finditer(pattern):
                groups.setdefault(f"{pattern[: word.start()]}\0{pattern[word.end() :]}", {})[own] = word[0]
        for pattern, words in groups.items():
            if len(words) > 1:
                yield Finding("note", root.name, _message_of_alike(what, pattern, words))


def _message_of_alike(what: str, pattern: str, words: Mapping[str, str]) -> str:
    different = sorted(set(words.values()))
    is_like = len({len(word) for word in different}) == 1
    letters = zip(*different, strict=True) if is_like else ()
    spelled = "".join(each[0] if len(set(each)) == 1 else "?" for each in letters) or "*"
    remedy = _REMEDIES[what].format(pattern=pattern.replace("\0", spelled))
    return f"{list_names(words, most=4)} differ only in the {what} ({list_names(different, most=4)}): {remedy}"
