"""The checker of prose finds phrases and patterns in all texts, and ignores code and addresses."""

import json
from pathlib import Path

import pytest

from tools import prose
from tools.texts import read_texts

PHRASES = prose.read_phrases("by turns => alternately\n# by files => no rule\n\na row an? \\w+ => one row per …\n")
LIST = Path(prose.__file__).with_name("prose_words.txt").read_text(encoding="utf-8")


@pytest.fixture
def errors_of(tmp_path):
    """Errors in a file with a name and a text."""

    def find(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return list(prose.find_errors(path, name, PHRASES))

    return find


def test_markdown_is_read_without_code_addresses_comments(errors_of):
    text = (
        "Both run\nby turns.\n\n```sh\nby turns\n```\n`by turns`, [here](by turns.md) <!-- by turns -->\n\n"
        "- A row a field.\n"
    )

    assert errors_of("page.md", text) == [
        "page.md:2: “by turns”: alternately",
        "page.md:9: “A row a field”: one row per …",
    ]


def test_phrase_matches_whole_words_over_two_lines(errors_of):
    assert len(errors_of("page.md", "- files, by\n  turns")) == 1
    assert errors_of("page.md", "standby turns, stand-by turns, by turnstile, by\n\nturns") == []


def test_changelog_is_read_to_last_release(errors_of):
    text = "## [Unreleased]\n\n- By turns.\n\n## [0.1.0] - 2026-01-01\n\n- By turns.\n"

    assert errors_of("CHANGELOG.md", text) == ["CHANGELOG.md:3: “By turns”: alternately"]


def test_long_sentence_of_document_is_error(errors_of):
    fits, long = " ".join(prose.MAX_WORDS * ["word"]), " ".join((prose.MAX_WORDS + 1) * ["word"])

    assert errors_of("page.md", f"{fits}. {fits}: {fits}\n") == []
    assert errors_of("page.md", f"First.\n\n{fits}. {long}.\n") == [
        f"page.md:3: a sentence of {prose.MAX_WORDS + 1} words: write shorter ones"
    ]


def test_module_errors_are_in_messages_and_docstrings(errors_of):
    text = '''
def serve(path):
    """Return a row a field."""
    by_turns = "by turns"  # two words are a name
    raise ValueError(f"{path} is read by turns")


def _hidden():
    """Return files by turns."""
    log.warning("it was" " read by turns: %s", "`by turns` here")
'''

    assert errors_of("module.py", text) == [
        "module.py:3: “a row a field”: one row per …",
        "module.py:5: “by turns”: alternately",
        "module.py:10: “by turns”: alternately",
    ]


def test_notebooks_and_viewer_texts_are_read(errors_of):
    cells = [
        {"cell_type": "code", "source": ["# by turns"]},
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "They run by turns.\n"]},
    ]
    texts = '{\n\t"by turns": "Close",\n\t"a": { "one": "One by turns", "other": "Many" }\n}\n'

    assert errors_of("a.ipynb", json.dumps({"cells": cells})) == ["a.ipynb:2: “by turns”: alternately"]
    assert errors_of("en.json", texts) == ["en.json:3: “by turns”: alternately"]


PYTHON = '''
"""Module text: what it is."""

LIMIT = 3
"""Attribute that is there."""


def test_what_is_told():
    # Comment beside the code.
    report("the file tells nothing of it")
'''


def test_patterns_are_found_in_all_kinds_of_text(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(PYTHON, encoding="utf-8")

    kinds = {text.kind for text in read_texts(path) if list(prose.find_patterns(text))}

    assert kinds == {"docstring", "attribute", "test name", "comment", "message"}


def test_javascript_comments_are_read(tmp_path):
    path = tmp_path / "part.js"
    path.write_text("// a line\nconst a = 1;\n/**\n * a block\n */\n", encoding="utf-8")

    assert [(text.line, " ".join(text.text.split())) for text in read_texts(path)] == [(1, "a line"), (3, "a block")]


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "tools").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "status", "printed"),
    [("They are read by turns.\n", 1, "docs/page.md:1: "), ("They are read alternately.\n", 0, "")],
)
def test_check_fails_for_a_phrase(repository, capsys, text, status, printed):
    (repository / "docs" / "page.md").write_text(text, encoding="utf-8")
    prose.main(["--lower"], repository)

    assert prose.main([], repository) == status
    assert capsys.readouterr().out.partition("“")[0] == printed


def test_ceiling_only_falls(repository, capsys):
    page = repository / "docs" / "page.md"
    page.write_text("Lines beside lines.\n", encoding="utf-8")
    prose.main(["--lower"], repository)
    assert prose.main([], repository) == 0

    page.write_text("Lines beside lines beside lines.\n", encoding="utf-8")
    prose.main(["--lower"], repository)
    assert prose.main([], repository) == 1
    assert "docs: 2 faults of the rule “prose”, at most 1" in capsys.readouterr().out

    page.write_text("Lines.\n", encoding="utf-8")
    assert prose.main([], repository) == 1
    prose.main(["--lower"], repository)
    assert prose.main([], repository) == 0


@pytest.mark.parametrize(
    "words",
    [
        "A wrong configuration is told with all its mistakes",
        "a row a field and date",
        "the land breathes",
        "over the same files and by turns",
        "what is new is not served",
        "who says nothing for 5 s",
        "they are never shown unasked",
        "those beyond ±180 are the same place a turn away",
        "odd rasters and what becomes of them stand in the reference",
        "how far each dekad lies, how each lies",
        "this request asks for 5714",
        "x is no JSON, y is no path",
        "one line a reason, 4096 pixels a side",
    ],
)
def test_list_has_phrases_of_reviews(words):
    assert [phrase for phrase in prose.read_phrases(LIST) if phrase.pattern.search(words)] != []


@pytest.mark.parametrize(
    "words",
    [
        "there is no worker, it is no longer served, there are no limits",
        "30 requests a second, 24 frames a second",
        "the task asks the store, says the standard, at once",
        "an invalid configuration is rejected; all errors are listed",
        "one row per field and date, one column per reducer",
    ],
)
def test_list_accepts_plain_english(words):
    assert [phrase.pattern.pattern for phrase in prose.read_phrases(LIST) if phrase.pattern.search(words)] == []
