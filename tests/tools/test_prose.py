"""The checker of prose finds phrases of its list where they are read, and leaves code and addresses alone."""

import json
from pathlib import Path

import pytest

from tools import prose

RULES = prose.read_rules("by turns => alternately\n# by files => no rule\n\na row an? \\w+ => one row per …\n")
LIST = Path(prose.__file__).with_name("prose_words.txt").read_text(encoding="utf-8")


def found_in(tmp_path, name, text):
    """What is found in a file of that name with that text."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return list(prose.find(path, name, RULES))


def test_a_document_is_read_without_code_addresses_and_comments(tmp_path):
    text = (
        "Both run\nby turns.\n\n```sh\nby turns\n```\n`by turns`, [here](by turns.md) <!-- by turns -->\n\n"
        "- A row a field.\n"
    )

    assert found_in(tmp_path, "page.md", text) == [
        "page.md:2: “by turns”: alternately",
        "page.md:9: “A row a field”: one row per …",
    ]


def test_a_phrase_is_of_whole_words_and_may_go_over_two_lines(tmp_path):
    assert len(found_in(tmp_path, "page.md", "- files, by\n  turns")) == 1
    assert found_in(tmp_path, "page.md", "standby turns, stand-by turns, by turnstile, by\n\nturns") == []


def test_of_a_changelog_what_is_unreleased_is_read(tmp_path):
    text = "## [Unreleased]\n\n- By turns.\n\n## [0.1.0] - 2026-01-01\n\n- By turns.\n"

    assert found_in(tmp_path, "CHANGELOG.md", text) == ["CHANGELOG.md:3: “By turns”: alternately"]


def test_sentences_of_documents_have_a_length(tmp_path):
    fits, long = " ".join(prose.MAX_WORDS * ["word"]), " ".join((prose.MAX_WORDS + 1) * ["word"])

    assert found_in(tmp_path, "page.md", f"{fits}. {fits}: {fits}\n") == []
    assert found_in(tmp_path, "page.md", f"First.\n\n{fits}. {long}.\n") == [
        f"page.md:3: a sentence of {prose.MAX_WORDS + 1} words: write shorter ones"
    ]


def test_a_module_is_read_by_its_messages_and_public_docstrings(tmp_path):
    text = '''
def serve(path):
    """Return a row a field."""
    by_turns = "by turns"  # two words are a name, no message
    raise ValueError(f"{path} is read by turns")


def _hidden():
    """Return files by turns."""
    log.warning("it was" " read by turns: %s", "`by turns` here")
'''

    assert found_in(tmp_path, "module.py", text) == [
        "module.py:3: “a row a field”: one row per …",
        "module.py:5: “by turns”: alternately",
        "module.py:10: “by turns”: alternately",
    ]


def test_notebooks_and_texts_of_the_viewer_are_read(tmp_path):
    cells = [
        {"cell_type": "code", "source": ["# by turns"]},
        {"cell_type": "markdown", "source": ["# Title\n", "\n", "They run by turns.\n"]},
    ]
    texts = '{\n\t"by turns": "Close",\n\t"a": { "one": "One by turns", "other": "Many" }\n}\n'

    assert found_in(tmp_path, "a.ipynb", json.dumps({"cells": cells})) == ["a.ipynb:2: “by turns”: alternately"]
    assert found_in(tmp_path, "en.json", texts) == ["en.json:3: “by turns”: alternately"]


@pytest.mark.parametrize(
    ("text", "status", "printed"),
    [("They are read by turns.\n", 1, "docs/page.md:1: "), ("They are read alternately.\n", 0, "")],
)
def test_the_check_fails_if_it_finds_something(tmp_path, capsys, text, status, printed):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text(text, encoding="utf-8")

    assert prose.main(tmp_path) == status
    assert capsys.readouterr().out.partition("“")[0] == printed


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
def test_the_list_has_what_reviews_found(words):
    rules = prose.read_rules(LIST)

    assert [rule for rule in rules if rule.pattern.search(words)] != []


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
def test_the_list_leaves_plain_english_alone(words):
    assert [rule.pattern.pattern for rule in prose.read_rules(LIST) if rule.pattern.search(words)] == []
