"""Every line of OGC's checklist for WMS has a test, or a reason in docs/design/conformance.md."""

import re
from pathlib import Path

import pytest

from tests.protocols.checklists import names_held

HERE = Path(__file__).parent
CONFORMANCE = HERE.parents[3] / "docs" / "design" / "conformance.md"
NAME = re.compile(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*")


def names_left_out():
    """The first column of the page's table."""
    return set(re.findall(r"^\| ([a-z][a-z_-]*) \|", CONFORMANCE.read_text(), re.MULTILINE))


@pytest.fixture
def lines(shared):
    """The first name of each line of the checklist."""
    text = (shared / "ogc" / "checklist-wms130.md").read_text()
    return [NAME.search(line)[0] for line in text.splitlines() if line.startswith("- [ ]")]


def test_every_line_has_a_test_or_a_reason(lines):
    assert set(lines) - names_held(HERE) - names_left_out() == set()


def test_at_most_one_line_in_ten_is_excluded(lines):
    left_out = set(lines) - names_held(HERE)

    assert left_out == names_left_out()
    assert len(left_out) <= len(lines) / 10
