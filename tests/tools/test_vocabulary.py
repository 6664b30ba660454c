"""The vocabulary has one meaning per term, and its code exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/design/vocabulary.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("| ")]
TERMS = [row for row in ROWS if row[0] != "term"]


def test_vocabulary_term_has_one_meaning():
    terms = [term for row in TERMS for term in row[0].split(", ")]

    assert len(terms) == len(set(terms)) >= 120


def test_vocabulary_code_exists():
    paths = list((ROOT / "server").rglob("*.py"))
    names = {part for path in paths for part in path.with_suffix("").parts}
    names |= {name for path in paths for name in re.findall(r"(?m)^ *(?:class|def) (\w+)", path.read_text("utf-8"))}

    assert [row[0] for row in TERMS if row[2].strip("`") not in names] == []
