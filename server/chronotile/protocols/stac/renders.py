"""Styles as other renderers take them (render extension)."""

from collections.abc import Sequence

from chronotile.model.collection import Composite, Layer
from chronotile.model.style import Style
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.stac.context import Json
from chronotile.protocols.stac.map_links import render_name

EXTENSION = "https://stac-extensions.github.io/render/v2.0.0/schema.json"
LAST_COLOUR = 255
"""Position of the last colour of a ramp."""


def renders_of(layers: Sequence[Layer], language: str) -> Json:
    """Return the renders of layers, by the names of layer and style; without those of no asset of its own.

    Ranges are of physical values, to which numbers are taken by the scale and offset of the assets (`unscale`).
    """
    return {
        render_name(layer, style.id): _render(layer, style, language)
        for layer in layers
        for style in layer.styles
        if _has_assets(layer)
    }


def _has_assets(layer: Layer) -> bool:
    """Whether items have assets of its variables: those of scenes have none of what is computed from them."""
    return not any(variable.is_mosaic and variable.is_derived for variable in layer.variables)


def _render(layer: Layer, style: Style, language: str) -> Json:
    title = text_in(layer.title, language) or layer.id
    render: Json = {
        "title": f"{title}: {style.title}",
        "assets": [variable.name for variable in layer.variables],
        "resampling": layer.resampling,
    }
    if style.is_categorical:
        colours = {f"{each.value:g}": each.colour.hex for each in style.classes}
        return {**render, "colormap": colours, "unscale": True}
    content = layer.content
    if isinstance(content, Composite):
        return {**render, "rescale": [list(content.range)] * 3, "unscale": True}
    low, high = style.range
    return {
        **render,
        "rescale": [[low, high]],
        "colormap": _ramp(style),
        "colormap_type": "linear",
        "unscale": True,
    }


def _ramp(style: Style) -> Json:
    """Colours by their position from 0 to 255, between which they are interpolated."""
    return {f"{round(stop.value)}": stop.colour.hex for stop in style.stops_over(0.0, float(LAST_COLOUR))}
