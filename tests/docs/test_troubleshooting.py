"""Each message in docs/how-to/troubleshooting.md is in the code, with `…` for inserted names."""

import ast
import functools
import re
from pathlib import Path

import pytest

from tests.docs.site import DOCS, ROOT

pytestmark = pytest.mark.every_case

PAGE = (DOCS / "how-to" / "troubleshooting.md").read_text(encoding="utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)


def text_of(node: ast.expr) -> str:
    """Return the text of a literal; `…` stands for each part that is put in."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    texts = (part.value if isinstance(part, ast.Constant) else "…" for part in parts)
    return " ".join("".join(map(str, texts)).split())


def literals_of(path: Path) -> set[str]:
    """Return the texts of a module, except docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr | ast.Constant))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {text_of(node) for node in texts if id(node) not in docstrings}


@functools.cache
def literals() -> str:
    """Return all texts of the server, one per line."""
    return "\n".join(sorted({text for path in (ROOT / "server").rglob("*.py") for text in literals_of(path)}))


def test_the_page_quotes_messages():
    assert len(MESSAGES) > 15
    assert len(set(MESSAGES)) == len(MESSAGES)


@pytest.mark.parametrize("message", MESSAGES)
def test_a_quoted_message_is_in_the_code(message):
    assert message.strip("… ") in literals(), f"{message}: the code has no such message; change the page"
