"""Collections whose names differ in the satellite or in the version only."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from chronotile.archive.discovery.drafts import Draft
from chronotile.archive.discovery.tiles import undated_href
from chronotile.model.source import Finding
from chronotile.yaml_source import list_names

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
                yield Finding("note", root.name, _message(what, pattern, words))


def _message(what: str, pattern: str, words: Mapping[str, str]) -> str:
    different = sorted(set(words.values()))
    is_like = len({len(word) for word in different}) == 1
    letters = zip(*different, strict=True) if is_like else ()
    spelled = "".join(each[0] if len(set(each)) == 1 else "?" for each in letters) or "*"
    remedy = _REMEDIES[what].format(pattern=pattern.replace("\0", spelled))
    return f"{list_names(words, most=4)} differ only in the {what} ({list_names(different, most=4)}): {remedy}"
