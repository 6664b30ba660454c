"""A configuration derived from the content of a folder (`chronotile serve FOLDER`, docs/design/discovery.md)."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from chronotile.archive.discovery.collection import DiscoveredCollection, Section, describe_collection
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
"""Called with the id of the current collection and the finished fraction of the work, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """The content of a folder in the form of a configuration."""

    place: Path
    """The folder, file or store."""
    root: Path
    """The base folder of the paths of its files."""
    collections: tuple[DiscoveredCollection, ...]
    findings: tuple[Finding, ...]
    """Findings about skipped files, and about the collections."""

    def values(self, folder: Path) -> dict[str, object]:
        """Return the configuration with paths relative to `folder`."""
        return {
            "service": {"title": as_title(self.place.name) or "chronotile"},
            "collections": {collection.draft.id: _section(collection, folder) for collection in self.collections},
        }

    def text(self, folder: Path) -> str:
        """Return the configuration as text of a file in `folder`, with findings as comments."""
        parts = [
            "# Made by chronotile from what it found; change what it guessed wrong.\n",
            *(f"# {finding.place}: {finding.message}\n" for finding in self.findings),
            "\n",
            write_yaml({"service": self.values(folder)["service"]}),
            "\ncollections:\n",
        ]
        for collection in self.collections:
            parts += [
                f"\n  # {comment}\n" if not index else f"  # {comment}\n"
                for index, comment in enumerate(collection.comments)
            ]
            text = write_yaml({collection.draft.id: _section(collection, folder)})
            parts += [f"  {line}" for line in text.splitlines(keepends=True)]
        return "".join(parts)


def discover(
    place: Path, styles: Mapping[str, Style], caches: ReaderCaches, *, progress: Progress | None = None
) -> Discovery:
    """Return the servable sources of a folder, file or store; data read from them stays in `caches`.

    Raises:
        ConfigurationError: No source can be served; the message has the reason for each.
    """
    if not place.exists():
        raise ConfigurationError([f"{place} does not exist; {HINT}"])
    place = place.absolute()
    result, root = _find(place)
    drafts = drafts_of(result, root, looks_below(root))
    results = list(_look(drafts, partial(describe_collection, styles=styles, caches=caches), progress))
    collections = tuple(item for item in results if isinstance(item, DiscoveredCollection))
    failures = [item for item in results if isinstance(item, Finding)]
    if not collections:
        _refuse(place, failures, result)
    notes = [
        *_undated_findings(collections),
        *tile_findings(collections, root),
        *alike_findings(drafts, root),
        *date_findings(collections, root),
        *(finding for item in collections for finding in item.findings),
    ]
    return Discovery(place=place, root=root, collections=collections, findings=(*result.findings, *failures, *notes))


def _find(place: Path) -> tuple[WalkResult, Path]:
    """Return files and their folder. A file that was named by the operator may have any suffix."""
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
                collection = find(draft)
                # An invalid collection would make the whole configuration invalid, so each is checked separately.
                values = {"collections": {collection.draft.id: _section(collection, collection.draft.root)}}
                parse_configuration(values, file=Path("configuration"), kinds=kind_options())
                return collection
        except ChronotileError as error:
            place = str(draft.files[0]) if len(draft.files) == 1 else f"{draft.href} ({len(draft.files)} files)"
            return Finding("error", place, f"{LEFT_OUT}{error.message}")

    with ThreadPoolExecutor(THREADS, thread_name_prefix="discover") as pool:
        for number, (draft, result) in enumerate(zip(drafts, pool.map(look, drafts), strict=True), start=1):
            if progress is not None:
                progress(draft.id, number / len(drafts))
            yield result


def _undated_findings(collections: Iterable[DiscoveredCollection]) -> Iterator[Finding]:
    """Yield a finding for each grid with several undated files, which are mostly times of one variable."""
    groups: dict[NativeGrid, list[Draft]] = {}
    for collection in collections:
        if collection.is_undated:
            groups.setdefault(collection.grid, []).append(collection.draft)
    for drafts in groups.values():
        names = [str(draft.files[0]) for draft in drafts]
        if len(names) > 1:
            # Names without any number are mostly different things, such as dem.tif and slope.tif.
            severity: Severity = "warning" if any(map(_NUMBER.search, names)) else "note"
            message = (
                f"{len(names)} files on one grid without times in their names, such as {names[0]}: each is a "
                "separate layer; if they are times of one variable, write a configuration with href: "
                f"{masked_href(names)} and {TIME_REMEDY}, or rename them with dates such as 2019-06-04"
            )
            yield Finding(severity, drafts[0].root.name, message)


def _refuse(place: Path, failures: list[Finding], result: WalkResult) -> NoReturn:
    """Raise the reasons why nothing can be served: the failed sources, or else the skipped files.

    Raises:
        ConfigurationError: Always.
    """
    if failures:
        raise ConfigurationError([f"{failure.place}: {failure.message.removeprefix(LEFT_OUT)}" for failure in failures])
    skipped = [f"{finding.place}: {finding.message}" for finding in result.findings]
    raise ConfigurationError([f"{place.name} holds no GeoTIFF, JPEG 2000, VRT, NetCDF or Zarr; {HINT}", *skipped])


def _section(collection: DiscoveredCollection, folder: Path) -> Section:
    title: Section = {"title": collection.title} if collection.title else {}
    draft, start = collection.draft, _start(collection.draft, folder)
    href = f"{start if draft.is_literal else escape_pattern(start)}{draft.href}"
    source = {"kind": draft.kind.name, "href": href, **collection.source}
    without = [f"{start}{path}" for path in draft.left_out]
    source |= {"without": without} if without else {}
    section: Section = {**title, "source": source, "variables": dict(collection.variables)}
    return section | ({"composites": dict(collection.composites)} if collection.composites else {})


def _start(draft: Draft, folder: Path) -> str:
    """Return the path from `folder` to the draft's root, ending with a slash; absolute on another drive."""
    try:
        start = os.path.relpath(draft.root, folder)
    except ValueError:
        start = str(draft.root)
    return "" if start == "." else f"{Path(start).as_posix()}/"


# Related collections: tiles of one collection by names and grids, and collections with similar names.

FEWEST_TILES = 3
MOST_UNLIKE = 0.01
"""Relative difference of pixel sizes up to which grids may be tiles."""
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
    """Yield a finding for each group of dated collections that differ in one word and have separate grids."""
    groups: dict[str, list[DiscoveredCollection]] = {}
    for collection in collections:
        if collection.draft.kind.options.may_have_items and collection.draft.time_pattern is not None:
            for pattern in _patterns(collection.draft):
                groups.setdefault(pattern, []).append(collection)
    tile_ids: set[str] = set()
    for pattern, members in sorted(groups.items(), key=lambda group: (-len(group[1]), len(group[0]), group[0])):
        ids = {collection.draft.id for collection in members}
        if len(members) >= FEWEST_TILES and not ids & tile_ids and _are_tiles(members):
            tile_ids |= ids
            yield Finding("warning", root.name, _message(pattern, members[0].draft.id, len(members), root))


def _message(pattern: str, example: str, count: int, root: Path) -> str:
    catalogue = next((name for name in CATALOGUES if (root / name).is_file()), None)
    beside = "" if catalogue is None else f", or serve the catalogue {catalogue} in this folder"
    return (
        f"{count} collections, such as {example}, are tiles of one: for one map of all of them, write a configuration "
        f"with variables:, such as {{V: {{band: 1}}}}, and with tiles: true and href: {pattern}{beside}"
    )


def _patterns(draft: Draft) -> set[str]:
    """Return patterns of the files, with `*` for one folder or one word with a digit, as tiles may differ in it."""
    href = undated_href(draft)
    folders = href.split("/")[:-1]
    words = {word for word in _WORD.findall(href) if re.search(r"\d", word) and not is_known(word)}
    words |= {folder for folder in folders if not set("*?[{") & set(folder) and not is_known(folder)}
    return {re.sub(rf"(?<![A-Za-z0-9]){re.escape(word)}(?![A-Za-z0-9])", "*", href) for word in words}


def undated_href(draft: Draft) -> str:
    """Return the pattern of a collection's files; for a single file `*` replaces its dates."""
    if len(draft.files) > 1:
        return draft.href
    return re.sub(f"[{TIME}{ANY}]", "*", escape_pattern(name_of(draft.files[0]).pattern))


def _are_tiles(members: Sequence[DiscoveredCollection]) -> bool:
    """Return whether all grids are different and have similar pixels."""
    grids = [member.grid for member in members]
    sizes = [grid.resolution for grid in grids]
    return len(set(grids)) == len(grids) and max(sizes) <= min(sizes) * (1 + MOST_UNLIKE)


def alike_findings(drafts: Iterable[Draft], root: Path) -> Iterator[Finding]:
    """Yield a note for each group of dated collections that differ only in the satellite or the version."""
    patterns = {draft.id: undated_href(draft) for draft in drafts if draft.time_pattern is not None}
    for what, expression in _KINDS.items():
        groups: dict[str, dict[str, str]] = {}
        for id_, pattern in patterns.items():
            for word in expression.finditer(pattern):
                groups.setdefault(f"{pattern[: word.start()]}\0{pattern[word.end() :]}", {})[id_] = word[0]
        for pattern, words in groups.items():
            if len(words) > 1:
                yield Finding("note", root.name, _message_of_alike(what, pattern, words))


def _message_of_alike(what: str, pattern: str, words: Mapping[str, str]) -> str:
    different = sorted(set(words.values()))
    is_like = len({len(word) for word in different}) == 1
    letters = zip(*different, strict=True) if is_like else ()
    spelled = "".join(letter[0] if len(set(letter)) == 1 else "?" for letter in letters) or "*"
    remedy = _REMEDIES[what].format(pattern=pattern.replace("\0", spelled))
    return f"{list_names(words, most=4)} differ only in the {what} ({list_names(different, most=4)}): {remedy}"
