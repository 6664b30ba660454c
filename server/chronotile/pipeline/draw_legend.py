"""What the colours of a layer's style mean, as picture or document."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal

import orjson

from chronotile.encoders.picture import encode_picture
from chronotile.model.collection import Layer
from chronotile.model.payload import Payload
from chronotile.model.request import LegendRequest
from chronotile.model.style import Colour, Style, StyleClass
from chronotile.pipeline.render_map import requested_style
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.styling.legend import legend_document
from chronotile.styling.legend_picture import UPRIGHT, LegendShape, legend_picture, legend_size, legend_svg

LegendFormat = Literal["png", "svg", "json"]
LEGEND_TYPES: Mapping[LegendFormat, str] = {"png": "image/png", "svg": "image/svg+xml", "json": "application/json"}

PRIMARIES = (Colour(255, 0, 0), Colour(0, 160, 0), Colour(0, 0, 255))


def draw_legend(
    request: LegendRequest,
    extension: LegendFormat,
    services: Services,
    *,
    shape: LegendShape = UPRIGHT,
    known: Collection[str] = (),
) -> Payload:
    """Return the legend of a style, of a shape unless it is a document for programs.

    Raises:
        ChronotileError: A name or parameter is not accepted.
    """
    layer = services.catalogue.layer(request.layer)
    style = told_style(layer, requested_style(request, layer, services))
    etag = fingerprint("legend", layer.id, layer.title, layer.main_variable.encoding.units, style, extension, shape)
    if etag in known:
        return Payload(body=b"", media_type=LEGEND_TYPES[extension], etag=etag, unchanged=True)
    body = _draw(extension, layer, style, shape)
    return Payload(body=body, media_type=LEGEND_TYPES[extension], etag=etag)


def legend_pixels(layer: Layer, style: Style) -> tuple[int, int]:
    """Return width and height of the PNG that `draw_legend` gives, for documents that name them."""
    return legend_size(told_style(layer, style), title=layer_title(layer), units=layer.main_variable.encoding.units)


def told_style(layer: Layer, style: Style) -> Style:
    """Return what there is to tell of a style on a layer: its flags; of a composite, which variable is which colour."""
    if layer.is_composite:
        names = [variable.title or variable.name for variable in layer.variables]
        return Style(
            id=style.id,
            title=style.title,
            range=(1, 3),
            classes=tuple(StyleClass(*each) for each in zip((1.0, 2.0, 3.0), PRIMARIES, names, strict=True)),
        )
    known = {name for _, name in layer.main_variable.encoding.flags}
    return replace(style, flags=tuple(flag for flag in style.flags if flag[0] in known))


def _draw(extension: LegendFormat, layer: Layer, style: Style, shape: LegendShape) -> bytes:
    title, units = layer_title(layer), layer.main_variable.encoding.units
    if extension == "json":
        return orjson.dumps(legend_document(style, layer=layer.id, title=title, units=units))
    if extension == "svg":
        return legend_svg(style, title=title, units=units, shape=shape)
    return encode_picture(legend_picture(style, title=title, units=units, shape=shape), "image/png")


def layer_title(layer: Layer) -> str:
    """Return the title that stands on a legend."""
    return layer.title.get("") or next(iter(layer.title.values()), layer.id)
