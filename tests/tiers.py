"""Pytest plugin: a module is imported only if the run's `-m` may select one of its tests.

The tiers of its tests are read from its source, from its imports from `tests`, and from the conftest files of its
folders: to import all modules takes as long as a tenth of the quick tests.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import chain, combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

from tests.costs import expensive_functions
from tests.quick import BEYOND_QUICK

ROOT = Path(__file__).parents[1]
NAMES = frozenset(BEYOND_QUICK)
MARK = re.compile(r"mark\.(\w+)")
OF_ALL = re.compile(r"^pytestmark = (?:\[\n.*?^\]|[^\n]*)", re.MULTILINE | re.DOTALL)
"""Markers of a module that apply to all of its tests."""
PLUGINS = {ROOT / "tests" / name for name in ("quick.py", "tiers.py")}
"""Modules that mention markers without setting them."""
IMPORTED = re.compile(r"from (tests[\w.]*) import (?:\(([^)]*)\)|([^\n]*))")


class MarkerNotRead(pytest.UsageError):
    """A test has a marker of a tier that is not in its source, so that a run would have skipped it."""


def markers_in(text: str) -> frozenset[str]:
    """Return the markers of tiers that a text names; `quick_cases` makes other cases slow."""
    return frozenset("slow" if name == "quick_cases" else name for name in MARK.findall(text)) & NAMES


@dataclass(frozen=True)
class Source:
    """Markers and imports in a file; empty for a missing file."""

    certain: frozenset[str]
    """The markers of all its tests."""
    named: frozenset[str]
    imported: frozenset[Path]
    """Modules of `tests`; some may be names in a module instead."""


@cache
def read(path: Path) -> Source:
    """Read a source without running it."""
    text = path.read_text("utf-8") if path.is_file() and path not in PLUGINS else ""
    imported = set[Path]()
    for package, several, names in IMPORTED.findall(text):
        module = ROOT.joinpath(*package.split("."))
        imported |= {
            module.with_suffix(".py"),
            *(module / f"{each}.py" for each in re.findall(r"\w+", several or names)),
        }
    named = markers_in(text) | ({"slow"} if path in _modules_with_expensive_functions() else set())
    return Source(markers_in("".join(OF_ALL.findall(text))), named, frozenset(imported))


@cache
def _modules_with_expensive_functions() -> frozenset[Path]:
    """Return the modules with functions that `tests.quick` marks as slow because of their cost."""
    return frozenset(ROOT / function.partition("::")[0] for function in expensive_functions())


@cache
def possible_markers(path: Path) -> frozenset[str]:
    """Return the markers of tiers that some test of a module may have."""
    reached, ahead = set[Path](), [path, *(folder / "conftest.py" for folder in path.parents if folder != ROOT.parent)]
    while ahead:
        each = ahead.pop()
        if each not in reached:
            reached.add(each)
            ahead += read(each).imported
    return frozenset().union(*(read(each).named for each in reached))


def may_take(expression: Expression, path: Path) -> bool:
    """Return whether the markers that a module's tests may have fulfil an expression in any combination."""
    certain = read(path).certain
    others = possible_markers(path) - certain
    combined = chain.from_iterable(combinations(others, count) for count in range(len(others) + 1))
    return any(expression.evaluate(_holder(certain.union(more))) for more in combined)


def _holder(held: frozenset[str]) -> Callable[..., bool]:
    """Return the function by which an expression tests the markers of an item."""
    return lambda name, /, **_: name in held


class Tiers:
    """Tests that a run selects, by its marker expression."""

    def __init__(self, expression: str, named: set[Path]) -> None:
        self.expression = Expression.compile(expression)
        self.named = named
        """Files that the command line names; they are collected in any case."""

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Ignore a module without any selected test."""
        is_module = collection_path.suffix == ".py" and collection_path.is_relative_to(ROOT / "tests")
        if not is_module or collection_path in self.named or may_take(self.expression, collection_path):
            return None
        return True


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test whose markers are not in its source."""
    for item in items:
        unread = {marker.name for marker in item.iter_markers()} & NAMES - possible_markers(item.path)
        if unread:
            raise MarkerNotRead(
                f"{item.nodeid}: tests/tiers.py does not see its markers {unread}: name them `mark.NAME`"
            )


def pytest_configure(config: pytest.Config) -> None:
    """Read the marker expression of the run, if it contains only tiers."""
    asked = config.option.markexpr
    if asked and set(re.findall(r"\w+", asked)) <= NAMES | {"not", "or", "and"}:
        named = {config.invocation_params.dir.joinpath(each.split("::")[0]).resolve() for each in config.args}
        config.pluginmanager.register(Tiers(asked, named))
