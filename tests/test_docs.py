"""Generated pages are current, links lead to pages, and the example configuration is valid."""

import importlib.util
import re
from pathlib import Path

import pytest
import typer

from chronotile.catalog.load import load_configuration
from chronotile.cli.main import app
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.readers.kinds import kind_options

DOCS = Path(__file__).parents[1] / "docs"
LINK = r"\]\(([^):#]+)(?:#[^)]*)?\)"
"""Link to another page or file, without its anchor."""


@pytest.fixture(scope="module")
def generate():
    """Return the module docs/generate.py."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_of_the_configuration_is_current(generate):
    assert (DOCS / "reference" / "configuration.md").read_text(encoding="utf-8") == generate.page()


def test_every_key_has_a_meaning(generate):
    rows = [line for line in generate.page().splitlines() if line.startswith("| `")]

    assert len(rows) > 100
    assert [row for row in rows if re.search(r"\|  ?(\*\*Required|Default:|\|)", row)] == []


def test_the_reference_of_the_command_line_has_every_command_and_option():
    page = (DOCS / "reference" / "command-line.md").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands
    inner = {f"{name} {each}": one for name, group in commands.items() for each, one in _commands_of(group).items()}
    told = set(re.findall(r"`chronotile (\w+)", page)) | set(re.findall(r"`chronotile (\w+ \w+)", page))

    options = {
        option for command in (*commands.values(), *inner.values()) for each in command.params for option in each.opts
    }
    assert {*commands, *inner} <= told
    assert {option for option in options if option.startswith("--")} <= set(re.findall(r"--[a-z-]+", page))


def _commands_of(command):
    return getattr(command, "commands", {})


def test_the_reference_of_tiles_names_every_ramp():
    page = (DOCS / "reference" / "tiles.md").read_text(encoding="utf-8")
    styles = load_styles(style_folders(None))

    assert [name for name, style in styles.items() if not style.is_categorical and f"`{name}`" not in page] == []


def test_links_between_pages_lead_somewhere():
    pages = [DOCS.parent / "README.md", *DOCS.rglob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(LINK, page.read_text(encoding="utf-8"))]

    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_the_example_configuration_is_without_mistakes():
    styles = load_styles(style_folders(None))

    configuration = load_configuration(
        DOCS.parent / "config" / "chronotile.yaml", kinds=kind_options(), environment={}, styles=styles
    )

    assert list(configuration.collections) == ["biopar", "toc"]
