"""Styles as other renderers take them (render extension)."""

from collections.abc import Sequence

from chronotile.model.collection import Composite, Layer
from chronotile.model.style import Style
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.stac.context import Json
from chronotile.protocols.stac.map_links import render_name
from chronotile.styling.renders import render_of_composite, render_of_style


def renders_of(layers: Sequence[Layer], language: str) -> Json:
    """Return the renders of layers, by the names of layer and style; without those of no asset of its own.

    Ranges and classes are of the digital numbers of assets.
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
    content = layer.content
    if isinstance(content, Composite):
        return {**render, **render_of_composite(content)}
    return {**render, **render_of_style(style, content.encoding)}
