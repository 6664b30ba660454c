"""Endless commands of pages: servers, workers and watches, which run until the end of a test."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.running import PATIENCE_S, until

PROGRAM = [sys.executable, "-c", "from chronotile.cli.main import main; main()"]
ADDRESS = re.compile(r"^landing page +(http://[\d.:]+)", re.MULTILINE)
READY = {
    "serve": ADDRESS,
    "worker": re.compile("running jobs of the archive"),
    "index": re.compile("^watching ", re.MULTILINE),
}
"""Output of each command when it is ready."""


class Programs:
    """Starts endless commands of chronotile in a folder; the output of a command is in a file.

    Args:
        folder: Working folder, and folder of the outputs.
        environment: Variables of the commands.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self, words: list[str]) -> str:
        """Start a command, and return its output once it is ready."""
        log = self._folder / f"{words[0]}-{len(self._processes)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*PROGRAM, *words],
                cwd=self._folder,
                env={**self._environment, "CHRONOTILE_PORT": "0", "CHRONOTILE_WORKERS": "1"},
                stdout=output,
                stderr=output,
            )
        self._processes.append(process)
        until(lambda: READY[words[0]].search(log.read_text()) or process.poll() is not None)
        assert process.poll() is None, f"{words} has ended: {log.read_text()[-2000:]}"
        return log.read_text()

    def stop(self) -> None:
        """Stop all started commands."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(timeout=PATIENCE_S)


@contextmanager
def programs_in(folder: Path, environment: Mapping[str, str] = os.environ) -> Iterator[Programs]:
    """Programs in a folder, which are stopped at the end."""
    programs = Programs(folder, environment)
    try:
        yield programs
    finally:
        programs.stop()
