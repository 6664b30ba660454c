"""Code blocks of the README and the documentation, as the pages write them."""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.docs.site import DOCS, ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md")))
_BLOCK = re.compile(
    r"(?:^<!-- (?:not run: (?P<reason>[^\n]+)|run by (?P<runner>\S+)) -->\n)?"
    r"^(?P<indent> *)```(?P<language>[^\n`]*)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    page: str
    """Its path in the repository."""
    line: int
    language: str
    """Language; `text` for diagrams and output of programs."""
    text: str
    reason: str | None
    """Why no test runs it: the comment `<!-- not run: … -->` on the line before it."""
    runner: str | None
    """Path of the test that runs it apart: the comment `<!-- run by tests/… -->` on the line before it."""

    @property
    def is_marked(self) -> bool:
        """Whether the tests of all blocks skip it."""
        return self.reason is not None or self.runner is not None

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
            runner=found["runner"],
        )
        for found in _BLOCK.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
CODE = [block for block in BLOCKS if block.language != "text"]


def in_language(*languages: str, but: str | tuple[str, ...] = "/") -> list[Block]:
    """Return blocks in these languages without a marker, except in some folders or pages."""
    return [
        each for each in CODE if each.language in languages and not each.is_marked and not each.page.startswith(but)
    ]
