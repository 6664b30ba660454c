"""Each tutorial is followed from its first to its last block, in an empty folder, with real servers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.docs.blocks import Block, blocks_of
from tests.docs.shell import SERVER, Shell
from tests.docs.site import DOCS
from tests.s3 import serving_s3

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from chronotile.cli import main; main()"]
SAVED = re.compile(r"Save as `([^`]+)`:\n\n$")


class Reader:
    """Follows a tutorial: its commands, programs and files, one after the other."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = os.environ | environment | {"CHRONOTILE_PORT": "0", "CHRONOTILE_WORKERS": "1"}
        self.server = ""
        self._process: subprocess.Popen[str] | None = None
        self._shell = Shell(None, folder, start=self._serve, environment=self.environment)

    def follow(self, tutorial: Path) -> None:
        """Run all blocks of a page but those that say why they are not run."""
        text = tutorial.read_text(encoding="utf-8")
        for block in blocks_of(tutorial):
            before = "".join(text.splitlines(keepends=True)[: block.line - 1])
            if name := SAVED.search(before):
                (self.folder / name[1]).write_text(block.text, encoding="utf-8")
            elif block.reason is None:
                self._run(block)

    def _run(self, block: Block) -> None:
        if block.language == "sh":
            self._shell.run(block.text)
        elif block.language == "python":
            program = [sys.executable, "-c", block.text.replace(SERVER, self.server)]
            ran = subprocess.run(
                program, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            assert ran.returncode == 0, f"{block}: {ran.stderr}"
        else:
            assert block.language == "", block
            absent = [line for line in block.text.splitlines() if line not in self._shell.printed]
            assert absent == [], f"{block}: printed was {self._shell.printed}"

    def _serve(self, words: list[str]) -> None:
        """Start a server in place of the last one, and wait until it prints its address."""
        self.stop()
        self._process = subprocess.Popen(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        found = next(filter(None, (re.search(r"http://127\.0\.0\.1:\d+", line) for line in self._process.stdout)), None)
        assert found, f"{words} printed no address"
        self.server = found[0]
        self._shell.client = httpx2.Client(base_url=self.server, timeout=None)
        self._shell.client.get("/health/ready").raise_for_status()

    def stop(self) -> None:
        """End the server, if there is one."""
        if self._process is not None:
            self._shell.client.close()
            self._process.terminate()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


@contextmanager
def reading(folder: Path, **environment: str) -> Iterator[Reader]:
    reader = Reader(folder, environment)
    try:
        yield reader
    finally:
        reader.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Of all tutorials, so that the demo is made once."""
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("name", ["first-map", "my-own-folder", "a-fields-season"])
def test_a_tutorial_can_be_followed_to_its_end(folder, name):
    with reading(folder) as reader:
        reader.follow(DOCS / "tutorials" / f"{name}.md")

        assert reader.server


@pytest.mark.client("moto_server")
def test_the_tutorial_of_a_bucket_can_be_followed_to_its_end(tmp_path):
    with serving_s3() as store, reading(tmp_path, **store.environment) as reader:
        store.make_bucket("my-archive")

        reader.follow(DOCS / "tutorials" / "a-country-from-a-bucket.md")

        assert len(store.keys("my-archive")) > 20


def test_every_tutorial_is_followed():
    followed = {"first-map", "my-own-folder", "a-fields-season", "a-country-from-a-bucket"}

    assert {page.stem for page in (DOCS / "tutorials").glob("*.md")} == followed
