"""Every line of OGC's checklist for WCS 2.0 that applies is a test."""

import re
from pathlib import Path

import pytest

from tests.protocols.checklists import names_held

HERE = Path(__file__).parent
NOT_OFFERED = {"EO-WCS application profile 1.0", "Typical failures"}


@pytest.fixture
def lines(shared):
    """Section and first word of each line of the checklist."""
    found, section = [], ""
    for line in (shared / "ogc" / "checklist-wcs20.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").partition(" (")[0]
        elif line.startswith("- ") and section not in NOT_OFFERED:
            found.append(f"{section}: {re.match('[A-Za-z0-9/-]+', line.removeprefix('- ').removeprefix('[ ] '))[0]}")
    return found


def test_every_line_has_a_test(lines):
    assert set(lines) - names_held(HERE) == set()


def test_every_line_of_a_test_exists(lines):
    assert names_held(HERE) <= set(lines)
