"""Every line of OGC's checklist for WMTS has a test."""

import re
from pathlib import Path

import pytest

from tests.protocols.checklists import names_held

HERE = Path(__file__).parent


@pytest.fixture
def lines(shared):
    """Return section and first word of each line of the checklist; a line of several names has its first name."""
    found, section = [], ""
    for line in (shared / "ogc" / "checklist-wmts100.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").partition(" (")[0]
        elif line.startswith("- [ ] "):
            found.append(f"{section}: {re.match('[A-Za-z.-]+', line.removeprefix('- [ ] '))[0].rstrip('.')}")
    return found


def test_every_line_has_a_test(lines):
    assert set(lines) - names_held(HERE) == set()


def test_every_line_of_a_test_exists(lines):
    assert names_held(HERE) <= set(lines)
