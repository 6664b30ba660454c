"""How layers are drawn, as `renders` of STAC's render extension 2.0 states it for other programs.

They colour the numbers of files: `rescale` has digital numbers, as in the examples of the extension, since TiTiler and
STAC Browser apply scale and offset only if a request has `unscale`, which the extension does not have as a field.
"""

from typing import Any

import numpy as np

from chronotile.model.collection import Composite
from chronotile.model.raster import Encoding
from chronotile.model.style import Colour, Style
from chronotile.styling.colours import colours_of_values

EXTENSION = "https://stac-extensions.github.io/render/v2.0.0/schema.json"
TABLE = 256
"""Colours of a ramp: a shorter table gives TiTiler colours for the numbers that it names alone."""
MOST_CLASSES = 256
Json = dict[str, Any]


def render_of_style(style: Style, encoding: Encoding) -> Json:
    """Return `rescale` and `colormap` of a ramp, or `colormap` of classes by their digital numbers.

    Args:
        style: Of a variable.
        encoding: By which its values become digital numbers.
    """
    if style.is_categorical:
        numbers = {_numbers((each.value, each.value), encoding)[0]: each.colour for each in style.classes}
        table = {str(int(number)): colour.hex for number, colour in numbers.items() if number == int(number)}
        return {"colormap": dict(list(table.items())[:MOST_CLASSES])} if table else {}
    low, high = style.range
    colours = colours_of_values(style, np.linspace(low, high, TABLE)).tolist()
    if encoding.scale < 0:
        colours.reverse()
    return {
        "rescale": [_numbers(style.range, encoding)],
        "colormap": {str(number): Colour(*colour).hex for number, colour in enumerate(colours)},
    }


def render_of_composite(composite: Composite) -> Json:
    """Return `rescale` of three variables, and their gamma as `color_formula`."""
    gamma: Json = {} if composite.gamma == 1.0 else {"color_formula": f"gamma RGB {composite.gamma:g}"}
    return {"rescale": [_numbers(composite.range, each.encoding) for each in composite.variables], **gamma}


def _numbers(span: tuple[float, float], encoding: Encoding) -> list[float]:
    """Physical values as digital numbers, the smaller first."""
    return sorted(round((value - encoding.offset) / encoding.scale, 9) for value in span)
