"""A configuration made from what lies in a folder (`chronotile serve FOLDER`, docs/design/discovery.md)."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from chronotile.archive.discovery.alike import alike_findings, tile_findings
from chronotile.archive.discovery.collection import DiscoveredCollection, Section, found_collection
from chronotile.archive.discovery.drafts import Draft, drafts_of
from chronotile.archive.discovery.names import as_title
from chronotile.archive.discovery.patterns import escape_pattern
from chronotile.archive.discovery.variables import looks_below
from chronotile.archive.discovery.walk import WalkResult, reason_by_content, walk
from chronotile.archive.open_sources import THREADS
from chronotile.catalog.load import configuration_of
from chronotile.errors import ChronotileError, ConfigurationError, UnsupportedSource
from chronotile.model.grid import NativeGrid
from chronotile.model.source import LEFT_OUT, Finding, Severity
from chronotile.model.style import Style
from chronotile.readers.foreign import opening
from chronotile.readers.kinds import kind_of_named, kind_of_path, kind_options
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.yaml_source import write_yaml

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
        values = self.values(folder)
        parts = [
            "# Made by chronotile from what it found; change what it guessed wrong.\n",
            *(f"# {finding.place}: {finding.message}\n" for finding in self.findings),
            "\n",
            write_yaml({"service": values["service"]}),
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
    found, root = _found(place)
    drafts = drafts_of(found, root, looks_below(root))
    looked = list(_look(drafts, partial(found_collection, styles=styles, caches=caches), progress or _say_nothing))
    collections = tuple(each for each in looked if isinstance(each, DiscoveredCollection))
    failures = [each for each in looked if isinstance(each, Finding)]
    if not collections:
        _refuse(place, failures, found)
    notes = [
        *_undated_findings(collections),
        *tile_findings(collections, root),
        *alike_findings(drafts, root),
        *(finding for each in collections for finding in each.findings),
    ]
    return Discovery(
        place=place,
        root=root,
        collections=collections,
        findings=(*found.findings, *failures, *notes),
    )


def _say_nothing(_what: str, _share: float) -> None:
    pass


def _found(place: Path) -> tuple[WalkResult, Path]:
    """What there is, and the folder it is in; a file that is named is looked into whatever it is called."""
    if place.is_dir() and kind_of_path(place) is None:
        return walk(place), place
    if reason := reason_by_content(place):
        raise ConfigurationError([f"{place.name}: {reason}"])
    return WalkResult({kind_of_named(place).name: (place,)}), place.parent


def _look(
    drafts: list[Draft], find: Callable[[Draft], DiscoveredCollection], progress: Progress
) -> Iterator[DiscoveredCollection | Finding]:
    def look(draft: Draft) -> DiscoveredCollection | Finding:
        try:
            if draft.is_literal and re.search(r"[{}]", str(draft.first)):
                raise UnsupportedSource(
                    "its name has { or }, which have a special meaning in a configuration; rename it"
                )
            with opening("it"):
                return _configurable(find(draft))
        except ChronotileError as error:
            return Finding("error", _place_of(draft), f"{LEFT_OUT}{error.message}")

    with ThreadPoolExecutor(THREADS, thread_name_prefix="discover") as pool:
        for number, (draft, each) in enumerate(zip(drafts, pool.map(look, drafts), strict=True), start=1):
            progress(draft.id, number / len(drafts))
            yield each


def _configurable(found: DiscoveredCollection) -> DiscoveredCollection:
    """The collection, as a configuration may have it.

    Raises:
        ConfigurationError: None may, with what is wrong; else the configuration of all would be refused.
    """
    values = {"collections": {found.draft.id: _section(found, found.draft.root)}}
    configuration_of(values, file=Path("configuration"), kinds=kind_options())
    return found


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
                "separate layer; if they are times of one variable, set time_pattern: in a configuration, or "
                "rename them with dates such as 2019-06-04"
            )
            yield Finding(severity, drafts[0].root.name, message)


def _place_of(draft: Draft) -> str:
    return str(draft.files[0]) if len(draft.files) == 1 else f"{draft.href} ({len(draft.files)} files)"


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
    source = {"kind": found.draft.kind.name, "href": _href(found.draft, folder), **found.source}
    start = _start(found.draft, folder)
    without = [f"{start}{path}" for path in found.draft.left_out]
    source |= {"without": without} if without else {}
    section: Section = {**title, "source": source, "variables": dict(found.variables)}
    return section | ({"composites": dict(found.composites)} if found.composites else {})


def _href(draft: Draft, folder: Path) -> str:
    start = _start(draft, folder)
    return f"{start if draft.is_literal else escape_pattern(start)}{draft.href}"


def _start(draft: Draft, folder: Path) -> str:
    """The path from `folder` to that of the draft's files, with a slash, where both are on one drive."""
    try:
        start = os.path.relpath(draft.root, folder)
    except ValueError:
        start = str(draft.root)
    return "" if start == "." else f"{Path(start).as_posix()}/"
