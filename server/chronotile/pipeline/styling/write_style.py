"""Styles in the form that `styling.load` reads (docs/reference/configuration.md): as members of JSON, and as YAML."""

import json
import math
from typing import Any

import numpy as np

from chronotile.core.model.collection import Composite
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.style import TRANSPARENT, Colour, Stop, Style
from chronotile.core.model.types import Json
from chronotile.pipeline.styling.colours import colours_of_values


def style_members(style: Style) -> dict[str, Any]:
    """Return the keys and values of a style file; colours and the values of stops are text."""
    flags = {"flags": {name: _text(colour) for name, colour in style.flags}} if style.flags else {}
    common = {"nodata": _text(style.nodata), **flags}
    if style.is_categorical:
        classes = [
            {"value": entry.value, "colour": _text(entry.colour), "label": entry.label} for entry in style.classes
        ]
        return {"title": style.title, "classes": classes, **common}
    return {
        "title": style.title,
        "range": list(style.range),
        "ramp": {repr(stop.value): _text(stop.colour) for stop in _apart(style.ramp)},
        "below": _text(style.below),
        "above": _text(style.above),
        **common,
        **({"labels": list(style.labels)} if style.labels else {}),
    }


def style_yaml(style: Style) -> str:
    """Return a style file with one key per line; values are JSON, which is valid YAML."""
    lines = []
    for key, value in style_members(style).items():
        if isinstance(value, dict):
            lines += [f"{key}:", *(f"  {_to_json(name)}: {_to_json(member)}" for name, member in value.items())]
        elif key == "classes":
            lines += [f"{key}:", *(f"  - {_to_json(entry)}" for entry in value)]
        else:
            lines.append(f"{key}: {_to_json(value)}")
    return "\n".join(lines) + "\n"


def _to_json(value: object) -> str:
    # JSON whose unprintable characters are escaped as YAML requires.
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in text)


def _apart(ramp: tuple[Stop, ...]) -> list[Stop]:
    """Return stops with distinct values: of two equal values, the first becomes the next smaller float.

    The colour of the value itself is that of the second stop in both cases.
    """
    following = [stop.value for stop in ramp[1:]] + [math.inf]
    return [
        stop if stop.value != after else stop._replace(value=math.nextafter(stop.value, -math.inf))
        for stop, after in zip(ramp, following, strict=True)
    ]


def _text(colour: Colour) -> str:
    return "transparent" if colour == TRANSPARENT else colour.hex


# Styles as `renders` of STAC's render extension 2.0, for other programs.
#
# `rescale` contains digital numbers, as in the examples of the extension: TiTiler and STAC Browser apply scale and
# offset only if a request has `unscale`, which the extension does not have as a field.

EXTENSION = "https://stac-extensions.github.io/render/v2.0.0/schema.json"
TABLE = 256
"""Number of colours of a ramp; TiTiler would not interpolate between the entries of a shorter table."""
MAX_CLASSES = 256


def render_of_style(style: Style, encoding: Encoding) -> Json:
    """Return `rescale` and `colormap` of a ramp, or `colormap` of classes by digital number.

    Args:
        style: A style of a variable.
        encoding: The encoding of the variable.
    """
    if style.is_categorical:
        numbers = {_numbers((entry.value, entry.value), encoding)[0]: entry.colour for entry in style.classes}
        table = {str(int(number)): colour.hex for number, colour in numbers.items() if number == int(number)}
        return {"colormap": dict(list(table.items())[:MAX_CLASSES])} if table else {}
    low, high = style.range
    colours = colours_of_values(style, np.linspace(low, high, TABLE)).tolist()
    if encoding.scale < 0:
        colours.reverse()
    return {
        "rescale": [_numbers(style.range, encoding)],
        "colormap": {str(number): Colour(*colour).hex for number, colour in enumerate(colours)},
    }


def render_of_composite(composite: Composite) -> Json:
    """Return `rescale` for each of three variables, and their gamma as `color_formula`."""
    gamma: Json = {} if composite.gamma == 1.0 else {"color_formula": f"gamma RGB {composite.gamma:g}"}
    return {"rescale": [_numbers(composite.range, variable.encoding) for variable in composite.variables], **gamma}


def _numbers(span: tuple[float, float], encoding: Encoding) -> list[float]:
    # Physical values as digital numbers, the smaller first.
    return sorted(round((value - encoding.offset) / encoding.scale, 9) for value in span)
