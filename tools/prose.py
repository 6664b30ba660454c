"""Find phrases of `prose_words.txt` in documents, messages, docstrings and viewer texts (`python -m tools.prose`)."""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FILES = (
    *("*.md", "docs/**/*.md", "docs/**/*.ipynb", "clients/**/*.md", "examples/**/*.md", "deploy/**/*.md"),
    *("server/**/*.py", "clients/python/src/**/*.py", "examples/**/*.py", "viewer/i18n/en.json"),
)
MAX_WORDS = 40
NEW_PIECE = re.compile(r"\s*(?:[-*#|>]|\d+\.)\s|\s*$")


class Rule(NamedTuple):
    """A phrase and what to write instead."""

    pattern: re.Pattern[str]
    remedy: str


class Piece(NamedTuple):
    """Text that begins in a line (in a notebook: a cell) of a file."""

    line: int
    text: str


def read_rules(text: str) -> list[Rule]:
    """Return the rules of a word list with lines of the form `pattern => remedy`; `#` begins a comment."""
    pairs = (line.split(" => ") for line in text.splitlines() if line and not line.startswith("#"))
    spaced = ((left.replace(" ", r"\s+"), right) for left, right in pairs)
    return [Rule(re.compile(rf"(?<![\w-])(?:{left})(?!\w)", re.IGNORECASE), right) for left, right in spaced]


def markdown_pieces(text: str) -> Iterator[Piece]:
    """Yield paragraphs, list items and table rows without code and addresses; of a changelog what is unreleased."""
    text = re.split(r"^## \[\d", text, maxsplit=1, flags=re.MULTILINE)[0]
    text = re.sub(r"(?ms)^ *```.*?^ *```|<!--.*?-->", lambda found: "\n" * found[0].count("\n"), text)
    text = re.sub(r"`[^`]*`", lambda found: "`x`" + "\n" * found[0].count("\n"), re.sub(r"\]\([^)\n]*\)", "]", text))
    begin, piece = 1, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if not piece.strip() or NEW_PIECE.match(line):
            yield Piece(begin, piece)
            begin, piece = number, ""
        piece += line + "\n"


def notebook_pieces(text: str) -> Iterator[Piece]:
    """Yield the texts of the Markdown cells of a notebook."""
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        if cell["cell_type"] == "markdown":
            yield from (Piece(number, piece.text) for piece in markdown_pieces("".join(cell["source"])))


def json_pieces(text: str) -> Iterator[Piece]:
    """Yield the values of a file of texts."""
    for number, line in enumerate(text.splitlines(), start=1):
        yield from (Piece(number, value) for value in re.findall(r': "((?:[^"\\]|\\.)*)"', line))


def python_pieces(text: str) -> Iterator[Piece]:
    """Yield texts of three words or more: messages, descriptions, docstrings (not those of private names)."""
    skipped = set[int]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.startswith("_"):
            skipped.add(id(getattr(node.body[0], "value", None)))
        elif isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node}
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in skipped:
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            words = "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in parts)
            if len(re.findall(r"[a-z]{2,}", words)) >= 3:
                yield Piece(node.lineno, re.sub(r"`[^`]*`", "`x`", words))


READERS = {".md": markdown_pieces, ".ipynb": notebook_pieces, ".py": python_pieces, ".json": json_pieces}


def find(path: Path, name: str, rules: Iterable[Rule]) -> Iterator[str]:
    """Yield each finding in a file, with its line and what to write."""
    for line, text in READERS[path.suffix](path.read_text(encoding="utf-8")):
        for rule in rules:
            for found in rule.pattern.finditer(text):
                at = f"{name}:{line + text.count(chr(10), 0, found.start())}"
                yield f"{at}: “{' '.join(found[0].split())}”: {rule.remedy}"
        for sentence in re.split(r"[.!?:;]\s|\|", text) if path.suffix == ".md" else ():
            if (count := len(re.findall(r"[^\W_][^\s/]*", sentence))) > MAX_WORDS:
                yield f"{name}:{line}: a sentence of {count} words: write shorter ones"


def main(root: Path = ROOT) -> int:
    """Print all findings; return 1 if there are any."""
    rules = read_rules(Path(__file__).with_name("prose_words.txt").read_text(encoding="utf-8"))
    paths = sorted({path for pattern in FILES for path in root.glob(pattern) if "node_modules" not in path.parts})
    found = [each for path in paths for each in find(path, path.relative_to(root).as_posix(), rules)]
    print("".join(f"{each}\n" for each in found), end="")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
