"""Keep how long tests take, and list those that are in the wrong tier.

`python -m tools.durations` reads what runs of the tiers left in `.test-durations-*.tsv` and writes
`tests/kept_durations/TIER.tsv`: the functions that take most, each with the seconds and processor seconds of all its
cases, and of its slowest one.
"""

import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "tests" / "kept_durations"
LEAST_S = 0.5
"""Functions that take less in all are not kept."""
QUICK_S = 1.0
"""Processor seconds that no case of the quick tier may take."""


@dataclass(slots=True)
class Total:
    """What the cases of one test function took."""

    elapsed_s: float = 0.0
    processor_s: float = 0.0
    slowest_s: float = 0.0
    """Processor seconds of the slowest case."""
    cases: int = 0


def totals_of(lines: list[str]) -> dict[str, Total]:
    """Return the totals of each function, by lines of seconds, processor seconds and test."""
    totals: dict[str, Total] = defaultdict(Total)
    for line in lines:
        elapsed, processor, test = line.split("\t")
        total = totals[re.sub(r"\[.*", "", test)]
        total.elapsed_s += float(elapsed)
        total.processor_s += float(processor)
        total.slowest_s = max(total.slowest_s, float(processor))
        total.cases += 1
    return totals


def keep(tier: str, totals: dict[str, Total]) -> None:
    """Write what functions of a tier took, the slowest first."""
    slowest = sorted(totals.items(), key=lambda item: -item[1].elapsed_s)
    rows = [
        f"{total.elapsed_s:.1f}\t{total.processor_s:.1f}\t{total.slowest_s:.1f}\t{total.cases}\t{name}\n"
        for name, total in slowest
        if total.elapsed_s >= LEAST_S
    ]
    KEPT.mkdir(exist_ok=True)
    (KEPT / f"{tier}.tsv").write_text("".join(["seconds\tprocessor\tslowest\tcases\ttest\n", *rows]))


def main() -> int:
    """Keep what the tiers took that ran; 1 if a test is in the wrong tier."""
    too_slow = []
    for path in sorted(ROOT.glob(".test-durations-*.tsv")):
        tier, totals = path.stem.rpartition("-")[2], totals_of(path.read_text("utf-8").splitlines())
        keep(tier, totals)
        if tier == "quick":
            too_slow = [name for name, total in totals.items() if total.slowest_s > QUICK_S]
    print(*[f"too slow for the quick tier: {name}" for name in too_slow], sep="\n")
    return int(bool(too_slow))


if __name__ == "__main__":
    sys.exit(main())
