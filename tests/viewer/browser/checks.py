"""Runs checks of the viewer in Chromium: all of them, or a random tenth if what they check has passed as it is.

After all of them passed, `python -m tests.viewer.browser.checks` writes the present state into `passed.txt`, which is
committed. The answers of the server are no input: other tests compare them, and the tenth sees a page that no longer
understands one.
"""

import hashlib
import os
import subprocess
from pathlib import Path

from tests.sampling import IS_FULL, SEED

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
PASSED = FOLDER / "passed.txt"
MADE = {"dist", "dist.building", "vendor", "data"}
"""Folders of `viewer/` that are made of the others."""
TIMEOUT_S = 1800
SHARE = "0.1"


def digest() -> str:
    """The files of the viewer, its libraries' versions and the checks, as one number in hexadecimal digits."""
    viewer = [path for path in (ROOT / "viewer").rglob("*") if path.relative_to(ROOT / "viewer").parts[0] not in MADE]
    checks = [*FOLDER.glob("*.mjs"), *FOLDER.glob("*.py"), ROOT / "package-lock.json"]
    files = sorted(str(path.relative_to(ROOT)) for path in (*viewer, *checks) if path.is_file())
    named = [hashlib.sha256(name.encode() + b"\0" + (ROOT / name).read_bytes()).digest() for name in files]
    return hashlib.sha256(b"".join(named)).hexdigest()


def has_passed() -> bool:
    """Whether all checks passed for the present state."""
    return PASSED.exists() and PASSED.read_text("utf-8").strip() == digest()


def run_checks(file: Path, base_url: str, folder: Path, browser: str = "chromium") -> None:
    """Run the checks of a file against a server; `folder` gets pictures of those that fail. Raises AssertionError."""
    seed = os.environ.get(SEED)
    is_whole = IS_FULL or seed is None or not has_passed()
    ran = subprocess.run(
        ["node", file, base_url, folder],
        env=os.environ
        | {"CHRONOTILE_BROWSER": browser}
        | ({} if is_whole else {"CHRONOTILE_CHECKS": f"{SHARE} {seed}"}),
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr


if __name__ == "__main__":
    PASSED.write_text(digest() + "\n", "utf-8")
