"""Collections that belong together: tiles of one, as their names and grids tell, and those of like names."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from chronotile.archive.discovery.collection import DiscoveredCollection
from chronotile.archive.discovery.drafts import Draft
from chronotile.archive.discovery.names import ANY, TIME, is_known, name_of
from chronotile.archive.discovery.patterns import escape_pattern
from chronotile.model.source import Finding
from chronotile.yaml_source import list_names

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
        f"with tiles: true and href: {pattern}{beside}"
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
