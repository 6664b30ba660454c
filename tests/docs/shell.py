"""Runs the commands of `sh` blocks: curl with a server of the test, chronotile, targets of make."""

import importlib.util
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from string import Template

import typer

from chronotile.cli.main import app
from tests.docs.programs import ADDRESS, PROGRAM
from tests.docs.site import ROOT
from tests.strict import find_program

SERVER = "http://127.0.0.1:8000"
ENDLESS = {"demo", "serve", "worker"}
"""Commands of chronotile that run until they are stopped."""
FOREIGN = {"curl", "gdal_translate"}
"""Programs that run as on the reader's machine, in bash."""
STRICT_CURL = 'curl() { command curl --fail-with-body --silent --show-error "$@"; }\n'
PIP = re.compile(r"(\S*/)?pip |\S*python\S* -m pip ")
PLACEHOLDERS = {"FOLDER", "STAC-URL", "…"}
"""Words of commands that readers replace."""


class Shell:
    """A folder for running commands, and the address of the server that they write as `SERVER`.

    Args:
        url: Address of the test's server; `None` until `start` has started one.
        folder: Folder for files.
        start: Starts an endless command of chronotile; may return its output, with the address of a server.
        environment: Variables of commands; default: the variables of the test.
        exports: Values that replace exported values of the page; without it `export` changes no other line.
    """

    def __init__(
        self,
        url: str | None,
        folder: Path,
        *,
        start: Callable[[list[str]], str | None] | None = None,
        environment: dict[str, str] | None = None,
        exports: Mapping[str, str] | None = None,
    ) -> None:
        self.url = url
        self.folder = folder
        self._start = start
        self._environment = environment
        self._exports = exports
        self.printed = ""
        """Output of the commands of the last block."""
        self.only_checked: list[str] = []
        """Lines that did not run: their targets and options exist."""

    def run(self, text: str) -> None:
        """Run the commands of a block in order; a failing command fails the test."""
        self.printed = ""
        for line in text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["export"]:
                self._export(line, words[1:])
                continue
            while words and re.fullmatch(r"[A-Z_0-9]+=.*", words[0]):
                words = words[1:]
            if words:
                self._command(line, [Template(word).safe_substitute(self._environment or os.environ) for word in words])

    def _export(self, line: str, words: list[str]) -> None:
        if self._exports is None or self._environment is None:
            self._run_in_bash(line)
        else:
            for name in (word.partition("=")[0] for word in words):
                self._environment[name] = self._exports.get(name) or self._value_of(name, line)

    def _value_of(self, name: str, line: str) -> str:
        """Return the value of a variable after a line in bash."""
        command = [find_program("bash"), "-ec", f'{line}\nprintf %s "${name}"']
        return subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=True
        ).stdout

    def _command(self, line: str, words: list[str]) -> None:
        name = Path(words[0]).name
        if name in FOREIGN:
            self._run_in_bash(line)
        elif name == "chronotile":
            self._chronotile(line, words[1:])
        elif name.startswith("python") and words[1:2] != ["-m"]:
            self._call([sys.executable, *words[1:]])
        elif name == "make":
            self._note(line, _check_make, words[1:])
        elif check := CHECKS.get(" ".join(words[:2])):
            self._note(line, check, words[2:])
        elif name == "cd":
            self._note(line, _check_clone, ["ADDRESS", *words[1:]])
        elif pip := PIP.match(" ".join(words)):
            self._note(line, _check_pip, words[len(pip[0].split()) :])
        elif name.startswith("python"):
            assert importlib.util.find_spec(words[2]), f"no module {words[2]}"
            self.only_checked.append(line)
        else:
            raise AssertionError(f"cannot run {words[0]}; say why with <!-- not run: … -->")

    def _run_in_bash(self, line: str) -> None:
        """Run a line as written; an HTTP status of 400 or more is a failure."""
        self._call([find_program("bash"), "-ec", STRICT_CURL + line.replace(SERVER, self.url or SERVER)])

    def _note(self, line: str, check: Callable[[list[str]], None], words: list[str]) -> None:
        check(words)
        self.only_checked.append(line)

    def _chronotile(self, line: str, words: list[str]) -> None:
        check_command_line(words)
        words = [word for word in words if word != "&"]
        if PLACEHOLDERS & set(words):
            self.only_checked.append(line)
        elif words[0] in ENDLESS or "--watch" in words:
            assert self._start is not None, f"no test runs {line}"
            if address := ADDRESS.search(self._start(words) or ""):
                self.url = address[1]
        else:
            self._call([*PROGRAM, *words])

    def _call(self, command: list[str]) -> None:
        ran = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        self.printed += ran.stdout
        assert ran.returncode == 0, f"{command}: {ran.stdout}{ran.stderr}"


def check_command_line(words: list[str]) -> None:
    """Fail unless chronotile has this command with these options."""
    group = typer.main.get_command(app)
    group.make_context("chronotile", [], resilient_parsing=True)
    if words[0].startswith("-"):
        assert words[0] in {option for each in group.params for option in each.opts} | {"--help"}, words[0]
        return
    command = group.commands[words[0]]
    while hasattr(command, "commands"):
        words = words[1:]
        command = command.commands[words[0]]
    command.make_context(words[0], [word for word in words[1:] if word != "&"])


def _check_make(words: list[str]) -> None:
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {word for word in words if "=" not in word}
    assert named <= targets, named - targets


def _check_pip(words: list[str]) -> None:
    """Fail unless the packages of this repository that are installed have the extras that are named."""
    assert words[0] == "install"
    for word in words[1:]:
        folder = ROOT / "clients" / "python" if "client" in word else ROOT
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        extras = {extra for found in re.findall(r"\[(.+?)\]", word) for extra in found.split(",")}
        assert extras <= project["optional-dependencies"].keys(), word


def _check_clone(words: list[str]) -> None:
    """Fail unless the reader inserts the address; the repository has no public address."""
    assert words == ["ADDRESS", "chronotile"], words


def _check_folder(words: list[str]) -> None:
    (folder,) = words
    assert (ROOT / folder).is_dir(), folder


CHECKS: Mapping[str, Callable[[list[str]], None]] = {"git clone": _check_clone, "jupyter lab": _check_folder}
"""Checks of the remaining words, by the first two words of a command line that is not run."""
