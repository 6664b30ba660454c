"""Every code block of the README and the documentation runs, or has a reason why not."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml

from chronotile.catalog.load import load_configuration
from chronotile.cli.main import app
from chronotile.pipeline.styling.load import load_styles, style_folders
from chronotile.readers.kinds import kind_options
from tests.docs.blocks import BLOCKS, CODE, PAGES, in_language
from tests.docs.programs import programs_in
from tests.docs.shell import SERVER, Shell
from tests.docs.site import ROOT
from tests.docs.test_commands import PREPARED
from tests.running import with_client

pytestmark = pytest.mark.every_case

RUN_HERE = {"http", "json", "python", "sh", "yaml"}
FOLLOWED = (
    *("docs/tutorials/", "docs/how-to/sentinel-2-from-a-bucket.md", "docs/how-to/stac-clients.md"),
    *("docs/how-to/cdse-clients.md", "docs/design/adding", "docs/how-to/keycloak.md"),
    *("docs/how-to/cloud-masks.md", "docs/how-to/monthly-netcdf.md", "docs/how-to/from-a-notebook-to-a-job.md"),
    "docs/how-to/make-it-yours.md",
)
"""Pages that other tests follow: test_tutorials.py, test_sentinel_2_from_a_bucket.py, test_clients_of_items.py,
test_cdse.py, tests/test_adding.py with tests/readers/test_kinds.py, tests/keycloak/test_page.py, test_how_to.py
and test_blocks_apart.py.
"""
RUN_ELSEWHERE = {
    "html": "tests/docs/test_pages.py",
    "js": "tests/docs/test_pages.py",
    "diff": "tests/test_adding.py",
    "hex": "tests/pipeline/encoders/cube_tile/test_ctc1.py",
    "bash": "tests/docs/test_clients_of_items.py, tests/deploy/production/test_page.py",
    "nginx": "tests/clients/test_nginx.py",
    "r": "tests/docs/test_r.py",
}
MAX_NOT_RUN = 10


def test_every_language_has_a_runner():
    assert {block.language for block in CODE} <= RUN_HERE | RUN_ELSEWHERE.keys()


def test_text_has_no_commands():
    commands = re.compile(r"^(chronotile|curl|pip|python3?|make|npm|gdal\w+) ", re.MULTILINE)

    assert [str(block) for block in BLOCKS if block.language == "text" and commands.search(block.text)] == []


def test_few_blocks_are_not_run_and_each_has_a_reason():
    not_run = [block for block in BLOCKS if block.reason]

    assert len(not_run) <= MAX_NOT_RUN
    assert [str(block) for block in not_run if len(block.reason.split()) < 3] == []


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.runner], ids=str)
def test_runner_of_a_block_names_its_page(block):
    runner = ROOT / block.runner

    assert runner.is_file()
    assert Path(block.page).name in runner.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.client("bash", "curl", "gdal_translate")
@pytest.mark.parametrize("block", in_language("sh", but=(*FOLLOWED, *PREPARED)), ids=str)
def test_commands_run(settings, server, tmp_path, block):
    """In a folder with the demo at `data/demo`."""
    folder = settings.config.parents[2]
    folders = {"XDG_CACHE_HOME": "cache", "CHRONOTILE_JOBS_DIR": "jobs", "CHRONOTILE_CACHE_DIR": "blocks"}
    environment = os.environ | {name: str(tmp_path / path) for name, path in folders.items()}

    with programs_in(folder, environment) as programs:
        shell = Shell(server, folder, start=programs.start, environment=environment, exports={})
        shell.run(block.text)

    assert shell.only_checked == [], "mark the block: `run by tests/…` or `not run: …`"


@pytest.mark.slow
@pytest.mark.parametrize("block", in_language("http"), ids=str)
def test_requests_are_answered(client, block):
    for line in filter(None, block.text.splitlines()):
        method, path = line.split(" ", 1)
        answer = client.request(method, path)
        assert answer.status_code == 200, f"{line}: {answer.text[:500]}"


@pytest.mark.slow
@pytest.mark.parametrize("block", in_language("python", but=FOLLOWED), ids=str)
def test_programs_run(server, tmp_path, block):
    """They run in separate processes: GDAL waits for the server in calls that hold the lock of the interpreter."""
    command = [sys.executable, "-W", "error", "-c", block.text.replace(SERVER, server)]

    ran = subprocess.run(command, cwd=tmp_path, env=with_client(), capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("block", in_language("json"), ids=str)
def test_json_is_json(block):
    assert json.loads(block.text)


def _configuration(document: object, folder: Path) -> None:
    """Load it as the server does; a part of one is put in its place first."""
    assert isinstance(document, dict)
    if "source" in document:
        document = {"collections": {"example": document}}
    whole = {"collections": {"example": {"source": {"kind": "cog", "href": "*.tif"}}}} | document
    (folder / "chronotile.yaml").write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
    load_configuration(
        folder / "chronotile.yaml",
        kinds=kind_options(),
        environment={"HOOK_SECRET": "a secret of at least 24 bytes"},
        styles=load_styles(style_folders(None)),
    )


def _style(document: object, folder: Path) -> None:
    (folder / "example.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    assert "example" in load_styles([folder, *style_folders(None)])


def _manifest(document: object, folder: Path) -> None:
    assert {"apiVersion", "kind", "metadata"} <= document.keys()


def _pygeoapi(document: object, folder: Path) -> None:
    assert all(
        provider["name"].startswith("chronotile.pygeoapi.")
        for each in document["resources"].values()
        for provider in each["providers"]
    )


KINDS: dict[str, Callable[[object, Path], None]] = {
    "collections": _configuration,
    "places": _configuration,
    "service": _configuration,
    "source": _configuration,
    "access": _configuration,
    "ramp": _style,
    "classes": _style,
    "apiVersion": _manifest,
    "resources": _pygeoapi,
}


@pytest.mark.parametrize("block", in_language("yaml", but="docs/how-to/make-it-yours.md"), ids=str)
def test_yaml_is_accepted_by_its_reader(tmp_path, block):
    for document in yaml.safe_load_all(block.text):
        kind = next(key for key in KINDS if key in document)
        KINDS[kind](document, tmp_path)


def commands_in_text():
    """`(page, words)` of each command of chronotile that stands in a sentence or a table."""
    for page in PAGES:
        text = re.sub(r"(?ms)^ *```.*?^ *```", "", page.read_text(encoding="utf-8"))
        for found in re.findall(r"`chronotile ([a-z][^`]*)`", text):
            yield page.name, found.replace("\\|", "|").split()


def test_commands_in_text_have_existing_options():
    group = typer.main.get_command(app)
    unknown = []
    for page, words in commands_in_text():
        command = group.commands.get(words[0])
        if hasattr(command, "commands") and len(words) > 1:
            command = command.commands.get(words[1])
        known = {option for each in getattr(command, "params", ()) for option in each.opts}
        given = {option for word in words for option in re.findall(r"^\[?(--[a-z-]+)", word)}
        unknown += [(page, words)] if command is None or not given <= known else []

    assert unknown == []


def test_commands_of_the_readme_name_how_to_start_and_how_to_test():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert re.search(r"^make demo\b", readme, re.MULTILINE)
    assert "make test" in readme
