"""Lines of OGC's checklists that tests cover.

python -m tests.protocols.checklists        list lines of OGC API that no test names
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.strict import SHARED

OGCAPI = Path(__file__).parent / "ogcapi"
CONFORMANCE = Path(__file__).parents[2] / "docs" / "design" / "conformance.md"
SUITES = {
    "edr": ("checklist-ogcapi-edr.md", "# OGC API - EDR"),
    "tiles": ("checklist-ogcapi-tiles-maps-coverages.md", "## Tiles"),
    "maps": ("checklist-ogcapi-tiles-maps-coverages.md", "## Maps"),
    "coverages": ("checklist-ogcapi-tiles-maps-coverages.md", "## Coverages"),
    "processes": ("checklist-ogcapi-processes.md", "# OGC API - Processes"),
}
"""File and heading of each OGC API suite."""
TITLES = {
    "edr": "EDR 1.0 and 1.1",
    "tiles": "Tiles 1.0",
    "maps": "Maps 1.0",
    "coverages": "Coverages 1.0",
    "processes": "Processes 1.0",
}
"""Headings in docs/design/conformance.md below `## OGC API`."""
NUMBERED = re.compile(
    r"(?:AT \d+(?:[-/]\d+)*(?:, \d+(?:[-/]\d+)*)*|A\.\d+(?:\.\d+)*(?:-\d+)?(?:[-/]A\.\d+)?)(?![.\d]*\w)"
)
SPAN = re.compile(r"(.*?)(\d+)-(?:A\.)?(\d+)")


def names_held(folder: Path) -> set[str]:
    """Return the names in `checklist` decorators of a folder's tests."""
    return {name for call in _marks(folder.glob("test_checklist_*.py")) for name in _texts(call)}


@dataclass(frozen=True)
class Line:
    """A clause of a checklist, such as `AT 9-12`; a clause without number is named by its first two words."""

    name: str

    @property
    def ids(self) -> set[str]:
        """Return the ids of the suite's tests in the name."""
        return ids_of(self.name)


def lines_of(suite: str) -> list[Line]:
    """Return the clauses of a suite's checklist in ../shared/ogc."""
    file, heading = SUITES[suite]
    _before, found, text = (SHARED / "ogc" / file).read_text(encoding="utf-8").partition(heading)
    if not found:
        raise ValueError(f"{file} has no {heading!r}")
    level = heading.split()[0]
    section = text.split(f"\n{level} ")[0]
    bullets = re.findall(r"^- (?:\[ \] )?(.*(?:\n  .*)*)", section, re.MULTILINE)
    return [Line(name) for bullet in bullets for name in NUMBERED.findall(bullet) or [_first_words(bullet)]]


def ids_held(suite: str) -> set[str]:
    """Return the ids of a suite that tests of OGC API name: `@pytest.mark.checklist("edr", "AT 34", "AT 9-12")`."""
    named = [_texts(call) for call in _marks(OGCAPI.rglob("test_*.py"))]
    return {each for first, *names in named if first == suite for name in names for each in ids_of(name)}


def ids_left_out(suite: str) -> set[str]:
    """Return the ids that docs/design/conformance.md explains, in the first column of the suite's table."""
    _before, _found, text = CONFORMANCE.read_text(encoding="utf-8").partition(f"\n### {TITLES[suite]}")
    names = re.findall(r"^\| ((?:AT|A\.).*?|[a-z]+ [a-z]+) \|", re.split(r"\n##", text)[0], re.MULTILINE)
    return {each for name in names for each in ids_of(name)}


def ids_of(name: str) -> set[str]:
    """Return the ids in a name: `AT 9-12` has four, `A.12/A.13` two, `AT 34, 50` two."""
    if not NUMBERED.fullmatch(name):
        return {name}
    prefix = "AT " if name.startswith("AT ") else "A."
    parts = re.split(r"[/,]\s?", name.removeprefix(prefix))
    return {f"{prefix}{each}" for part in parts for each in _spread(part.removeprefix("A."))}


def _spread(part: str) -> list[str]:
    """Return the numbers of a range: `9-12` is 9, 10, 11, 12; `1.1-3` is 1.1, 1.2, 1.3; `3-A.5` is 3, 4, 5."""
    span = SPAN.fullmatch(part)
    if span is None:
        return [part]
    stem, first, last = span.groups()
    return [f"{stem}{number}" for number in range(int(first), int(last) + 1)]


def _first_words(bullet: str) -> str:
    return " ".join(re.findall("[a-z]+", bullet.lower())[:2])


def _marks(paths: Iterator[Path]) -> list[ast.Call]:
    """Return the calls of `checklist` or `pytest.mark.checklist`."""
    return [call for path in sorted(paths) for call in _marks_in(path)]


@cache
def _marks_in(path: Path) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [call for call in calls if getattr(call.func, "id", getattr(call.func, "attr", "")) == "checklist"]


def _texts(call: ast.Call) -> list[str]:
    return [node.value for node in ast.walk(call) if isinstance(node, ast.Constant)]


def main() -> int:
    """Print the ids without test or explanation."""
    for suite in SUITES:
        held = ids_held(suite) | ids_left_out(suite)
        missing = [f"{line.name} ({', '.join(sorted(line.ids - held))})" for line in lines_of(suite) if line.ids - held]
        sys.stdout.write(f"{suite}: {'; '.join(missing) or 'all held'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
