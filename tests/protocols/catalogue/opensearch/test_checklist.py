"""Every line of docs/design/conformance-opensearch.md has a test, and tests name no other line."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[4] / "docs" / "design" / "conformance-opensearch.md"


def test_every_line_has_a_test():
    listed = re.findall(r"^- `(.+?)`: ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    sources = (each.read_text(encoding="utf-8") for each in Path(__file__).parent.glob("test_*.py"))
    marks = (mark for text in sources for mark in re.findall(r'checklist\("opensearch", (.+)\)', text))
    held = {name for mark in marks for name in re.findall(r'"(.+?)"', mark)}

    assert held == set(listed)
