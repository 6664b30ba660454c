"""Files of every kind with random damage: a number that is served is an independent reader's, in each process."""

import json
import os
import subprocess
import sys

import pytest

from tests.odd_archives.damage import KINDS, report, write_members
from tests.sampling import IS_FULL

COUNT = 500 if IS_FULL else 12
SEED = "damage"
RUNS_S = 1800
"""For all members of a kind: a library that does not come back from a damaged file fails."""
PROCESSES = (("17", "forward"), ("170", "reversed"))
"""Content of new memory (by glibc's MALLOC_PERTURB_), and the order of the members: both differ between processes."""


def reports(kind, folder, perturb, order):
    """Return the reports of a new process on each member."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.odd_archives.damage", kind, str(folder), order],
        capture_output=True, text=True, timeout=RUNS_S, env={**os.environ, "MALLOC_PERTURB_": perturb}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line["member"]: line for line in lines}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_have_the_numbers_of_other_readers(tmp_path, kind):
    write_members(KINDS[kind], tmp_path, count=COUNT, seed=SEED)

    one, other = (reports(kind, tmp_path, perturb, order) for perturb, order in PROCESSES)

    assert len(one) == COUNT
    assert [line for line in one.values() if "fault" in line] == []
    assert [line for line in one.values() if line.get("differs")] == []
    digests = {member: line.get("digest") for member, line in one.items()}
    assert {member: line.get("digest") for member, line in other.items()} == digests


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_whole_file_has_the_numbers_of_other_readers(tmp_path, kind):
    write_members(KINDS[kind], tmp_path, count=0, seed=SEED)

    found = report(KINDS[kind], tmp_path / "whole")

    assert "digest" in found
    assert found.get("differs", []) == found.get("alone", []) == []
