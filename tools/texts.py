"""Texts of the repository: docstrings, comments, messages, test names, documents, viewer texts and commit subjects."""

import ast
import io
import json
import re
import subprocess
import tokenize
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

Kind = Literal[
    "docstring",
    "private docstring",
    "attribute",
    "comment",
    "message",
    "test name",
    "document",
    "viewer text",
    "commit",
]

FILES = (
    *("*.md", "docs/**/*.md", "docs/**/*.ipynb", "clients/**/*.md", "examples/**/*.md", "deploy/**/*.md"),
    *("server/**/*.py", "clients/python/**/*.py", "examples/**/*.py", "tests/**/*.py", "tools/**/*.py"),
    *("benchmarks/**/*.py", "docs/**/*.py", "viewer/**/*.js", "viewer/**/*.mjs", "clients/js/**/*.js"),
    "viewer/i18n/en.json",
)
SKIPPED_FOLDERS = {"node_modules", "vendor", "dist", "data", "build", "__pycache__", ".venv", ".cache"}
MIN_WORDS = 3
"""Shorter string constants are names or keys."""
NEW_PIECE = re.compile(r"\s*(?:[-*#|>]|\d+\.)\s|\s*$")
_NO_TEXT = re.compile(r"SELECT |INSERT |CREATE |<[a-z]")
_LINTER_COMMENT = re.compile(r"#\s*(?:noqa|type:|pragma|!)")
_JS_COMMENT = re.compile(r"(?m)^\s*//[^\S\n]?(?P<line>[^\n]*)$|/\*\*?(?P<block>(?s:.*?))\*/")


class Text(NamedTuple):
    """A text that starts at a line of a file; at a cell of a notebook."""

    kind: Kind
    line: int
    text: str


def list_files(root: Path) -> list[Path]:
    """Return all files with texts that this project wrote, in order."""
    paths = {path for pattern in FILES for path in root.glob(pattern)}
    return sorted(path for path in paths if SKIPPED_FOLDERS.isdisjoint(path.relative_to(root).parts[:-1]))


def read_texts(path: Path) -> tuple[Text, ...]:
    """Return the texts of a file."""
    return _parse(path.suffix, path.read_text(encoding="utf-8"))


@cache
def _parse(suffix: str, text: str) -> tuple[Text, ...]:
    return tuple(READERS[suffix](text))


def read_markdown(text: str) -> Iterator[Text]:
    """Yield paragraphs, list items and table rows without code and addresses; the unreleased part of a changelog."""
    text = re.split(r"^## \[\d", text, maxsplit=1, flags=re.MULTILINE)[0]
    text = re.sub(r"(?ms)^ *```.*?^ *```|<!--.*?-->", lambda block: "\n" * block[0].count("\n"), text)
    text = re.sub(r"`[^`]*`", lambda code: "`x`" + "\n" * code[0].count("\n"), re.sub(r"\]\([^)\n]*\)", "]", text))
    start, piece = 1, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        if not piece.strip() or NEW_PIECE.match(line):
            yield Text("document", start, piece)
            start, piece = number, ""
        piece += line + "\n"


def read_notebook(text: str) -> Iterator[Text]:
    """Yield the texts of the Markdown cells of a notebook."""
    for number, cell in enumerate(json.loads(text)["cells"], start=1):
        if cell["cell_type"] == "markdown":
            yield from (Text("document", number, piece.text) for piece in read_markdown("".join(cell["source"])))


def read_json(text: str) -> Iterator[Text]:
    """Yield the values of a file of viewer texts."""
    for number, line in enumerate(text.splitlines(), start=1):
        for value in re.findall(r': "((?:[^"\\]|\\.)*)"', line):
            yield Text("viewer text", number, value)


def read_javascript(text: str) -> Iterator[Text]:
    """Yield comments."""
    for comment in _JS_COMMENT.finditer(text):
        words = comment["line"] or re.sub(r"(?m)^\s*\*", "", comment["block"] or "")
        yield Text("comment", text.count("\n", 0, comment.start()) + 1, words)


def read_python(text: str) -> Iterator[Text]:
    """Yield docstrings, attribute docstrings, names of tests, messages of several words, and comments."""
    nodes = list(ast.walk(ast.parse(text)))
    constants = dict(_docstrings(nodes))
    for constant, kind in constants.items():
        yield Text(kind, constant.lineno, str(constant.value))
    for node in nodes:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield Text("test name", node.lineno, node.name.removeprefix("test_").replace("_", " "))
    yield from _messages(nodes, {id(constant) for constant in constants})
    for token in tokenize.generate_tokens(io.StringIO(text).readline) if "#" in text else ():
        if token.type == tokenize.COMMENT and not _LINTER_COMMENT.match(token.string):
            comment = re.split(r"#?\s*noqa:\s*[\w, ]+(?:--)?", token.string.lstrip("# "))[-1]
            yield Text("comment", token.start[0], comment)


def _docstrings(nodes: Sequence[ast.AST]) -> Iterator[tuple[ast.Constant, Kind]]:
    for node in nodes:
        body = getattr(node, "body", None)
        for position, statement in enumerate(body if isinstance(body, list) else ()):
            constant = statement.value if isinstance(statement, ast.Expr) else None
            if isinstance(constant, ast.Constant) and isinstance(constant.value, str):
                is_private = getattr(node, "name", "").startswith("_")
                yield constant, "attribute" if position else "private docstring" if is_private else "docstring"


def _messages(nodes: Sequence[ast.AST], skipped: set[int]) -> Iterator[Text]:
    for node in nodes:
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node}
    for node in nodes:
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in skipped:
            parts = node.values if isinstance(node, ast.JoinedStr) else [node]
            message = "".join(_constant_text(part) for part in parts)
            if len(re.findall(r"\b[a-z]{2,}\b", message)) >= MIN_WORDS and not _NO_TEXT.search(message):
                yield Text("message", node.lineno, message)


def read_commits(root: Path, since: str) -> Iterator[Text]:
    """Yield the subjects of commits since a revision; none without a repository that has it."""
    command = ["git", "-C", str(root), "log", "--no-merges", "--format=%s", f"{since}..HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- our own revision
    for number, subject in enumerate(done.stdout.splitlines(), start=1):
        yield Text("commit", number, subject)


def _constant_text(part: ast.expr) -> str:
    return part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else "x"


READERS = {
    ".md": read_markdown,
    ".ipynb": read_notebook,
    ".py": read_python,
    ".json": read_json,
    ".js": read_javascript,
    ".mjs": read_javascript,
}
