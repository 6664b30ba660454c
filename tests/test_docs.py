"""Pages that are written by a program are what the program writes."""

import importlib.util
from pathlib import Path

import pytest

from chronotile.catalog.load import load_configuration
from chronotile.styling.load import load_styles, style_folders

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def generate():
    """The module docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_configuration_is_current(generate):
    assert (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8") == generate.page()


def test_every_key_has_a_meaning(generate):
    rows = [line for line in generate.page().splitlines() if line.startswith("| `")]

    assert [row for row in rows if row.endswith("|  |")] == []


def test_the_example_configuration_is_without_mistakes():
    styles = load_styles(style_folders(None))

    configuration = load_configuration(DOCS.parent / "config" / "chronotile.yaml", environment={}, styles=styles)

    assert list(configuration.collections) == ["biopar", "toc"]
