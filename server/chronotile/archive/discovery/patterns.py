"""A group of files as a configuration names it: a pattern of paths, and the expression that finds their times."""

import glob
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from chronotile.archive.discovery.names import ANY, ONE, TIME, VARIABLE, NameGroup
from chronotile.readers.dates import time_of_text

_DIGITS = re.compile(r"\d+")
_LAST_WORD = re.compile(r"[A-Za-z0-9]*[-_. ]*$")


def href_of(group: NameGroup, everything: Sequence[str]) -> str:
    """Return the pattern of the group's files from the folder looked into, as a configuration has it.

    `*` stands for what varies, or else as many `?`, where with `*` the pattern would match other files too.

    Args:
        group: The files.
        everything: All files there are, sorted.
    """
    own = {name.path.as_posix() for name in group.names}
    if len(own) == 1:
        return escape_pattern(*own)
    start = re.split(f"[{TIME}{ANY}{VARIABLE}{ONE}]", group.pattern)[0]
    others = [path for path in _beginning_with(start, everything) if path not in own]
    loose = _href(group.pattern, ["*"] * group.pattern.count(TIME))
    if not _matches_any(loose, group, others):
        return loose
    spelled = {re.sub("[^/]", "?", name.time or "") for name in group.names}
    strict = _href(group.pattern, spelled.pop().split("/")) if len(spelled) == 1 else loose
    return loose if _matches_any(strict, group, others) else strict


def _beginning_with(start: str, everything: Sequence[str]) -> Sequence[str]:
    first = bisect_left(everything, start)
    return everything[first : bisect_left(everything, start + chr(0x10FFFF), lo=first)]


def _href(pattern: str, times: Iterable[str]) -> str:
    """The pattern with each of `times` for the part of a time in one folder or name."""
    parts, rest = re.split(f"([{TIME}{ANY}{VARIABLE}{ONE}])", pattern), iter(times)
    spelled = {ANY: "*", VARIABLE: "{variable}", ONE: "?"}
    return "".join(next(rest) if part == TIME else spelled.get(part, escape_pattern(part)) for part in parts)


def escape_pattern(text: str) -> str:
    """Return a literal text as a glob has it; braces, which a configuration reads otherwise, match any character."""
    return re.sub(r"[{}$]", "?", glob.escape(text)) if re.search(r"[][*?{}$]", text) else text


def _matches_any(href: str, group: NameGroup, others: Iterable[str]) -> bool:
    expressions = [_expression(href.replace("{variable}", word)) for word in (group.variables or ("",))]
    return any(expression.fullmatch(path) for path in others for expression in expressions)


def paths_matching(href: str, paths: Iterable[str]) -> Iterator[str]:
    """Yield the paths, from the folder looked into, that a pattern matches with any variable."""
    expression = _expression(href.replace("{variable}", "*"))
    yield from (path for path in paths if expression.fullmatch(path))


def _expression(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\[.\]|\*|\?)", pattern)
    meanings = {"*": "[^/]*", "?": "[^/]"}
    return re.compile(
        "".join(meanings.get(part, re.escape(part[1] if len(part) == 3 and part[0] == "[" else part)) for part in parts)
    )


def time_pattern_of(group: NameGroup, root: Path) -> str | None:
    """Return the expression that finds the times in the paths of a group, if one does in all of them."""
    if not group.is_dated:
        return None
    before, after = group.pattern.partition(TIME)[0], group.pattern.rpartition(TIME)[2]
    shapes = {_shape(name.time or "") for name in group.names}
    shape = shapes.pop() if len(shapes) == 1 else "|".join(sorted(shapes, key=len, reverse=True))
    for head in (before[-1:], _LAST_WORD.findall(before)[0], before.rpartition("/")[2]):
        for tail in ("", _literal(after[:1]), f"{_literal(after)}$"):
            pattern = f"{_literal(head)}(?P<time>{shape}){tail}"
            if _finds_all(re.compile(pattern), group, root):
                return pattern
    return None


def _shape(time: str) -> str:
    r"""The form of a time's text: `2019-06-04` is `\d{4}-\d{2}-\d{2}`."""
    return _DIGITS.sub(_shape_of_digits, _quoted(time))


def _shape_of_digits(digits: re.Match[str]) -> str:
    return rf"\d{{{len(digits[0])}}}" if len(digits[0]) > 1 else r"\d"


def _literal(text: str) -> str:
    """The text as an expression; what varies is anything but a slash."""
    parts, spelled = re.split(f"([{ANY}{VARIABLE}{ONE}])", text), {ANY: "[^/]*", VARIABLE: "[^/]*", ONE: "[^/]"}
    return "".join(spelled.get(part) or _quoted(part) for part in parts)


def _quoted(text: str) -> str:
    """The text as an expression; hyphens and blanks need no backslash outside brackets."""
    return re.escape(text).replace(r"\-", "-").replace(r"\ ", " ")


def _finds_all(expression: re.Pattern[str], group: NameGroup, root: Path) -> bool:
    for name in group.names:
        match = expression.search((root / name.path).as_posix())
        if match is None or match["time"] != name.time or time_of_text(match["time"]) is None:
            return False
    return True
