"""Styles as SLD, for GetStyles and other protocols."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from chronotile.core.model.collection import Layer
from chronotile.core.model.style import Colour, Style
from chronotile.pipeline.styling.colour_map import ColourMap, ColourSteps, as_steps, colour_map_of
from chronotile.protocols.common.xml import render_xml

SldVersion = Literal["1.0.0", "1.1.0"]
MEDIA_TYPE = "application/vnd.ogc.sld+xml"
TEMPLATES: Mapping[SldVersion, str] = {
    "1.0.0": "common/templates/sld_1_0_0.xml",
    "1.1.0": "common/templates/sld_1_1_0.xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SldStyle:
    """A style for the templates of both versions: channels of a composite, or a colour map."""

    name: str
    title: str
    channels: tuple[tuple[str, str], ...]
    """Pairs of colour and variable of a composite; else empty."""
    colour_map: ColourMap
    steps: ColourSteps | None
    """The colour map as SE categorises, if it has a colour from each threshold to the next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SldLayer:
    """A layer under its requested name."""

    name: str
    styles: tuple[SldStyle, ...]


def sld_document(layers: Sequence[tuple[str, Layer]], version: SldVersion) -> bytes:
    """Return all styles of layers, the default of each first; SLD cannot express flags."""
    sld_layers = [
        SldLayer(name=name, styles=tuple(_sld_style(layer, style) for style in layer.styles)) for name, layer in layers
    ]
    return render_xml(TEMPLATES[version], layers=sld_layers, rgb=_rgb)


def _sld_style(layer: Layer, style: Style) -> SldStyle:
    names = [variable.name for variable in layer.variables] if layer.is_composite else []
    colour_map = colour_map_of(style)
    return SldStyle(
        name=style.id,
        title=style.title,
        channels=tuple(zip(("Red", "Green", "Blue"), names, strict=False)),
        colour_map=colour_map,
        steps=as_steps(colour_map),
    )


def _rgb(colour: Colour) -> str:
    # Without alpha: SLD 1.0.0 has separate opacity.
    return colour._replace(alpha=255).hex
