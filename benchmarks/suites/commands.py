"""How long commands take that compute nothing: a process from its start to its end."""

import platform
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.figures import median
from benchmarks.findings import Findings, Row, Told
from benchmarks.peers.ground import Ground
from benchmarks.suites.options import Options

PROCESSES = 5
"""Processes of each command per round, one after the other."""
CHRONOTILE, PYTHON = "chronotile", "python -c pass"
LIMIT_MS = 300
"""Maximum duration of `--help`."""
COMMANDS = {"--help": ("--help",), "--version": ("--version",), "serve --help": ("serve", "--help")}


def run(_ground: Ground, options: Options) -> Findings:
    """Measure the commands, and an interpreter that does nothing."""
    findings = Findings(
        suite="commands",
        title="Commands that compute nothing",
        about=f"Median of {PROCESSES} processes per command and round, one after the other, in the page cache. "
        f"`chronotile --help` may take {LIMIT_MS} ms on an idle machine.",
        ours=CHRONOTILE,
    )
    ours = [sys.executable, "-c", "from chronotile.cli.main import main; main()"]
    for case, arguments in COMMANDS.items():
        for name, command in ((CHRONOTILE, [*ours, *arguments]), (PYTHON, [sys.executable, "-c", "pass"])):
            _milliseconds(command)
            rounds = [median([_milliseconds(command) for _ in range(PROCESSES)]) for _ in range(options.rounds)]
            findings.rows.append(Row(case=case, contender=name, unit="ms", rounds=rounds))
    findings.told.append(Told(PYTHON, platform.python_version(), "minimum of every command"))
    return findings


def _milliseconds(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - started) * 1000
