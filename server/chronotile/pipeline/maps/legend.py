"""Legends: what the colours of a style mean, as a picture or a document."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import orjson

from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import LegendRequest
from chronotile.core.model.style import Colour, Style, StyleClass
from chronotile.pipeline.encoders.picture.picture import encode_picture
from chronotile.pipeline.maps.style_range import map_units, resolve_map_style
from chronotile.pipeline.maps.titles import anomaly_title, layer_title
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.legend import legend_document
from chronotile.pipeline.styling.legend_picture import (
    UPRIGHT,
    LegendShape,
    check_pixels,
    join_pictures,
    join_svg,
    legend_picture,
    legend_size,
    legend_svg,
)

LegendFormat = Literal["png", "svg", "json"]
LEGEND_TYPES: Mapping[LegendFormat, str] = {
    "png": str(MapFormat.PNG),
    "svg": "image/svg+xml",
    "json": "application/json",
}

PRIMARIES = (Colour(255, 0, 0), Colour(0, 160, 0), Colour(0, 0, 255))


def draw_legend(
    request: LegendRequest,
    extension: LegendFormat,
    services: Services,
    *,
    shape: LegendShape = UPRIGHT,
    client_etags: Collection[str] = (),
) -> Payload:
    """Return the legend of a style. The shape applies to pictures only.

    Raises:
        ChronotileError: A name or parameter is not accepted.
    """
    legend, etag = _resolve_legend(request, extension, services, shape)
    is_unchanged = etag in client_etags
    body = b"" if is_unchanged else _draw(extension, legend, shape)
    return Payload(body=body, media_type=LEGEND_TYPES[extension], etag=etag, unchanged=is_unchanged)


def draw_legends(
    requests: Sequence[LegendRequest],
    extension: LegendFormat,
    services: Services,
    *,
    shape: LegendShape = UPRIGHT,
    client_etags: Collection[str] = (),
) -> Payload:
    """Return the legends of several layers in one picture, from top to bottom, or in the list `legends` of a document.

    Raises:
        LimitExceeded: The picture would be too large.
        ChronotileError: A name or parameter is not accepted.
    """
    part_shape = replace(shape, width=None, height=None)
    legends = [_resolve_legend(request, extension, services, part_shape) for request in requests]
    etag = fingerprint("legends", shape, [etag for _legend, etag in legends])
    if etag in client_etags:
        return Payload(body=b"", media_type=LEGEND_TYPES[extension], etag=etag, unchanged=True)
    if extension == "png":
        sizes = [_size(legend, part_shape) for legend, _etag in legends]
        check_pixels(max(width for width, _height in sizes), sum(height for _width, height in sizes))
    bodies = [_draw(extension, legend, part_shape) for legend, _etag in legends]
    return Payload(body=_join(extension, bodies, shape), media_type=LEGEND_TYPES[extension], etag=etag)


@dataclass(frozen=True, slots=True)
class _Legend:
    layer: Layer
    style: Style
    title: str
    units: str


def _resolve_legend(
    request: LegendRequest, extension: LegendFormat, services: Services, shape: LegendShape
) -> tuple[_Legend, str]:
    layer = services.catalogue.layer(request.layer)
    has_flags = request.reducer in {"latest", "clearest"} and request.anomaly is None
    style = style_details(layer, resolve_map_style(request, layer, services), has_flags=has_flags)
    legend = _Legend(layer, style, anomaly_title(request, layer_title(layer)), map_units(layer, request))
    title = layer.title if request.anomaly is None else legend.title
    return legend, fingerprint("legend", layer.id, title, legend.units, style, extension, shape)


def _join(extension: LegendFormat, bodies: Sequence[bytes], shape: LegendShape) -> bytes:
    if extension == "json":
        return orjson.dumps({"legends": [orjson.Fragment(body) for body in bodies]})
    if extension == "svg":
        return join_svg(bodies, shape)
    return encode_picture(join_pictures(bodies, shape), MapFormat.PNG)


def legend_pixels(layer: Layer, style: Style) -> tuple[int, int]:
    """Return width and height of the PNG of `draw_legend`, for documents that state them."""
    units = layer.main_variable.encoding.units
    return _size(_Legend(layer, style_details(layer, style), layer_title(layer), units), UPRIGHT)


def _size(legend: _Legend, shape: LegendShape) -> tuple[int, int]:
    return legend_size(legend.style, title=legend.title, units=legend.units, shape=shape)


def style_details(layer: Layer, style: Style, *, has_flags: bool = True) -> Style:
    """Return a style with the flags that the layer has, or for a composite with its three variables as classes.

    Args:
        layer: The layer.
        style: Its style.
        has_flags: Whether pictures show flags: those of several times only with the reducers `latest` and `clearest`.
    """
    if layer.is_composite:
        names = [variable.title or variable.name for variable in layer.variables]
        return Style(
            id=style.id,
            title=style.title,
            range=(1, 3),
            classes=tuple(StyleClass(*row) for row in zip((1.0, 2.0, 3.0), PRIMARIES, names, strict=True)),
        )
    flags = {name for _, name in layer.main_variable.encoding.flags if has_flags}
    return replace(style, flags=tuple(flag for flag in style.flags if flag[0] in flags))


def _draw(extension: LegendFormat, legend: _Legend, shape: LegendShape) -> bytes:
    style, title, units = legend.style, legend.title, legend.units
    if extension == "json":
        return orjson.dumps(legend_document(style, layer=legend.layer.id, title=title, units=units))
    if extension == "svg":
        return legend_svg(style, title=title, units=units, shape=shape)
    return encode_picture(legend_picture(style, title=title, units=units, shape=shape), MapFormat.PNG)
