"""The `renders` of STAC collections and items: pictures that their publisher proposes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.expression import parse_expression
from chronotile.core.model.style import Colour, Stop, StyleClass
from chronotile.core.model.types import JsonMapping
from chronotile.readers.stac.fields import list_of, number_of, numbers_of, object_of, text_of, texts_of

MAX_RENDERS = 50
_GAMMA = re.compile(r"gamma\s+rgb\s+([0-9]+(?:\.[0-9]+)?)", re.IGNORECASE)
_FIRST_BAND = re.compile(r"\b([A-Za-z]\w*)_b1\b", re.ASCII)
_HEX = re.compile(r"#([0-9A-Fa-f]{6})([0-9A-Fa-f]{2})?")
_TABLE = 256
"""Entries of a table of colours that is stretched over `rescale`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Render:
    """A picture that a document proposes."""

    name: str
    title: str | None
    assets: tuple[str, ...]
    rescale: tuple[tuple[float, float], ...] = ()
    """Least and greatest digital numbers, for each band or for all."""
    colormap_name: str | None = None
    stops: tuple[Stop, ...] = ()
    """Stops of a colour table from 0 to 1, which `rescale`, if present, maps to values."""
    classes: tuple[StyleClass, ...] = ()
    expression: str | None = None
    """Formula over keys of assets, for `parse_expression`."""
    gamma: float = 1.0


def renders_of(*documents: JsonMapping) -> tuple[Render, ...]:
    """Return the renders of a collection, and of the properties of items; of one name the first counts."""
    found: dict[str, Render] = {}
    for document in documents:
        for name, written in object_of(document.get("renders")).items():
            if len(found) < MAX_RENDERS and name not in found:
                found[name] = _render(name, object_of(written))
    return tuple(found.values())


def _render(name: str, written: JsonMapping) -> Render:
    rescale = tuple(_ranges(written.get("rescale")))
    stops, classes = _colours(written.get("colormap"), is_scaled=bool(rescale))
    gamma = _GAMMA.search(text_of(written.get("color_formula")) or "")
    name_of_ramp = text_of(written.get("colormap_name"), most=100)
    return Render(
        name=name[:100],
        title=text_of(written.get("title"), most=200),
        assets=texts_of(written.get("assets")),
        rescale=rescale,
        colormap_name=None if name_of_ramp is None else name_of_ramp.lower(),
        stops=stops,
        classes=classes,
        expression=expression_of(written.get("expression")),
        gamma=1.0 if gamma is None else min(10.0, max(0.1, float(gamma[1]))),
    )


def expression_of(value: object) -> str | None:
    """Return a formula in our spelling: `nir_b1` is `nir`, whose asset has one band."""
    text = text_of(value, most=1000)
    if text is None or ";" in text:
        return None
    plain = _FIRST_BAND.sub(r"\1", text)
    try:
        parse_expression(plain)
    except InvalidParameter:
        return None
    return plain


def _ranges(value: object) -> Iterator[tuple[float, float]]:
    """Yield ranges; the outer list is often omitted for a single band."""
    members = list_of(value)
    for each in [members] if numbers_of(members, 2) else members:
        bounds = numbers_of(each, 2)
        if bounds is not None and bounds[0] < bounds[1]:
            yield bounds[0], bounds[1]


def _colours(value: object, *, is_scaled: bool) -> tuple[tuple[Stop, ...], tuple[StyleClass, ...]]:
    """Return a colour table as a ramp if it has scaled numbers or intervals, otherwise as classes."""
    if isinstance(value, Mapping):
        entries = sorted(_entries(value))
        if is_scaled or len(entries) >= _TABLE:
            last = _TABLE - 1
            return tuple(Stop(number / last, colour) for number, colour in entries if 0 <= number <= last), ()
        return (), tuple(StyleClass(number, colour, f"{number:.12g}") for number, colour in entries)
    return tuple(_intervals(value)), ()


def _entries(table: JsonMapping) -> Iterator[tuple[float, Colour]]:
    for key, written in list(table.items())[:1024]:
        colour = _colour(written)
        try:
            number = number_of(float(key))
        except ValueError:
            continue
        if colour is not None and number is not None:
            yield number, colour


def _intervals(value: object) -> Iterator[Stop]:
    """Yield two stops of one colour for each interval that starts at the end of the previous one."""
    end = float("-inf")
    for each in list_of(value):
        members = list_of(each)
        bounds = numbers_of(members[0], 2) if len(members) == 2 else None
        colour = _colour(members[1]) if len(members) == 2 else None
        if bounds is None or colour is None or not end <= bounds[0] < bounds[1]:
            continue
        gap = (bounds[1] - bounds[0]) * 1e-6
        yield Stop(bounds[0] + (gap if bounds[0] == end else 0.0), colour)
        yield Stop(bounds[1], colour)
        end = bounds[1]


def _colour(written: object) -> Colour | None:
    found = _HEX.fullmatch(written) if isinstance(written, str) else None
    if found is not None:
        red, green, blue = bytes.fromhex(found[1])
        return Colour(red, green, blue, int(found[2] or "ff", 16))
    parts = numbers_of(written, 3, 4)
    if parts is None or not all(0 <= part <= 255 for part in parts):
        return None
    red, green, blue, *alpha = (int(part) for part in parts)
    return Colour(red, green, blue, *alpha[:1])
