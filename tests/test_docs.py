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
ROOT = DOCS.parent
PAGES = sorted(
    page
    for folder in ("docs", "examples", "clients", "benchmarks", "deploy", ".github")
    for page in (ROOT / folder).rglob("*.md")
    if "node_modules" not in page.parts
) + sorted(ROOT.glob("*.md"))
LINK = re.compile(r"\]\((?P<path>[^):#\s]*)(?:#(?P<anchor>[^)\s]*))?\)")
CODE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)


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
    told = set(re.findall(r"`chronotile (\w+)", page)) | set(re.findall(r"`chronotile (\w+ [\w-]+)", page))

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


def anchors_of(page):
    """Return the anchors of the headings of a page, as code hosts and the site make them."""
    headings = re.findall(r"^#+ +(.+?) *$", CODE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    texts = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def is_broken(page, path, anchor):
    """Return whether a link of a page has no target: a file, and in a page a heading."""
    target = page.parent / path if path else page
    return not target.exists() or bool(anchor and target.suffix == ".md" and anchor not in anchors_of(target))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_and_anchors_of_a_page_lead_somewhere(page):
    links = LINK.findall(CODE.sub("", page.read_text(encoding="utf-8")))

    assert [link for link in links if is_broken(page, *link)] == []


def test_the_example_configuration_is_without_mistakes():
    styles = load_styles(style_folders(None))

    configuration = load_configuration(
        DOCS.parent / "config" / "chronotile.yaml", kinds=kind_options(), environment={}, styles=styles
    )

    assert list(configuration.collections) == ["biopar", "toc"]
