"""Every line of OGC's checklist for WMTS is a test."""

import ast
import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def names_held():
    """What the `checklist` decorators beside this file name."""
    modules = [ast.parse(path.read_text()) for path in HERE.glob("test_checklist_*.py")]
    calls = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.Call)]
    marks = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "checklist"]
    return {each.value for mark in marks for each in ast.walk(mark) if isinstance(each, ast.Constant)}


@pytest.fixture
def lines(shared):
    """Section and first word of each line of the checklist; what stands for many names is named by its first."""
    found, section = [], ""
    for line in (shared / "ogc" / "checklist-wmts100.md").read_text().splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ").partition(" (")[0]
        elif line.startswith("- [ ] "):
            found.append(f"{section}: {re.match('[A-Za-z.-]+', line.removeprefix('- [ ] '))[0].rstrip('.')}")
    return found


def test_every_line_is_held(lines):
    assert set(lines) - names_held() == set()


def test_no_test_names_a_line_that_is_none(lines):
    assert names_held() <= set(lines)
