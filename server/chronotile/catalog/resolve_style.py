"""Names of styles in requests, resolved to the styles of a layer."""

from chronotile.core.errors import UnknownStyle
from chronotile.core.model.collection import Layer
from chronotile.core.model.style import Style

DEFAULT_STYLE = "default"


def resolve_style(layer: Layer, name: str) -> Style:
    """Return the style of the layer with that id; an empty name and `default` mean its first style.

    Raises:
        UnknownStyle: The layer has no such style.
    """
    if name in {"", DEFAULT_STYLE}:
        return layer.styles[0]
    for style in layer.styles:
        if style.id == name:
            return style
    accepted = ", ".join(style.id for style in layer.styles)
    raise UnknownStyle(f"style {name[:80]!r} is not one of layer {layer.id}; accepted are {accepted}", locator="style")
