"""Text in the letters of Pillow's built-in font (ASCII and a few signs, no accents)."""

import unicodedata
from functools import lru_cache

from PIL import ImageFont

# ruff: noqa: RUF001 -- the table contains look-alikes on purpose


OWN_SIGNS = frozenset("°±…“”")
"""Signs of the font beyond ASCII."""
SPELLINGS = """\
æ ae  œ oe  ø o  ł l  đ d  ß ss  Æ AE  Œ OE  Ø O  Ł L  Đ D  × x  ÷ /  · .  ⋅ .  ≤ <=  ≥ >=  ≈ ~  → ->
€ EUR  ‘ '  ’ '  – -  — -  ‐ -  − -  μ u  Δ delta  α alpha  β beta  λ lambda  σ sigma
""".split()  # noqa: SIM905 -- sixty quoted strings would hide the pairs
SPELLED = dict(zip(SPELLINGS[::2], SPELLINGS[1::2], strict=True))
UNKNOWN = "?"


def drawable(text: str) -> str:
    """Return a text that the font can draw: `m² m⁻²` becomes `m2 m-2`, `Végétation` becomes `Vegetation`."""
    signs = (text[at] if text[at] in OWN_SIGNS else unicodedata.normalize("NFKD", text[at]) for at in range(len(text)))
    return "".join(_spell(letter) for sign in signs for letter in sign if not unicodedata.combining(letter))


def printable(text: str) -> str:
    """Return a text without control characters, which are not allowed in XML."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


@lru_cache(maxsize=4096)
def text_width(text: str, size: int) -> int:
    """Return the width of a drawn text in pixels, rounded up; cached, as capabilities measure the same labels again."""
    return int(-(-font_of(size).getlength(drawable(text)) // 1))


def wrap_text(text: str, size: int, max_px: int) -> list[str]:
    """Return a text in lines of at most `max_px` pixels at a size; a longer word has a separate line."""
    lines = list[str]()
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= max_px:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


@lru_cache(maxsize=32)
def font_of(size: int) -> ImageFont.FreeTypeFont:
    """Return Pillow's built-in font at a size in pixels; it needs no file."""
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, which draws the text of legends")
    return font


def _spell(letter: str) -> str:
    if letter.isspace() or not letter.isprintable():
        return " "
    return letter if letter.isascii() or letter in OWN_SIGNS else SPELLED.get(letter, UNKNOWN)
