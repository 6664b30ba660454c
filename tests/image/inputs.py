"""Compares the inputs of the image with those of the last successful run of its tests.

`python -m tests.image.inputs` exits with 1 after a change; `--passed` writes the current state into `passed.txt`, which
is committed. The code of the server is no input: other tests run it, and these files contain the image's additions.
"""

import hashlib
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PASSED = Path(__file__).with_name("passed.txt")
FILES = (
    "Dockerfile",
    ".dockerignore",
    ".npmrc",
    "package.json",
    "package-lock.json",
    "requirements-image.lock",
    "viewer/build.mjs",
    "viewer/bundle.mjs",
    "tools/viewer_data/requirements.lock",
    *sorted(f"tools/viewer_data/{path.name}" for path in (ROOT / "tools/viewer_data").glob("*.py")),
    "clients/python/build.mjs",
    "clients/python/pyproject.toml",
    *sorted(f"tests/image/{path.name}" for path in Path(__file__).parent.glob("*.py")),
)
SECTIONS = ("build-system", "project")
"""Sections of pyproject.toml, in addition to hatch's."""


def digest() -> str:
    """Return the inputs of the image as one number, in hexadecimal digits."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    sections = [project[name] for name in SECTIONS] + [project["tool"]["hatch"]]
    parts = [(ROOT / name).read_bytes() for name in FILES] + [repr(sections).encode()]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def main() -> int:
    """Compare with the state that passed, or write it."""
    if "--passed" in sys.argv:
        PASSED.write_text(digest() + "\n")
        return 0
    return int(not PASSED.exists() or PASSED.read_text().strip() != digest())


if __name__ == "__main__":
    sys.exit(main())
