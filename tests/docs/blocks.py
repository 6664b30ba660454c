"""Code blocks of the README and the documentation, as the pages write them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.docs.site import DOCS, ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))
_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    """Its path in the repository."""
    line: int
    language: str
    """Language; `""` for diagrams and output of programs."""
    text: str
    reason: str | None
    """Why it is not run: the comment `<!-- not run: … -->` on the line before it."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            page=page.relative_to(ROOT).as_posix(),
            line=text.count("\n", 0, found.start("language")) + 1,
            language=found["language"],
            text=textwrap.dedent(found["text"]),
            reason=found["reason"],
        )
        for found in _BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
CODE = [block for block in BLOCKS if block.language]


def in_language(*languages: str, but: str | tuple[str, ...] = "/") -> list[Block]:
    """Return blocks in these languages that are run, except in some folders or pages."""
    return [
        each for each in CODE if each.language in languages and each.reason is None and not each.page.startswith(but)
    ]
