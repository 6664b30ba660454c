"""Classes of STAC's classification extension: their colours, and which of them leave a value standing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chronotile.model.style import Colour, StyleClass
from chronotile.readers.stac.fields import Document, number_of, objects_of, text_of

MAX_CLASSES = 256
MAX_KEPT = 4096
"""Numbers of a mask."""
_MAX_BITS = 16
_HINT = re.compile(r"#?([0-9A-Fa-f]{6})")
_WORD = re.compile(r"[a-z]+")
_NOT_CLEAR = frozenset(
    ("cloud", "clouds", "cirrus", "shadow", "shadows", "snow", "ice", "fill", "nodata", "saturated", "defective")
)
_UNCLEAR = frozenset(("dark", "unclassified", "unknown", "invalid", "missing"))
_NEGATIONS = frozenset(("not", "no", "non", "without", "clear"))
_PALETTE = (
    "4e79a7", "f28e2b", "59a14f", "e15759", "76b7b2", "edc948", "b07aa1", "9c755f", "bab0ac", "86bcb6", "d37295",
    "8cd17d",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """What the numbers of a band mean."""

    classes: tuple[StyleClass, ...] = ()
    """Without those that are no values."""
    is_coloured: bool = False
    """Whether the document gives the colours of all classes."""
    nodata: tuple[int, ...] = ()
    """Numbers that are no values."""
    clear: tuple[int, ...] = ()
    """Numbers of places without cloud, shadow or snow; empty if no class is about clouds."""


def classification_of(band: Document) -> Classification:
    """Return what `classification:classes`, or else `classification:bitfields`, say of a band or asset."""
    written = [(number, each) for each in objects_of(band.get("classification:classes")) for number in _number(each)]
    if not written:
        return Classification(clear=_clear_of_bits(band))
    written = list({number: (number, each) for number, each in written}.values())[:MAX_CLASSES]
    nodata = tuple(number for number, each in written if each.get("nodata") is True)
    kept = [(number, each) for number, each in written if number not in nodata]
    speaks_of_clouds = any("cloud" in word for _number, each in kept for word in _words(each))
    return Classification(
        classes=tuple(_class(number, each, index) for index, (number, each) in enumerate(kept)),
        is_coloured=bool(kept) and all(_hint(each) is not None for _number, each in kept),
        nodata=nodata,
        clear=tuple(number for number, each in kept if _is_clear(each)) if speaks_of_clouds else (),
    )


def _number(each: Document) -> Iterator[int]:
    number = number_of(each.get("value"))
    if number is not None and number == int(number):
        yield int(number)


def _class(number: int, each: Document, index: int) -> StyleClass:
    title = text_of(each.get("title"), most=100) or text_of(each.get("name"), most=100)
    label = title or text_of(each.get("description"), most=100) or str(number)
    return StyleClass(float(number), _hint(each) or _colour(_PALETTE[index % len(_PALETTE)]), label.replace("_", " "))


def _hint(each: Document) -> Colour | None:
    found = _HINT.fullmatch(text_of(each.get("color_hint")) or text_of(each.get("color-hint")) or "")
    return None if found is None else _colour(found[1])


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return Colour(red, green, blue)


def _words(each: Document) -> list[str]:
    name = text_of(each.get("name")) or text_of(each.get("title")) or text_of(each.get("description")) or ""
    return _WORD.findall(name.lower().replace("no data", "nodata").replace("no_data", "nodata"))


def _is_clear(each: Document) -> bool:
    words = _words(each)
    return _is_without(words) and not _UNCLEAR.intersection(words)


def _is_without(words: list[str]) -> bool:
    """Whether a name speaks of no cloud: it names none, or says that there is none."""
    return not _NOT_CLEAR.intersection(words) or bool(_NEGATIONS.intersection(words))


def _clear_of_bits(band: Document) -> tuple[int, ...]:
    """Return the numbers in which no field of bits has a class of clouds; none if there are too many."""
    refused = list[tuple[int, int, int]]()
    bits = 8
    for field in objects_of(band.get("classification:bitfields")):
        offset, length = number_of(field.get("offset")), number_of(field.get("length"))
        if offset is None or length is None or min(offset, length - 1) < 0 or offset + length > _MAX_BITS:
            return ()
        bits = max(bits, int(offset + length))
        for each in objects_of(field.get("classes")):
            if not _is_without(_words(each)):
                refused += [(int(offset), (1 << int(length)) - 1, number) for number in _number(each)]
    if not refused:
        return ()
    bits = _MAX_BITS if bits > 8 else 8
    numbers = np.arange(1 << bits)
    is_clear = np.ones(numbers.shape, dtype=bool)
    for offset, mask, value in refused:
        is_clear &= (numbers >> offset) & mask != value
    return tuple(np.flatnonzero(is_clear).tolist()) if is_clear.sum() <= MAX_KEPT else ()
