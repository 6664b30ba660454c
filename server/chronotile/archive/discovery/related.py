"""Findings about related collections: tiles of one collection, and collections with similar names."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from chronotile.archive.discovery.collection import DiscoveredCollection
from chronotile.archive.discovery.drafts import Draft, escape_pattern
from chronotile.archive.discovery.names import ANY, TIME, has_seconds, is_known, name_of
from chronotile.core.finding import Finding
from chronotile.core.yaml_source import list_names

MIN_TILES = 3
MAX_UNLIKE = 0.01
"""Relative difference of pixel sizes up to which grids may be tiles."""
CATALOGUES = ("catalog.json", "collection.json")
_WORD = re.compile(r"T\d{3}-\d{6}-[IE]W\d|[A-Za-z0-9]+")
"""A word, or the number of a burst of Sentinel-1, whose track, burst and swath differ together."""
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
        if len(members) >= MIN_TILES and not ids & tile_ids and _are_tiles(members):
            tile_ids |= ids
            yield Finding("warning", root.name, _message(pattern, members, root))


def _message(pattern: str, members: Sequence[DiscoveredCollection], root: Path) -> str:
    catalogue = next((name for name in CATALOGUES if (root / name).is_file()), None)
    beside = "" if catalogue is None else f", or serve the catalogue {catalogue} in this folder"
    draft = members[0].draft
    variables = ", ".join(f"{name}: {{}}" for name in draft.variables)
    section = f"variables: {{{variables}}}" if variables else "variables:, such as {V: {band: 1}}"
    is_instant = has_seconds(name_of(draft.files[0]))
    day = ", time: {group: solar_day} (their times differ)" if is_instant else ""
    return (
        f"{len(members)} collections, such as {draft.id}, are tiles of one: for one map of all of them, write a "
        f"configuration with {section}, and with tiles: true and href: {pattern}{day}{beside}"
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
    return len(set(grids)) == len(grids) and max(sizes) <= min(sizes) * (1 + MAX_UNLIKE)


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
