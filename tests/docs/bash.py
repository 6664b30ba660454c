"""Runs commands of pages in bash, with `chronotile` on the path."""

import os
import subprocess
import sys
from pathlib import Path

CHRONOTILE = f"""#!/bin/sh
exec {sys.executable} -c 'from chronotile.cli.main import main; main()' "$@"
"""


def run_in_bash(commands: str, folder: Path, **variables: str) -> str:
    """Return the output of commands in a folder; a failing command fails the test."""
    program = folder / "bin" / "chronotile"
    program.parent.mkdir(exist_ok=True)
    program.write_text(CHRONOTILE, encoding="utf-8")
    program.chmod(0o755)
    environment = os.environ | variables | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["bash", "-ec", commands], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
