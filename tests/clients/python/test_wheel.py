"""The wheel of the client contains all its modules, and their imports are installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.running import CLIENT

pytestmark = pytest.mark.slow

INSTALL_S = 1800
"""Timeout of pip in seconds; a registry may be slow."""
PROGRAM = """
import importlib, pkgutil, chronotile_client
for module in pkgutil.iter_modules(chronotile_client.__path__, "chronotile_client."):
    print(importlib.import_module(module.name).__file__)
"""


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *arguments], check=True, timeout=INSTALL_S)


def test_every_module_of_the_wheel_is_imported(tmp_path):
    pip("wheel", "--no-deps", "--wheel-dir", tmp_path, CLIENT.parent)
    (wheel,) = tmp_path.glob("chronotile_client-*.whl")
    installed = tmp_path / "installed"
    pip("install", "--no-deps", "--target", installed, wheel)

    printed = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(installed)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()

    package = CLIENT / "chronotile_client"
    assert {Path(each).relative_to(installed) for each in printed} == {
        each.relative_to(CLIENT) for each in package.glob("*.py") if each.name != "__init__.py"
    }
    assert (installed / "chronotile_client" / "py.typed").is_file()
