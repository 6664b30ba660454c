"""Keep how long tests take, and list those that are in the wrong tier.

`python -m tools.durations` reads what runs of the tiers left in `.test-durations-*.tsv` and writes
`tests/kept_durations/TIER.tsv`: the functions that take most, each with the seconds and processor seconds of all its
cases, and of its slowest one. `one_case.txt` beside them has the functions of which the quick tier runs one case alone,
as each further one takes long (`tests/quick.py`).
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
FURTHER_S = 0.1
"""Processor seconds of each case after the first from which on they are of a later tier."""
AGAIN_S = FURTHER_S / 2
"""Below it they are of the quick tier again; between both they stay where they are."""


@dataclass(slots=True)
class Total:
    """What the cases of one test function took."""

    elapsed_s: float = 0.0
    processor_s: float = 0.0
    slowest_s: float = 0.0
    """Processor seconds of the slowest case."""
    cases: int = 0

    @property
    def further_s(self) -> float:
        """Processor seconds of a case without the slowest one, which pays for what all use; 0 of one alone."""
        return (self.processor_s - self.slowest_s) / (self.cases - 1) if self.cases > 1 else 0.0


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


def of_one_case(quick: dict[str, Total], every: dict[str, Total], before: set[str]) -> list[str]:
    """Return the functions of which one case is to be quick.

    Args:
        quick: What those took that have quick cases.
        every: What functions took in all tiers.
        before: Those that have been listed.
    """
    return sorted(name for name in quick if every[name].further_s >= (AGAIN_S if name in before else FURTHER_S))


def main() -> int:
    """Keep what the tiers took that ran; 1 if a test is in the wrong tier."""
    lines = {
        path.stem.rpartition("-")[2]: path.read_text("utf-8").splitlines()
        for path in sorted(ROOT.glob(".test-durations-*.tsv"))
    }
    for tier, of_tier in lines.items():
        keep(tier, totals_of(of_tier))
    quick = totals_of(lines.get("quick", []))
    if quick and "rest" in lines:
        listed = KEPT / "one_case.txt"
        before = set(listed.read_text("utf-8").split()) if listed.exists() else set()
        names = of_one_case(quick, totals_of(lines["quick"] + lines["rest"]), before)
        listed.write_text("".join(f"{name}\n" for name in names))
    too_slow = [name for name, total in quick.items() if total.slowest_s > QUICK_S]
    print(*[f"too slow for the quick tier: {name}" for name in too_slow], sep="\n")
    return int(bool(too_slow))


if __name__ == "__main__":
    sys.exit(main())
