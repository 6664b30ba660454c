"""Boxes that no client means: each process plans with them or refuses them, soon and in little memory."""

import json
import math
import subprocess
import sys

import pytest

from tests.jobs.processes.odd_boxes import BOXES, GRIDS, SYSTEMS, asked

pytestmark = pytest.mark.slow

BOUND_S = 180
"""Time after which a plan counts as endless."""


@pytest.fixture(scope="module")
def found():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.jobs.processes.odd_boxes"],
        capture_output=True,
        text=True,
        timeout=BOUND_S,
        check=False,
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, f"after {lines[-1:]}: {done.stderr[-2000:]}"
    return [json.loads(line) for line in lines]


def test_all_are_planned_or_refused_before_anything_is_done(found):
    refused = [said for *_rest, said in found if isinstance(said, list)]

    assert len(found) == len(asked()) * len(GRIDS) * len(BOXES) * len(SYSTEMS)
    assert all(math.isfinite(said) for *_rest, said in found if not isinstance(said, list))
    assert {locator for _error, locator in refused} <= {"inputs.bbox", "inputs.width", "inputs.height"}


def test_box_is_planned_as_intended(found):
    meant = [said for _process, _layer, box, crs, said in found if (box, crs) == ("what is meant", None)]

    assert not [said for said in meant if isinstance(said, list)]


@pytest.mark.parametrize("layer", GRIDS)
def test_box_beyond_all_coordinates_is_no_area(found, layer):
    said = {
        box: said
        for process, of, box, crs, said in found
        if (process, of, crs) == ("histogram", layer, None) and box in {"everything", "too wide", "many turns"}
    }

    assert set(map(tuple, said.values())) == {("InvalidParameter", "inputs.bbox")}
