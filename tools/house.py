"""Check the rules of sizes and shapes of the server's code (`python -m tools.house`); `docs/design` has the reasons.

Permitted exceptions are in `house_exceptions.txt`: rule, file, number, and the reason. An unused exception is a fault
too, so that the list only gets shorter.
"""

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from configparser import ConfigParser
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXCEPTIONS = Path(__file__).with_name("house_exceptions.txt")
CONTRACTS = ".importlinter"
PACKAGE = "chronotile"
BROAD = re.compile(r"\b(Base)?Exception\b")
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50
MAX_ENTRY_CHARACTERS = 120
SHORT = 3
"""Lines of a private function that needs no docstring."""
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER),
    tokenize.ENCODING,
}
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """A module of the package."""

    name: str
    path: str
    """Below the root."""
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def code_lines(self) -> frozenset[int]:
        """Number of lines without blank lines, comments and docstrings, including docstrings of attributes."""
        told = set[int]()
        for node in ast.walk(self.tree):
            for each in getattr(node, "body", ()) if isinstance(getattr(node, "body", ()), list) else ():
                if _is_text(each):
                    told.update(range(each.lineno, (each.end_lineno or each.lineno) + 1))
        lines = set[int]()
        for token in tokenize.generate_tokens(io.StringIO(self.text).readline):
            if token.type not in NO_CODE:
                lines.update(range(token.start[0], token.end[0] + 1))
        return frozenset(lines - told)

    @cached_property
    def functions(self) -> list[tuple[str, Function]]:
        """All functions with their qualified names."""
        return list(_functions(self.tree, ""))

    def lines_of(self, node: ast.stmt) -> int:
        """Code lines of a statement."""
        return len(self.code_lines & set(range(node.lineno, (node.end_lineno or node.lineno) + 1)))


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _functions(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
    for each in ast.iter_child_nodes(node):
        name = f"{prefix}{each.name}" if isinstance(each, Function | ast.ClassDef) else ""
        if isinstance(each, Function):
            yield name, each
        yield from _functions(each, f"{name}." if name else prefix)


def modules_of(root: Path) -> dict[str, Module]:
    """Return the modules of the package below `root/server`, by name."""
    found = {}
    for path in sorted((root / "server" / PACKAGE).rglob("*.py")):
        parts = path.relative_to(root / "server").with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = Module(name, path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    return found


def imports_of(modules: Mapping[str, Module]) -> dict[str, set[str]]:
    """Return the modules that each module imports, also in its functions; imports for types alone do not count."""
    return {name: set(_imports(module, modules)) - {name} for name, module in modules.items()}


def _imports(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    skipped = {
        id(each)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for each in ast.walk(node)
    }
    for node in ast.walk(module.tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names if each.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for each in node.names:
                inner = f"{node.module}.{each.name}"
                if inner in modules or node.module in modules:
                    yield inner if inner in modules else node.module


Broken = Iterator[tuple[str, str, str]]
"""Rule, file and description."""


def sizes(modules: Mapping[str, Module]) -> Broken:
    """Yield modules and functions that are too long (rule 1)."""
    for module in modules.values():
        if len(module.code_lines) > MAX_MODULE_LINES:
            yield "module-lines", module.path, f"{len(module.code_lines)} code lines, at most {MAX_MODULE_LINES}"
        for name, node in module.functions:
            if (count := module.lines_of(node)) > MAX_FUNCTION_LINES:
                yield "function-lines", module.path, f"{name} has {count} code lines, at most {MAX_FUNCTION_LINES}"


def broad_excepts(modules: Mapping[str, Module]) -> Broken:
    """Yield handlers of all exceptions (rule 3); cleanup before a bare `raise` is permitted."""
    for module in modules.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler) or _raises_again(node):
                continue
            if node.type is None or BROAD.search(ast.unparse(node.type)):
                yield "broad-except", module.path, f"line {node.lineno} catches all exceptions; name the expected ones"


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler ends with a bare `raise`; a handler that may return earlier does not count."""
    last = handler.body[-1]
    is_complete = not any(isinstance(node, ast.Return | ast.Continue | ast.Break) for node in ast.walk(handler))
    return isinstance(last, ast.Raise) and last.exc is None and is_complete


def circles(modules: Mapping[str, Module], imports: Mapping[str, Iterable[str]]) -> Broken:
    """Yield circles of modules that import each other (rule 4)."""
    for group in _strong_components(imports):
        if len(group) > 1:
            places = sorted(modules[name].path for name in group)
            yield "circle", places[0], f"imports in a circle with {', '.join(places[1:])}"


def _strong_components(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Tarjan's, without recursion."""
    index, low, stack, found = dict[str, int](), dict[str, int](), list[str](), list[list[str]]()
    for root in edges:
        work = [] if root in index else [(root, iter(edges[root]))]
        if work:
            index[root] = low[root] = len(index)
            stack.append(root)
        while work:
            node, rest = work[-1]
            for each in rest:
                if each not in index:
                    index[each] = low[each] = len(index)
                    stack.append(each)
                    work.append((each, iter(edges[each])))
                    break
                if each in stack:
                    low[node] = min(low[node], index[each])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    place = stack.index(node)
                    found.append(stack[place:])
                    del stack[place:]
    return found


def docstrings(modules: Mapping[str, Module]) -> Broken:
    """Yield short private functions with a docstring, and attributes whose docstring repeats their name (rule 5)."""
    for module in modules.values():
        for name, node in module.functions:
            is_private = node.name.startswith("_") and not node.name.startswith("__")
            if is_private and ast.get_docstring(node) and module.lines_of(node) <= SHORT:
                yield "docstring", module.path, f"{name} is private and short: it needs none"
        for each in ast.walk(module.tree):
            for target, text in _attribute_texts(each):
                words = set(re.findall(r"[a-z]+|\d+", text.lower())) - {"the", "a", "an", "of", "its", "it"}
                if words <= set(re.findall(r"[a-z]+", target.lower().replace("_", " "))):
                    yield "attribute-docstring", module.path, f"“{text}” repeats the name {target}"


def _attribute_texts(node: ast.AST) -> Iterator[tuple[str, str]]:
    body = getattr(node, "body", [])
    if not isinstance(node, ast.ClassDef | ast.Module):
        return
    for before, text in pairwise(body):
        if isinstance(before, ast.Assign | ast.AnnAssign) and _is_text(text):
            target = before.targets[0] if isinstance(before, ast.Assign) else before.target
            yield ast.unparse(target), text.value.value


def changelog(root: Path) -> Broken:
    """Yield entries of the changelog that are long (rule 6)."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    for entry in re.findall(r"^- .*(?:\n  .*)*", text, re.MULTILINE):
        if len(entry) > MAX_ENTRY_CHARACTERS + 2:
            yield (
                "changelog",
                "CHANGELOG.md",
                f"“{entry[2:42]}” has {len(entry) - 2} characters, at most {MAX_ENTRY_CHARACTERS}",
            )


def named_processes(root: Path, modules: Mapping[str, Module]) -> Broken:
    """Yield import contracts and tests that list the processes by name (rule 7)."""
    folder = f"{PACKAGE}.jobs.processes."
    words = {name.removeprefix(folder).replace("_", "-") for name in modules if name.startswith(folder)}
    contracts = ConfigParser()
    contracts.read(root / CONTRACTS, encoding="utf-8")
    for section in contracts.sections():
        names = re.findall(r"[a-z_]+", contracts.get(section, "layers", fallback=""))
        if len({name.replace("_", "-") for name in names} & words & PROCESSES) > 2:
            yield "process-names", CONTRACTS, f"{section} lists the processes by name"
    for path in sorted((root / "tests/jobs/processes").glob("*.py")):
        named = set(re.findall(r"\"([a-z-]+)\"", path.read_text(encoding="utf-8")))
        if len(named & PROCESSES) > MOST_NAMED:
            yield "process-names", path.relative_to(root).as_posix(), "lists the processes by name"


PROCESSES = frozenset({"animation", "anomaly", "climatology", "composite", "histogram", "trend", "zonal-statistics"})
MOST_NAMED = 4
"""Processes that a test may name without listing the others."""


SUBJECTS = frozenset(
    {
        *("agreement", "benchmarks", "cite", "clients", "deploy", "docs", "examples", "image", "keycloak", "real_data"),
        *("replay", "scenes_archive", "tools", "viewer", "walk"),
    }
)
"""Folders of tests whose subject is not a package of the server."""


def test_folders(root: Path, modules: Mapping[str, Module]) -> Broken:
    """Yield folders of tests that are named neither after a package or module nor after a subject (rule 8).

    Tests of `a/b.py` are in `tests/a/test_b.py`, in another file of `tests/a` with the name of its subject, or in
    `tests/a/b`.
    """
    names = {name.removeprefix(f"{PACKAGE}.").removesuffix(".__init__").replace(".", "/") for name in modules}
    for path in sorted({path.parent.relative_to(root / "tests") for path in (root / "tests").rglob("test_*.py")}):
        if path.parts and path.parts[0] not in SUBJECTS and path.as_posix() not in names:
            yield (
                "test-folder",
                f"tests/{path.as_posix()}",
                "is named neither after a package or module nor in SUBJECTS",
            )


def broken_rules(root: Path) -> list[tuple[str, str, str]]:
    """Return all faults: rule, file and description."""
    modules = modules_of(root)
    imports = imports_of(modules)
    return [
        *sizes(modules),
        *broad_excepts(modules),
        *circles(modules, imports),
        *docstrings(modules),
        *changelog(root),
        *named_processes(root, modules),
        *test_folders(root, modules),
    ]


def read_exceptions(text: str) -> dict[tuple[str, str], int]:
    """Return how many faults of a rule a file may have: lines of rule, file, count and reason."""
    lines = (line.split(maxsplit=3) for line in text.splitlines() if line and not line.startswith("#"))
    return {(rule, file): int(count) for rule, file, count, _reason in lines}


def faults(root: Path, exceptions: str) -> list[str]:
    """Return faults beyond the exceptions, and unused exceptions."""
    excepted = read_exceptions(exceptions)
    found = broken_rules(root)
    counts = Counter((rule, file) for rule, file, _ in found)
    new = [
        f"{file}: {wrong} ({rule}; {counts[rule, file]} found, {excepted.get((rule, file), 0)} excepted)"
        for rule, file, wrong in found
        if counts[rule, file] > excepted.get((rule, file), 0)
    ]
    return new + [
        f"{file}: {counts[rule, file]} of {count} exceptions of {rule} are needed; write that number or remove the line"
        for (rule, file), count in excepted.items()
        if counts[rule, file] < count
    ]


def as_exceptions(root: Path) -> Iterator[str]:
    """Yield the exception lines for today's faults."""
    for (rule, file), count in sorted(Counter((rule, file) for rule, file, _ in broken_rules(root)).items()):
        yield f"{rule} {file} {count} before the rule"


def main() -> None:
    """Print all faults; return 1 if there are any."""
    found = faults(ROOT, EXCEPTIONS.read_text(encoding="utf-8"))
    print("".join(f"{each}\n" for each in found), end="")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
