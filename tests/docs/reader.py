"""A reader who follows a page from its first to its last block, in an empty folder, with real servers."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import yaml

from tests.docs.blocks import Block, blocks_of
from tests.docs.programs import ADDRESS, PROGRAM
from tests.docs.shell import SERVER, Shell

SAVED = re.compile(r"Save (?:\w+ ){0,2}as `([^`]+)`:\n\n$")
ADDED = re.compile(r"Add to `([^`]+)`:\n\n$")


class Reader:
    """Runs the commands, programs and files of a page in order.

    Args:
        folder: Working folder.
        environment: Variables of the commands, in addition to those of the test.
        places: Addresses of the test that replace those of the page.
        exports: Values that replace exported variables of the page; without it no variable is exported.
    """

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        *,
        places: Mapping[str, str] | None = None,
        exports: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder
        self._places = places or {}
        self.environment = os.environ | environment | {"CHRONOTILE_PORT": "0", "CHRONOTILE_WORKERS": "1"}
        self.server = ""
        self._process: subprocess.Popen[str] | None = None
        self._shell = Shell(None, folder, start=self._serve, environment=self.environment, exports=exports)
        self.printed: list[str] = []
        """Output of each block of commands."""

    def follow(self, page: Path) -> None:
        """Run all blocks of a page without a marker."""
        text = page.read_text(encoding="utf-8")
        for block in blocks_of(page):
            before = "".join(text.splitlines(keepends=True)[: block.line - 1])
            if name := SAVED.search(before):
                (self.folder / name[1]).parent.mkdir(exist_ok=True)
                (self.folder / name[1]).write_text(self._here(block), encoding="utf-8")
            elif name := ADDED.search(before):
                self._add(self.folder / name[1], block)
            elif not block.is_marked:
                self._run(block)

    def _here(self, block: Block) -> str:
        text = block.text
        for place, here in self._places.items():
            text = text.replace(place, here)
        return text

    def _add(self, file: Path, block: Block) -> None:
        """Merge the members of a document into a configuration."""
        whole, part = yaml.safe_load(file.read_text(encoding="utf-8")), yaml.safe_load(self._here(block))
        for name, members in part.items():
            whole[name] = whole.get(name, {}) | members
        file.write_text(yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), encoding="utf-8")

    def _run(self, block: Block) -> None:
        if block.language == "sh":
            self._shell.run(self._here(block))
            self.printed.append(self._shell.printed)
        elif block.language == "python":
            program = [sys.executable, "-c", self._here(block).replace(SERVER, self.server)]
            ran = subprocess.run(
                program, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
            )
            assert ran.returncode == 0, f"{block}: {ran.stderr}"
        else:
            assert block.language == "text", block
            absent = [line for line in block.text.splitlines() if line not in self._shell.printed]
            assert absent == [], f"{block}: printed was {self._shell.printed}"

    def _serve(self, words: list[str]) -> None:
        """Start a server instead of the last one, and wait for its address."""
        self.stop()
        log = self.folder / "server.log"
        with log.open("w") as errors:
            self._process = subprocess.Popen(
                [*PROGRAM, *words],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        found = next(filter(None, map(ADDRESS.search, self._process.stdout)), None)
        assert found, f"{words} printed no address: {log.read_text()[-2000:]}"
        self.server = found[1]
        self._shell.url = self.server
        httpx2.get(f"{self.server}/health/ready", timeout=None).raise_for_status()

    def stop(self) -> None:
        """End the server, if there is one."""
        if self._process is not None:
            self._process.terminate()
            self._process.stdout.close()
            self._process.wait()
            self._process = None


@contextmanager
def reading(
    folder: Path,
    *,
    places: Mapping[str, str] | None = None,
    exports: Mapping[str, str] | None = None,
    **environment: str,
) -> Iterator[Reader]:
    """A reader with empty hands; the server that runs at the end is stopped."""
    reader = Reader(folder, environment, places=places, exports=exports)
    try:
        yield reader
    finally:
        reader.stop()
