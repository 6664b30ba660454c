"""An operator who follows the page "One Debian host", block by block, on a host and on a build machine."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.deploy.production.host import AUTHORITY, NAME, STEP_S, TRUSTED, Host
from tests.docs.blocks import Block, blocks_of
from tests.docs.site import DOCS, ROOT

PAGE = DOCS / "how-to" / "production.md"
ON_BUILD_MACHINE = "# on the build machine"
"""First line of blocks that do not run on the host."""
SOURCES = (
    *("server", "viewer", "styles", "clients/dist", "deploy", "README.md", "CHANGELOG.md", "LICENSE"),
    *("pyproject.toml", "requirements.lock", ".gitignore"),
)
"""Parts of the clone: the sources of the wheel, and files for the host."""
MAKE = """#!/bin/sh
# Stand-in of `make dist`: builds only the wheel, with the viewer of this checkout.
set -eu
[ "$*" = dist ]
rm -rf dist
exec {python} -m pip wheel --quiet --no-deps --wheel-dir dist .
"""
SCP = """#!/bin/bash
# Stand-in of `scp -r FILE… root@NAME:FOLDER`: copies into the root of the host.
set -eu
shift
target=${{@: -1}}
[[ $target = root@{name}:* ]]
folder=${{target#*:}}
exec cp --recursive --dereference "${{@:1:$#-1}}" "{root}/${{folder:-root}}/"
"""
TRUST = f"""
until [ -s {AUTHORITY} ]; do sleep 0.1; done
cp {AUTHORITY} {TRUSTED}
update-ca-certificates
"""
"""The advice of step 6 for a host that the internet cannot reach."""


class Operator:
    """Runs the blocks of the page in order; `follow` continues after the last block that ran."""

    def __init__(self, host: Host, folder: Path) -> None:
        self.host = host
        self.machine = folder / "build-machine"
        """Working folder of the build machine: a clone, and folders of rasters."""
        self._blocks = iter(blocks_of(PAGE))
        self._done: list[Block] = []
        self._programs = folder / "programs"
        for name in SOURCES:
            target = self.machine / name
            target.parent.mkdir(parents=True, exist_ok=True)
            (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, target)
        self._programs.mkdir()
        for name, text in (("make", MAKE), ("scp", SCP)):
            (self._programs / name).write_text(text.format(python=sys.executable, name=NAME, root=host.root), "utf-8")
            (self._programs / name).chmod(0o755)

    def follow(self, until: str) -> str:
        """Run blocks up to the first block with a text; return their output."""
        printed = ""
        for block in self._blocks:
            printed += self._run(block)
            if until in block.text:
                return printed
        raise AssertionError(f"no later block of the page has {until!r}")

    def follow_to_the_end(self) -> None:
        """Run all blocks that are left."""
        for block in self._blocks:
            self._run(block)

    def repeat(self, text: str) -> str:
        """Run the last block with a text again; return its output."""
        return self._run(next(block for block in reversed(self._done) if text in block.text))

    def _run(self, block: Block) -> str:
        assert block.language == "bash", f"{block} is no block of commands"
        self._done.append(block)
        if not block.text.startswith(ON_BUILD_MACHINE):
            # A host of the test has no public name, so Caddy makes the certificate, as the page advises in this case.
            text = block.text.replace("# tls internal", "tls internal")
            printed = self.host.run(text.replace("systemctl restart caddy\n", f"systemctl restart caddy\n{TRUST}"))
            if "apt-get install" in block.text:
                self.host.run("systemctl default")  # Debian itself starts the services of new packages
            return printed
        variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            ["bash", "-eu", "-c", block.text],
            cwd=self.machine,
            env=variables | {"PATH": f"{self._programs}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            timeout=STEP_S,
            check=False,
        )
        assert done.returncode == 0, f"{block}: {done.stdout}{done.stderr}"
        return done.stdout
