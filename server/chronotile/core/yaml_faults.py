"""Remedies for text that is not valid YAML; the parser itself reports only its expectation."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple


class YamlFault(NamedTuple):
    """Fault that a parser reports in a text. Lines count from 0."""

    lines: Sequence[str]
    problem: str
    line: int
    column: int
    start_line: int | None = None
    """First line of the part that the parser was reading, such as a quoted text or a bracket."""

    @property
    def text(self) -> str:
        """Line at the parser's last position; empty at the end of the file."""
        return self.lines[self.line] if self.line < len(self.lines) else ""


class Remedy(NamedTuple):
    """Line of a mistake, and words for the mistake and its remedy."""

    line: int
    words: str


_COLON_IN_VALUE = re.compile(r"""\s*(?:- +)?[^\s'"#{[][^:'"]*:\s+[^\s'"{[#|>].*?:(?:\s|$)""")
_KEY_WITHOUT_SPACE = re.compile(r"""\s*(?:- +)?[\w.-]+:[^\s/]""")
_ITEM_WITHOUT_SPACE = re.compile(r"\s*-[^\s-]")
_AFTER_QUOTE = re.compile(r""".*?:\s+(?:"[^"]*"|'[^']*')\s*[^\s#,\]}]""")
_BRACKET_FIRST = re.compile(r".*?:\s+[{[]")
_BRACE_IN_TEXT = re.compile(r"\$\{|\{\w+\}[\w./*-]")
_NEEDS_QUOTES = "put it in quotes"
_TAB = "the line is indented with a tab; indent with spaces"


def remedy(fault: YamlFault) -> Remedy | None:
    """Return mistake and remedy in words of the author; `None` if only the parser's words are available."""
    for words, find in _BY_PROBLEM:
        if words in fault.problem:
            return Remedy(fault.line, find) if isinstance(find, str) else find(fault)
    return None


def _token_fault(fault: YamlFault) -> Remedy:
    character = fault.text[fault.column : fault.column + 1]
    if "\t" in (character, *_indentation(fault.text)):
        return Remedy(fault.line, _TAB)
    return Remedy(fault.line, f"text cannot begin with {character}; {_NEEDS_QUOTES}")


def _quote_fault(fault: YamlFault) -> Remedy:
    return Remedy(
        _start_mark(fault),
        "the quote that opens in this line is never closed; close it, or write it twice if it is text",
    )


def _bracket_fault(fault: YamlFault) -> Remedy:
    if _BRACE_IN_TEXT.search(fault.text):
        return Remedy(fault.line, "inside { } and [ ] text with { or ${…} needs quotes")
    closing = "]" if "]" in fault.problem else "}"
    opening = "[" if closing == "]" else "{"
    if fault.line == _start_mark(fault) and fault.column < len(fault.text.rstrip()):
        rest = fault.text[fault.column :].strip()[:20]
        return Remedy(fault.line, f"a comma or {closing} is missing before {rest!r}")
    return Remedy(
        _start_mark(fault), f"the {opening} that opens in this line is not closed by {closing}, or a comma is missing"
    )


def _colon_fault(fault: YamlFault) -> Remedy:
    above = _line_above(fault)
    if _COLON_IN_VALUE.match(fault.text):
        return Remedy(fault.line, "the text after the key has a colon and a space; put the text in quotes")
    if above is not None and _KEY_WITHOUT_SPACE.match(fault.lines[above]):
        return Remedy(above, "a space is missing after the colon of the key")
    if above is not None and _depth(fault.text) > _depth(fault.lines[above]):
        words = f"the line is indented deeper than line {above + 1}, which already has a value; indent both alike"
        return Remedy(fault.line, words)
    return Remedy(fault.line, "a colon is not allowed here; indent keys alike, and put text with a colon in quotes")


def _missing_colon_fault(fault: YamlFault) -> Remedy:
    line = _start_mark(fault)
    text = fault.lines[line]
    if _ITEM_WITHOUT_SPACE.match(text):
        return Remedy(line, "a space is missing after the - of the list")
    if _KEY_WITHOUT_SPACE.match(text):
        return Remedy(line, "a space is missing after the colon of the key")
    return Remedy(
        line,
        "the line is not of the form key: value; write a colon and a space after the key, or indent it below its key",
    )


def _key_fault(fault: YamlFault) -> Remedy:
    text = fault.text
    if text.lstrip().startswith("- "):
        words = "a list item is among keys; indent it below the key of its list"
    elif fault.column == _depth(text):
        words = "its indentation matches no line above; indent it like the keys it belongs to"
    elif _AFTER_QUOTE.match(text):
        words = "there is text after the closing quote; put all of it in quotes, and write a quote inside them twice"
    elif _BRACKET_FIRST.match(text):
        words = "text that begins with { or [ needs quotes; or there is one bracket too many"
    else:
        words = "a key: value is expected here; look at the indentation, quotes and brackets before it"
    return Remedy(fault.line, words)


_BY_PROBLEM: tuple[tuple[str, str | Callable[[YamlFault], Remedy]], ...] = (
    ("tab character", _TAB),
    ("cannot start any token", _token_fault),
    ("unexpected end of stream", _quote_fault),
    ("unexpected document indicator", _quote_fault),
    ("expected ',' or", _bracket_fault),
    ("expected node content", "a value is missing here, or a [ or { before it is not closed"),
    ("mapping values are not allowed", _colon_fault),
    ("could not find expected ':'", _missing_colon_fault),
    ("did not find expected key", _key_fault),
    ("expected '-' indicator", "a key is among list items; indent it like the key of that list"),
    ("expected alphabetic or numeric", f"text cannot begin with * or &; {_NEEDS_QUOTES}"),
    ("unknown escape", "in double quotes a backslash is an escape character; use single quotes, or /"),
    ("mapping keys are not allowed", f"text cannot begin with ? or have a further key in one line; {_NEEDS_QUOTES}"),
    (
        "expected comment or line break",
        f"text after | or > begins in the next line; if the text itself begins with | or >, {_NEEDS_QUOTES}",
    ),
    ("control characters", "the file has a control character; remove it"),
)
"""Words of libyaml, with their remedy; the first match counts."""


def _start_mark(fault: YamlFault) -> int:
    return min(fault.line if fault.start_line is None else fault.start_line, len(fault.lines) - 1)


def _line_above(fault: YamlFault) -> int | None:
    """Return the nearest line above that is not empty and not a comment."""
    above = (line for line in range(min(fault.line, len(fault.lines)) - 1, -1, -1))
    return next(
        (line for line in above if fault.lines[line].strip() and not fault.lines[line].lstrip().startswith("#")), None
    )


def _indentation(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _depth(text: str) -> int:
    return len(_indentation(text))
