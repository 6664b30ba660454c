"""Build one executable file with the server, its libraries and extras: `python -m tools.release.single_file FOLDER …`.

The file runs on the operating system, processor and Python version that it was built on. At its first start, it unpacks
itself into the user's cache folder.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

from tools.release.__main__ import SUMS, digest

ROOT = Path(__file__).parents[2]


def build_single_file(folder: Path, *, build_python: Path, extras: list[str]) -> Path:
    """Build the file from the only wheel of the server in `folder`, add it to the checksums, and return its path.

    Args:
        folder: Contains the files of a release.
        build_python: An interpreter with pex; the file is for its version.
        extras: Extras of the server whose libraries are in the file.

    Raises:
        SystemExit: `folder` does not contain exactly one wheel of the server.
        CalledProcessError: pex failed.
    """
    wheels = list(folder.glob("chronotile-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"{folder} contains {len(wheels)} wheels of the server, not one; run make dist first")
    version = wheels[0].name.split("-")[1]
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    file = folder / f"chronotile-{version}-{python}-{sysconfig.get_platform()}.pex"
    requirement = f"chronotile[{','.join(extras)}] @ {wheels[0].absolute().as_uri()}"
    command = [build_python, "-m", "pex", requirement, "--constraints", ROOT / "requirements.lock"]
    # With --venv it unpacks into a virtual environment, so that workers of jobs find the same libraries.
    command += ["--script", "chronotile", "--venv", "prepend", "--output-file", file]
    subprocess.run(list(map(str, command)), check=True, env=os.environ)  # noqa: S603 -- a program of ours
    sums = folder / SUMS
    lines = [line for line in sums.read_text("utf-8").splitlines() if not line.endswith(file.name)]
    sums.write_text("\n".join(sorted([*lines, f"{digest(file)}  {file.name}"], key=lambda x: x.split()[1])) + "\n")
    return file


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--build-python", type=Path, required=True, help="has pex")
    parser.add_argument("--extras", required=True, help="separated by commas")
    arguments = parser.parse_args()
    file = build_single_file(
        arguments.folder, build_python=arguments.build_python.absolute(), extras=arguments.extras.split(",")
    )
    print(f"{file}  {file.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
