"""Ceilings of counted faults per package: `make check` fails above a ceiling, and if a ceiling is too high.

`ceilings.txt` has lines of rule, package and number. `python -m tools.prose --lower` and `python -m tools.names
--lower` write today's numbers if they are smaller; neither raises a number.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

FILE = Path("tools/ceilings.txt")
HEADER = "# Faults that a package may have, by rule. The numbers only fall (tools/ceilings.py).\n"
Counts = Mapping[tuple[str, str], int]
"""Number of faults by rule and package."""


def package_of(name: str) -> str:
    """Return the package that a file counts for: its folder; in the server the package directly below `chronotile`."""
    parts = name.split("/")
    depth = 4 if parts[0] == "server" else 3 if parts[:2] == ["clients", "python"] else 2
    return "/".join(parts[:-1][:depth]) or "."


def read_ceilings(root: Path, rules: set[str] | None = None) -> dict[tuple[str, str], int]:
    """Return the ceilings of a repository, for the given rules or for every rule; empty without a list."""
    file = root / FILE
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    ceilings = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            rule, package, number = line.rsplit(maxsplit=2)
            if rules is None or rule in rules:
                ceilings[rule, package] = int(number)
    return ceilings


def compare(counts: Counts, ceilings: Counts, command: str) -> Iterator[str]:
    """Yield packages with more faults than their ceiling, and ceilings that can be lowered.

    Args:
        counts: Faults of today.
        ceilings: Ceilings of the same rules.
        command: Command that lowers ceilings.
    """
    for key in sorted(counts.keys() | ceilings.keys()):
        number, ceiling = counts.get(key, 0), ceilings.get(key, 0)
        if number > ceiling:
            yield f"{key[1]}: {number} faults of the rule “{key[0]}”, at most {ceiling}"
        elif number < ceiling:
            yield f"{key[1]}: {number} faults of the rule “{key[0]}” are left of {ceiling}: run {command} --lower"


def print_errors(errors: list[str]) -> int:
    """Print errors, one per line; return the exit status."""
    print("".join(f"{error}\n" for error in errors), end="")
    return 1 if errors else 0


def lower(root: Path, counts: Counts, rules: set[str]) -> None:
    """Lower ceilings to today's number of faults; a rule without ceilings gets today's numbers."""
    ceilings = read_ceilings(root)
    stored = {rule for rule, _package in ceilings}
    new = {key: number for key, number in ceilings.items() if key[0] not in rules}
    for key, number in counts.items():
        new[key] = min(number, ceilings.get(key, 0)) if key[0] in stored else number
    lines = [f"{rule} {package} {number}\n" for (rule, package), number in sorted(new.items()) if number]
    (root / FILE).write_text(HEADER + "".join(lines), encoding="utf-8")
