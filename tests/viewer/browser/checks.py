"""Run checks of the viewer in Chromium: a random tenth by the seed of the run, or every check in a full run."""

import os
import subprocess
from pathlib import Path

from tests.sampling import IS_FULL, SEED

TIMEOUT_S = 1800
SAMPLED_FRACTION = "0.1"


def run_checks(file: Path, base_url: str, folder: Path, browser: str = "chromium") -> None:
    """Run the checks of a file against a server.

    Args:
        folder: Receives pictures of failed checks.

    Raises:
        AssertionError: A check failed.
    """
    seed = os.environ.get(SEED)
    is_whole = IS_FULL or seed is None
    ran = subprocess.run(
        ["node", file, base_url, folder],
        env=os.environ
        | {"CHRONOTILE_BROWSER": browser}
        | ({} if is_whole else {"CHRONOTILE_CHECKS": f"{SAMPLED_FRACTION} {seed}"}),
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr
