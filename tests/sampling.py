"""Pytest plugin: a run takes a sample of the tests with many cases, and of the expensive functions of the later tiers.

Two steps, both by a seed that the run prints:

1. Cases. A function with many cases runs three of them (in the later tiers one), or a tenth if that is more. A function
   that is marked `every_case` runs all.
2. Functions of the later tiers. One whose chosen cases take up to `LATER_S` of processor time always runs. One that
   takes longer runs with the probability `LATER_S` / its time. `tests.costs` has the times.

`.ci/run` derives the seed from the commit, so that each commit has another sample. CHRONOTILE_TEST_FULL=1 runs
everything, CHRONOTILE_TEST_SEED repeats the choice of an earlier run, and CHRONOTILE_TEST_SAMPLE=500 runs 500 tests
instead of all. A run that names files or tests runs all that it names.
"""

import hashlib
import math
import os
import secrets
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest

from tests.costs import UNMEASURED_S, function_of, stored_costs
from tests.quick import BEYOND_QUICK

IS_FULL = bool(os.environ.get("CHRONOTILE_TEST_FULL"))
"""Whether a run takes all cases, with the full number of repetitions in tests that repeat an action."""
TENTH = 0.1
FEW, FEW_LATER = 3, 1
"""Cases of a function that every run takes, in the quick tier and in the later ones."""
LATER_S = 1.0
"""Processor seconds that a function of the later tiers may always take."""
SEED = "CHRONOTILE_TEST_SEED"
"""Environment variable of the seed; programs that tests start use it too."""
MARKER = "further_case"
"""Marker of `tests.quick` for cases that `quick_cases` does not name: no run is certain to take them."""
WHOLE = "every_case"
"""Marker of a function whose cases are parts of a whole, or combinations that no other test tries."""


@dataclass(frozen=True)
class Sampling:
    """The choice of a run, the same in each of its processes."""

    seed: str
    further: float
    """The fraction of the other cases, 0 to 1; 1 also switches the choice of functions off."""
    limit: int
    """Maximum number of tests; 0 for no limit."""

    def pytest_report_header(self) -> str:
        """Report how to repeat the choice."""
        limit = f", {self.limit} tests" if self.limit else ""
        return f"a few cases of a test, or {self.further:.0%}{limit} (CHRONOTILE_TEST_SEED={self.seed})"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        """Send the choice to a worker of pytest-xdist, which has neither the arguments nor the seed."""
        node.workerinput["sampling"] = (self.seed, self.further, self.limit)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the tests outside of the sample, after markers have deselected other tiers."""
        cases = self.choose_cases(items)
        if self.further < 1:
            cases = self.choose_functions(cases)
        chosen = set(cases[: self.limit or None])
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]

    def choose_cases(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Return a few cases of each function, or a tenth, in random order."""
        begun, chosen = Counter[str](), list[pytest.Item]()
        for item in sorted(items, key=lambda item: self.draw(item.nodeid)):
            function = function_of(item.nodeid)
            is_further = item.get_closest_marker(MARKER) is not None or begun[function] >= few_of(item)
            begun[function] += not is_further
            if not is_further or self.draw(item.nodeid) < self.further:
                chosen.append(item)
        return chosen

    def choose_functions(self, items: list[pytest.Item]) -> list[pytest.Item]:
        """Return the items without expensive functions of the later tiers that the seed does not choose."""
        total_s = defaultdict[str, float](float)
        for item in filter(is_later, items):
            total_s[function_of(item.nodeid)] += stored_costs().get(function_of(item.nodeid), UNMEASURED_S)
        skipped = {function for function, cost_s in total_s.items() if self.draw(f"{function}()") * cost_s >= LATER_S}
        return [item for item in items if function_of(item.nodeid) not in skipped or not is_later(item)]

    def draw(self, name: str) -> float:
        """Return a number from 0 to 1 that depends on the name and the seed alone."""
        digest = hashlib.blake2b(f"{self.seed} {name}".encode(), digest_size=6).digest()
        return int.from_bytes(digest) / 2**48


def is_later(item: pytest.Item) -> bool:
    """Return whether a test is beyond the quick tier."""
    return any(map(item.get_closest_marker, BEYOND_QUICK))


def few_of(item: pytest.Item) -> float:
    """Return how many cases of a function are in every run."""
    if item.get_closest_marker(WHOLE) is not None:
        return math.inf
    return FEW_LATER if is_later(item) else FEW


def pytest_configure(config: pytest.Config) -> None:
    """Choose a sample unless the run names tests or requests all."""
    if (received := getattr(config, "workerinput", {}).get("sampling")) is not None:
        register(config, Sampling(*received))
    elif not hasattr(config, "workerinput"):
        environment = os.environ.get
        is_whole = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or environment("CHRONOTILE_TEST_FULL")
        seed = environment(SEED) or secrets.token_hex(4)
        limit = int(environment("CHRONOTILE_TEST_SAMPLE") or 0)
        if limit or not is_whole:
            register(config, Sampling(seed, 1.0 if is_whole else TENTH, limit))


def register(config: pytest.Config, sampling: Sampling) -> None:
    """Register the choice as a plugin, and pass its seed to programs that tests start."""
    config.pluginmanager.register(sampling)
    os.environ[SEED] = sampling.seed
