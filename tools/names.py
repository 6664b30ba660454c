"""Check the names of the server's code (`python -m tools.names`) by section 3 of STYLE.md.

- A class name or type alias is defined once.
- A function name starts with a verb, or is a noun phrase: no bare participle (`_drawn`, `given_by`), no preposition
  (`_of_any`). `to_x`, `from_x`, `as_x` and `in_x` name conversions of a value.
- A variable is not called `each`, `found`, `own` and the like.

Faults that exist are counted per package in `ceilings.txt`, and the number may only fall.

    python -m tools.names             errors; 1 if there are any
    python -m tools.names --show P    all faults in the package P
    python -m tools.names --rates     share of variables with filler names, by package
    python -m tools.names --lower     lower the ceilings to today's numbers, then list errors
"""

import ast
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools import ceilings
from tools.ceilings import package_of

ROOT = Path(__file__).parents[1]
COMMAND = "python -m tools.names"
FOLDERS = ("server", "tests", "tools", "benchmarks", "clients/python/src")
FILLERS = frozenset(
    {
        *("each", "found", "own", "known", "given", "held", "left", "named", "others", "wanted", "said", "shown"),
        *("told", "kept", "asked", "taken", "seen", "begun"),
    }
)
"""Names of variables that name nothing."""
PREPOSITIONS = frozenset(
    {
        *("of", "with", "by", "for", "on", "after", "before", "beside", "without", "between", "under", "over", "below"),
        *("above", "beyond", "within", "among", "through", "until", "since", "per", "near", "like", "whose", "which"),
    }
)
NO_NOUNS = PREPOSITIONS | {
    *("in", "at", "to", "from", "as", "and", "or", "if", "here", "now", "once", "again", "there", "away", "anew", "up"),
    *("out", "off", "together", "apart", "alike", "only", "also", "first", "last", "down", "back", "whole", "alone"),
}
"""Words that do not turn a participle in front of them into an adjective."""
IRREGULAR = frozenset(
    {
        *("begun", "bound", "brought", "built", "cut", "done", "drawn", "found", "given", "gone", "grown", "held"),
        *("kept", "known", "laid", "left", "led", "lost", "made", "meant", "met", "paid", "put", "read", "said"),
        *("seen", "sent", "shown", "shut", "sought", "split", "spoken", "taken", "thought", "told", "understood"),
        *("written", "won", "drawn", "chosen", "broken", "hidden", "driven", "forgotten", "frozen", "undone", "sorted"),
    }
)
"""Participles that do not end with `ed`."""
VERBS_TOO = frozenset(
    {"read", "put", "cut", "split", "led", "shut", "bound", "feed", "need", "embed", "speed", "seed", "succeed"}
)
ALLOWED = re.compile(r"__\w+__|test_\w+|visit_\w+|do_[A-Z]+")


class Fault(NamedTuple):
    """A name that breaks a rule."""

    rule: str
    path: str
    line: int
    name: str


def is_function_name_allowed(name: str) -> bool:
    """Return whether a function name seems to start with a verb or to be a noun phrase, by its words."""
    words = name.strip("_").lower().split("_")
    if ALLOWED.fullmatch(name) or not words[0]:
        return True
    first, second = words[0], words[1] if len(words) > 1 else None
    if first in PREPOSITIONS:
        return False
    is_participle = first in IRREGULAR or (len(first) > 4 and first.endswith("ed"))
    return not is_participle or first in VERBS_TOO or (second is not None and second not in NO_NOUNS)


def find_faults(root: Path) -> Iterator[Fault]:
    """Yield all names that break a rule."""
    definitions = defaultdict[str, list[Fault]](list)
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            tree = ast.parse(path.read_text(encoding="utf-8"))
            yield from _function_faults(tree, name)
            yield from _filler_faults(tree, name)
            if folder == "server":
                for node in tree.body:
                    if (type_name := _type_name(node)) is not None:
                        definitions[type_name].append(Fault("class defined twice", name, node.lineno, type_name))
    for faults in definitions.values():
        if len({fault.path for fault in faults}) > 1:
            yield from faults


def _function_faults(tree: ast.Module, path: str) -> Iterator[Fault]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            is_property = any(map(_is_property, node.decorator_list))
            if not is_property and not is_function_name_allowed(node.name):
                yield Fault("function name", path, node.lineno, node.name)


def _is_property(decorator: ast.expr) -> bool:
    return ast.unparse(decorator).split(".")[-1] in {"property", "cached_property", "setter", "fixture"}


def _filler_faults(tree: ast.Module, path: str) -> Iterator[Fault]:
    for name, line in _bindings(tree):
        if name.lstrip("_") in FILLERS:
            yield Fault("filler name", path, line, name)


def _bindings(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Variables, parameters and attributes that are bound, with their lines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def _type_name(node: ast.stmt) -> str | None:
    """The name of a class or type alias that a statement defines."""
    if isinstance(node, ast.ClassDef):
        return node.name.lstrip("_")
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) in {"TypeAlias", "typing.TypeAlias"}:
        return ast.unparse(node.target).lstrip("_")
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
        name = node.targets[0].id.lstrip("_")
        is_type = isinstance(node.value, ast.Subscript | ast.BinOp) and re.fullmatch(r"[A-Z][a-z]\w*", name)
        is_alias = is_type and re.match(r"[A-Z]\w*(\[|$| \|)|dict\[|list\[|tuple\[|type\[", ast.unparse(node.value))
        return name if is_alias else None
    return None


def print_rates(root: Path) -> None:
    """Print the share of bindings that have filler names, by package."""
    bound, fillers = Counter[str](), Counter[str]()
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.py")):
            package = package_of(path.relative_to(root).as_posix())
            for name, _line in _bindings(ast.parse(path.read_text(encoding="utf-8"))):
                for group in (package, f"[{folder}]"):
                    bound[group] += 1
                    fillers[group] += name.lstrip("_") in FILLERS
    for group in sorted(bound):
        print(f"{group:44}{bound[group]:8}{fillers[group]:7}{100 * fillers[group] / bound[group]:7.2f} %")


def count_faults(root: Path) -> Counter[tuple[str, str]]:
    """Return the number of faults by rule and package."""
    return Counter((fault.rule, package_of(fault.path)) for fault in find_faults(root))


RULES = {"function name", "class defined twice", "filler name"}


def main(arguments: list[str], root: Path = ROOT) -> int:
    """Run the command of the arguments; return the exit status."""
    match arguments:
        case [] | ["--lower"]:
            counts = count_faults(root)
            if arguments:
                ceilings.lower(root, counts, RULES)
            errors = list(ceilings.compare(counts, ceilings.read_ceilings(root, RULES), COMMAND))
            return ceilings.print_errors(errors)
        case ["--rates"]:
            print_rates(root)
        case ["--show", package]:
            for fault in find_faults(root):
                if fault.path.startswith(package):
                    print(f"{fault.path}:{fault.line}: {fault.rule}: {fault.name}")
        case _:
            print(__doc__)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
