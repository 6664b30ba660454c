"""Store the processor time of expensive test functions, by which runs choose their sample (`tests/sampling.py`).

`python -m tools.durations` reads the files `.test-durations-*.tsv` that runs of the tiers wrote, and updates
`tests/kept_durations/costs.tsv`. Functions that the runs did not take keep their stored cost.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

from tests.costs import COSTS, QUICK_S, function_of, stored_costs

ROOT = Path(__file__).parents[1]
QUICK_AGAIN_S = QUICK_S / 2
"""A stored function returns to the quick tier below this; between both limits it does not change its tier."""


def measured_costs(lines: list[str]) -> dict[str, float]:
    """Return the mean processor seconds of a case by function, from lines of seconds, processor seconds, test."""
    cases_s = defaultdict[str, list[float]](list)
    for line in lines:
        _elapsed_s, processor_s, test = line.split("\t")
        cases_s[function_of(test)].append(float(processor_s))
    return {function: sum(seconds) / len(seconds) for function, seconds in cases_s.items()}


def update_costs(stored: dict[str, float], measured: dict[str, float]) -> dict[str, float]:
    """Return the costs to store, sorted by function."""
    kept = {function: cost_s for function, cost_s in stored.items() if function not in measured and exists(function)}
    expensive = {
        function: cost_s
        for function, cost_s in measured.items()
        if cost_s >= (QUICK_AGAIN_S if function in stored else QUICK_S)
    }
    return dict(sorted((kept | expensive).items()))


def exists(function: str) -> bool:
    """Return whether the source of a test still defines it."""
    path, _, name = function.rpartition("::")
    source = ROOT / path.partition("::")[0]
    return source.is_file() and re.search(rf"\bdef {re.escape(name)}\(", source.read_text("utf-8")) is not None


def main() -> int:
    """Update the stored costs from the runs."""
    lines = [line for path in ROOT.glob(".test-durations-*.tsv") for line in path.read_text("utf-8").splitlines()]
    costs = update_costs(stored_costs(), measured_costs(lines))
    COSTS.write_text("".join(f"{cost_s:.2f}\t{function}\n" for function, cost_s in costs.items()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
