"""Texts that are not valid YAML: each fault is reported with its line and a remedy."""

import pytest

from chronotile.core.yaml_source import read_yaml

FAULTS = {
    "tab": ("service:\n\ttitle: x\n", 2, "indented with a tab; indent with spaces"),
    "tab-after-spaces": ("service:\n  title: x\n\tabstract: y\n", 3, "indented with a tab; indent with spaces"),
    "too-little-indented": (
        "collections:\n  a:\n    source: {kind: zarr}\n   variables: {}\n",
        4,
        "indentation matches no line above",
    ),
    "too-far-indented": ("service:\n  title: x\n    abstract: y\n", 3, "indented deeper than line 2"),
    "too-far-indented-below-comment": ("a: 1\n# b: c\n  d: e\n", 3, "indentation matches no line above"),
    "colon-in-text": ("service:\n  title: NDVI: brown to green\n", 2, "a colon and a space; put the text in quotes"),
    "double-quote-open": (
        'service:\n  title: "x\n  abstract: y\n',
        2,
        "the quote that opens in this line is never closed",
    ),
    "single-quote-open": ("service:\n  title: 'x\n  abstract: y\n", 2, "the quote that opens in this line is never"),
    "apostrophe": ("service:\n  title: 'the farmer's field'\n", 2, "text after the closing quote"),
    "text-after-quote": ('title: "x" y\n', 1, "text after the closing quote"),
    "bracket-open": (
        "service:\n  crs: [EPSG:4326, CRS:84\n  title: x\n",
        2,
        "the [ that opens in this line is not closed",
    ),
    "brace-open": ("a: {source: {kind: zarr, href: x}\nb: {}\n", 1, "the { that opens in this line is not closed"),
    "bracket-too-many": ("crs: [a]]\n", 1, "one bracket too many"),
    "value-missing": ("ramp: {\n", 1, "a value is missing here, or a [ or { before it is not closed"),
    "comma-missing": ("source: {kind: cog href: x}\n", 1, "a comma or } is missing"),
    "no-space-after-colon": ("service:\n  title:x\n  abstract: y\n", 2, "a space is missing after the colon"),
    "no-space-after-last-colon": ("service:\n  abstract: y\n  title:x\n", 3, "a space is missing after the colon"),
    "no-space-after-dash": ("crs:\n-a\n-b\n", 2, "a space is missing after the - of the list"),
    "no-colon": ("service:\n  title: x\nabstract\n", 3, "the line is not of the form key: value"),
    "key-in-list": ("crs:\n  - a\n  b: c\n", 3, "a key is among list items"),
    "item-among-keys": ("crs:\n  a: b\n  - c\n", 3, "a list item is among keys"),
    "star": ("source:\n  kind: cog\n  href: *.tif\n", 3, "text cannot begin with * or &; put it in quotes"),
    "percent": ("title: %x\n", 1, "text cannot begin with %; put it in quotes"),
    "at-sign": ("title: @x\n", 1, "text cannot begin with @; put it in quotes"),
    "backslash": ('href: "C:\\data\\x.tif"\n', 1, "use single quotes, or /"),
    "brace-first": ("href: {variable}_*.tif\n", 1, "text that begins with { or [ needs quotes"),
    "brace-in-braces": ("source: {kind: cog, href: {variable}_*.tif}\n", 1, "needs quotes"),
    "environment-in-braces": ("a: {b: ${X}}\n", 1, "text with { or ${…} needs quotes"),
    "question-mark": ("a: ? b\n", 1, "text cannot begin with ?"),
    "long-text": ("a: |x\n  b\n", 1, "begins in the next line"),
    "control-character": ("a: \x01\n", 1, "a control character; remove it"),
    "key-twice": ("a: 1\na: 2\n", 2, "a: the key is written twice, first in line 1; remove one"),
    "no-break-space": ("service:\n\u00a0\u00a0title: x\n", 2, "title: the line is indented with no-break spaces"),
    "no-mapping": ("title:x\n", 1, "with a space after the colon"),
}


@pytest.mark.parametrize(("text", "line", "words"), FAULTS.values(), ids=FAULTS)
def test_fault_is_reported_with_its_line_and_remedy(text, line, words):
    _node, mistakes = read_yaml(text, "a.yaml")

    (told,) = map(str, mistakes)
    assert told.startswith(f"a.yaml:{line}: ")
    assert words in told


@pytest.mark.parametrize("cut", range(1, 60))
def test_any_prefix_of_a_configuration_is_read_or_reported_in_one_line(cut):
    text = 'a: {b: [1, "x"], c: *d}\ne:\n  - f: |\n      g\n  - "h: i"\n\tj'[:cut]

    node, mistakes = read_yaml(text, "a.yaml")

    assert node is not None or mistakes
    assert all(1 <= mistake.place.line <= len(text.splitlines() or [""]) for mistake in mistakes)
