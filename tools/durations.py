"""Store the processor time of test functions, which runs use to choose their sample (`tests/sampling.py`).

`python -m tools.durations` reads the files that runs of the tiers wrote, `.test-durations-quick.tsv` and
`.test-durations-rest.tsv`, and updates `tests/kept_durations/costs.tsv`. Functions that the runs did not take keep
their stored cost.
"""

import re
import sys
from collections import defaultdict
from pathlib import Path

from tests.costs import COSTS, QUICK_S, function_of, stored_costs

ROOT = Path(__file__).parents[1]


def measured_costs(lines: list[str]) -> dict[str, float]:
    """Return the mean processor seconds of a case by function, from lines of seconds, processor seconds, test."""
    cases_s = defaultdict[str, list[float]](list)
    for line in lines:
        _elapsed_s, processor_s, test = line.split("\t")
        cases_s[function_of(test)].append(float(processor_s))
    return {function: sum(seconds) / len(seconds) for function, seconds in cases_s.items()}


def update_costs(stored: dict[str, float], *, quick: dict[str, float], later: dict[str, float]) -> dict[str, float]:
    """Return the costs to store, sorted by function.

    Args:
        stored: Costs of earlier runs.
        quick: Costs that a run of the quick tier measured; cheap ones are not stored.
        later: Costs that a run of the later tiers measured.
    """
    measured = quick | later
    kept = {function: cost_s for function, cost_s in stored.items() if function not in measured and exists(function)}
    return dict(sorted((kept | {name: cost_s for name, cost_s in quick.items() if cost_s >= QUICK_S} | later).items()))


def lines_of(path: Path) -> list[str]:
    """Return the lines of a file, none if it is missing."""
    return path.read_text("utf-8").splitlines() if path.exists() else []


def exists(function: str) -> bool:
    """Return whether the source of a test still defines it."""
    path, _, name = function.rpartition("::")
    source = ROOT / path.partition("::")[0]
    return source.is_file() and re.search(rf"\bdef {re.escape(name)}\(", source.read_text("utf-8")) is not None


def main() -> int:
    """Update the stored costs from the runs."""
    quick, later = (measured_costs(lines_of(ROOT / f".test-durations-{tier}.tsv")) for tier in ("quick", "rest"))
    costs = update_costs(stored_costs(), quick=quick, later=later)
    COSTS.write_text("".join(f"{cost_s:.2f}\t{function}\n" for function, cost_s in costs.items()), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
