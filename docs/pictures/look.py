"""Version of the viewer's look, which the metadata of its pictures contain.

The look contains the controls of the page with their icons and English texts, and the colours and sizes that the style
sheet defines as properties. Scripts, rules of single elements and texts for screen readers can change without new
pictures. In the second half of November 2026 the viewer had 274 commits: 81 changed its page or style sheets, and 18
its look. A number that developers raise by hand would be forgotten; a digest of all style sheets
would require new pictures every third commit.
"""

import json
import re
from collections.abc import Mapping
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from PIL import ExifTags, Image

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
DIGITS = 12
_PROPERTY = re.compile(r"^\s*(--[\w-]+):\s*([^;]+);", re.MULTILINE)


class _Controls(HTMLParser):
    """Collector of tags, ids, icons and keys of texts, in the order of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "link", "script"}:
            self.parts.append(tag)
            self.parts += [f"{name}={value}" for name, value in attrs if name in {"id", "href", "src"}]
            self.parts += [value or "" for name, value in attrs if name in {"data-text", "data-text-placeholder"}]


def look_of(page: str, styles: str, texts: Mapping[str, object]) -> str:
    """Return the look of a page with a style sheet and texts by key, as 12 hexadecimal digits."""
    controls = _Controls()
    controls.feed(page)
    parts = [texts.get(part, part) for part in controls.parts]
    return sha256(json.dumps([parts, sorted(_PROPERTY.findall(styles))]).encode()).hexdigest()[:DIGITS]


def current_look() -> str:
    """Return the look of the viewer in this repository."""
    page, styles, texts = (
        (ROOT / "viewer" / name).read_text(encoding="utf-8") for name in ("index.html", "app.css", "i18n/en.json")
    )
    return look_of(page, styles, json.loads(texts))


def look_metadata() -> Image.Exif:
    """Return the metadata of a picture of the current viewer."""
    exif = Image.Exif()
    exif[ExifTags.Base.Software] = f"chronotile viewer, look {current_look()}"
    return exif


def pictured_look(file: Path) -> str:
    """Return the look in the metadata of a picture; empty without one."""
    with Image.open(file) as picture:
        return str(picture.getexif().get(ExifTags.Base.Software, "")).rpartition("look ")[2]
