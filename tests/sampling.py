"""Pytest plugin: of a test with many cases a run takes three, in the later tiers one, or a tenth if that is more, by a
seed that it prints; of one that is marked `every_case` it takes all.

CHRONOTILE_TEST_FULL=1 runs all cases, CHRONOTILE_TEST_SEED repeats the choice of an earlier run, and
CHRONOTILE_TEST_SAMPLE=500 runs 500 tests in place of all. A run that names files or tests runs what it names.
"""

import hashlib
import math
import os
import secrets
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.quick import BEYOND_QUICK

IS_FULL = bool(os.environ.get("CHRONOTILE_TEST_FULL"))
"""Whether a run takes all cases, and tests that repeat something repeat it as often as they were written for."""
TENTH = 0.1
FEW, FEW_LATER = 3, 1
"""Cases of a test that every run takes, whichever the seed chooses, in the quick tier and in the others."""
SEED = "CHRONOTILE_TEST_SEED"
"""The seed, which programs that tests start find in their environment, if there is a choice."""
MARKER = "further_case"
"""What `tests.quick` gives the cases of a matrix that `quick_cases` does not name: none of them is in every run."""
WHOLE = "every_case"
"""What marks a test of which a run takes all cases: they are parts of a whole, or pairs that nobody else tries."""


@dataclass(frozen=True)
class Sampling:
    """What of a run's tests is run; the same in each of its processes."""

    seed: str
    further: float
    """The share of further cases, 0 to 1."""
    most: int
    """Tests in all; 0 for no limit."""

    def pytest_report_header(self) -> str:
        """Say how to repeat the choice."""
        limit = f", {self.most} tests" if self.most else ""
        return f"a few cases of a test, or {self.further:.0%}{limit} (CHRONOTILE_TEST_SEED={self.seed})"

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        """Hand the choice to a process of pytest-xdist, which knows neither the arguments nor the seed."""
        node.workerinput["sampling"] = (self.seed, self.further, self.most)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect what is not of the sample, after markers have deselected other tiers."""
        begun, taken = Counter[str](), list[pytest.Item]()
        for item in sorted(items, key=self.draw):
            function = item.nodeid.partition("[")[0]
            is_further = item.get_closest_marker(MARKER) is not None or begun[function] >= few_of(item)
            begun[function] += not is_further
            if not is_further or self.draw(item) < self.further:
                taken.append(item)
        chosen = set(taken[: self.most or None])
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]

    def draw(self, item: pytest.Item) -> float:
        """A number from 0 to 1 that depends on the test's name and the seed alone."""
        digest = hashlib.blake2b(f"{self.seed} {item.nodeid}".encode(), digest_size=6).digest()
        return int.from_bytes(digest) / 2**48


def few_of(item: pytest.Item) -> float:
    """How many cases of an item's test are in every run."""
    if item.get_closest_marker(WHOLE) is not None:
        return math.inf
    return FEW_LATER if any(map(item.get_closest_marker, BEYOND_QUICK)) else FEW


def pytest_configure(config: pytest.Config) -> None:
    """Choose what is run, unless all is asked for or tests are named."""
    if (received := getattr(config, "workerinput", {}).get("sampling")) is not None:
        choose(config, Sampling(*received))
    elif not hasattr(config, "workerinput"):
        environment = os.environ.get
        is_whole = config.args_source is not pytest.Config.ArgsSource.TESTPATHS or environment("CHRONOTILE_TEST_FULL")
        seed = environment(SEED) or secrets.token_hex(4)
        most = int(environment("CHRONOTILE_TEST_SAMPLE") or 0)
        if most or not is_whole:
            choose(config, Sampling(seed, 1.0 if is_whole else TENTH, most))


def choose(config: pytest.Config, sampling: Sampling) -> None:
    """Have a choice made by a plugin, and tell its seed to programs that tests start."""
    config.pluginmanager.register(sampling)
    os.environ[SEED] = sampling.seed
