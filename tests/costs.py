"""Processor time of test functions, as `python -m tools.durations` stored it after the last runs of all tiers."""

from functools import cache
from pathlib import Path

COSTS = Path(__file__).parent / "kept_durations" / "costs.tsv"
"""Mean processor seconds of a case, tab, `tests/test_a.py::test_it`: of functions whose cases take at least `QUICK_S`,
and of all functions of the later tiers that were measured."""
UNMEASURED_S = 3.0
"""Processor seconds that a case of the later tiers is assumed to take before it was measured."""
QUICK_S = 0.08
"""Functions whose cases take less processor time are in the quick tier."""


@cache
def stored_costs() -> dict[str, float]:
    """Return the mean processor seconds of a case by function."""
    rows = (line.split("\t") for line in COSTS.read_text("utf-8").splitlines())
    return {function: float(cost_s) for cost_s, function in rows}


@cache
def expensive_functions() -> frozenset[str]:
    """Return the functions that are too expensive for the quick tier."""
    return frozenset(function for function, cost_s in stored_costs().items() if cost_s >= QUICK_S)


def function_of(nodeid: str) -> str:
    """Return the id of a test without its case."""
    return nodeid.partition("[")[0]
