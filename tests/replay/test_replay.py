"""Statuses and media types equal the recording for the first requests to two archives; `make replay` compares all."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.replay.trace import WALKS, traced

ROOT = Path(__file__).parents[2]
TENTH = ("--statuses", "--first", "300", "--archive", "catalogue", "--archive", "stores: places")


@pytest.mark.slow
def test_statuses_are_as_recorded():
    command = [sys.executable, "-W", "ignore", "-m", "tests.replay", *TENTH]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "clients/python/src")])

    ran = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, f"{ran.stdout}{ran.stderr}\n`make replay` shows more; `make record` writes it anew"


@pytest.mark.slow
def test_requests_change_file_no_more_often_than_before():
    entered = traced()

    assert {name: walk for name, walk in entered.items() if walk.changes > WALKS[name].max_changes} == {}
    assert min(walk.functions for walk in entered.values()) > 50
