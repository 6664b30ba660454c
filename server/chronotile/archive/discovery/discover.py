"""A configuration derived from the content of a folder (`chronotile serve FOLDER`, docs/design/discovery.md)."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

from chronotile.archive.discovery.collection import DiscoveredCollection, describe_collection
from chronotile.archive.discovery.date_findings import TIME_REMEDY, date_findings, masked_href
from chronotile.archive.discovery.drafts import Draft, drafts_of, escape_pattern, make_ids_unique
from chronotile.archive.discovery.names import as_title
from chronotile.archive.discovery.related import alike_findings, tile_findings
from chronotile.archive.discovery.variables import looks_below
from chronotile.archive.discovery.walk import RASTERS, WalkResult, images_in, reason_by_content, walk
from chronotile.archive.open_sources import THREADS
from chronotile.catalog.load import parse_configuration
from chronotile.core.errors import ChronotileError, ConfigurationError, SeveralGroups, UnsupportedSource
from chronotile.core.finding import LEFT_OUT, Finding, Severity
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Style
from chronotile.core.yaml_source import write_yaml
from chronotile.readers.kinds import kind_of_argument, kind_of_path, kind_options
from chronotile.readers.library_errors import opening
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.drafts import DraftSection

HINT = "name a folder or file of data; without any of your own: chronotile demo"
_NUMBER = re.compile(r"\d\d")

DiscoveryProgress = Callable[[str, float], None]
"""Called with the id of the current collection and the finished fraction of the work, 0 to 1."""
LookResult = DiscoveredCollection | Finding | list[Draft]
"""A collection, the reason why it is skipped, or a draft for each group of its files."""


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
    place: Path, styles: Mapping[str, Style], caches: ReaderCaches, *, progress: DiscoveryProgress | None = None
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
    find = partial(describe_collection, styles=styles, caches=caches)
    results = list(_look(drafts, find, progress))
    of_groups = make_ids_unique((g for result in results for g in _drafts_of_groups(result)), (d.id for d in drafts))
    results += _look(list(of_groups), find, progress)
    described = [item for item in results if isinstance(item, DiscoveredCollection)]
    collections = tuple(sorted(described, key=lambda item: item.draft.files[0]))
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
    try:
        if images := images_in(place):
            return WalkResult({RASTERS: images}), place.parent
    except OSError as error:
        raise ConfigurationError([f"{place.name}: {error.strerror or error}"]) from error
    if reason := reason_by_content(place):
        raise ConfigurationError([f"{place.name}: {reason}"])
    return WalkResult({kind_of_argument(place).name: (place,)}), place.parent


def _drafts_of_groups(result: LookResult) -> list[Draft]:
    if isinstance(result, DiscoveredCollection):
        return [result.draft.select_group(path) for path in result.other_groups]
    return [] if isinstance(result, Finding) else result


def _look(
    drafts: list[Draft], find: Callable[[Draft], DiscoveredCollection], progress: DiscoveryProgress | None
) -> Iterator[LookResult]:
    def look(draft: Draft) -> LookResult:
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
        except SeveralGroups as error:
            return [draft.select_group(path) for path in error.groups]
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


def _section(collection: DiscoveredCollection, folder: Path) -> DraftSection:
    title: DraftSection = {"title": collection.title} if collection.title else {}
    draft, start = collection.draft, _start(collection.draft, folder)
    href = f"{start if draft.is_literal else escape_pattern(start)}{draft.href}"
    source = {"kind": draft.kind.name, "href": href, **collection.source}
    without = [f"{start}{path}" for path in draft.left_out]
    source |= {"without": without} if without else {}
    section: DraftSection = {**title, "source": source, "variables": dict(collection.variables)}
    return section | ({"composites": dict(collection.composites)} if collection.composites else {})


def _start(draft: Draft, folder: Path) -> str:
    """Return the path from `folder` to the draft's root, ending with a slash; absolute on another drive."""
    try:
        start = os.path.relpath(draft.root, folder)
    except ValueError:
        start = str(draft.root)
    return "" if start == "." else f"{Path(start).as_posix()}/"
