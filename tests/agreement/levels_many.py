"""Count wrong values over many random members: `python -m tests.agreement.levels_many COUNT [FIRST]`."""

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from tests.agreement.levels_asked import compare_all
from tests.odd_archives.levels import MEMBERS, make_member


def main(count: int, first: int) -> None:
    """Print how many values each protocol gave of so many members, and how many of them were wrong."""
    compared, wrong, names = Counter[str](), Counter[str](), list(MEMBERS)
    for number in range(first, first + count):
        name = names[number % len(names)]
        with tempfile.TemporaryDirectory() as folder:
            try:
                found = compare_all(make_member(Path(folder), name, number), np.random.default_rng(number))
            except Exception as error:  # noqa: BLE001 -- reported with the member, and the others are tried
                print(f"{number} {name}: {type(error).__name__}: {str(error)[:300]}", flush=True)  # noqa: T201 -- a program
                wrong["failed"] += 1
                continue
        compared += found.count
        wrong += found.wrong
        if found.wrong.total():
            print(f"{number} {name}: {dict(+found.wrong)}", flush=True)  # noqa: T201 -- a program
    print(f"{count} members; values: {dict(compared)}; wrong: {dict(wrong)}")  # noqa: T201 -- a program


if __name__ == "__main__":
    main(*map(int, (*sys.argv[1:], "0")[:2]))
