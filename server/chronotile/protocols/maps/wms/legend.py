"""GetLegendGraphic: legends of layers (OGC 02-070 §6.9, OGC 05-078r4 §8)."""

import contextlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnsupportedFormat
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.payload import Payload
from chronotile.core.model.request import LegendRequest
from chronotile.core.model.time.selection import ABSENT
from chronotile.pipeline.maps.legend import LegendFormat, draw_legend, draw_legends
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.legend_picture import SWATCH_PX, TEXT_PX, LegendShape
from chronotile.protocols.common.query import picture, values
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, keyword, number, whole
from chronotile.protocols.maps.wms.colouring import colour_range, colouring, resolve_styles, sheets_of, style_and_ramp
from chronotile.protocols.maps.wms.params import (
    ANOMALY,
    REDUCER,
    REFERENCE,
    TIME,
    names_of,
    parse_frame_time,
    refuse_styled_groups,
    requested_difference,
)

FORMAT: Parameter[LegendFormat] = keyword(
    "FORMAT",
    "The media type of the legend",
    {MapFormat.PNG: "png", "image/svg+xml": "svg", "application/json": "json"},
    default="png",
    error=UnsupportedFormat,
)
SCALE = number("SCALE", "Of the map; colours are the same at every scale", default=1.0)
WIDTH, HEIGHT = (
    whole(name, "Size of the picture, in pixels", least=1, most=picture.MAX_SIDE_PX) for name in ("WIDTH", "HEIGHT")
)
MIN_PICTURE_PX = 64
"""A picture smaller than this in both directions is too small for a readable legend."""
STANDARD_DPI = 25.4 / 0.28
"""Dots per inch of the standard pixel of 0.28 mm."""
DPIS = (30, 600)
FONT_SIZES = (6, 72)
"""Range in pixels at `STANDARD_DPI`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WmsLegend:
    """A parsed GetLegendGraphic."""

    requests: tuple[LegendRequest, ...]
    """Uppermost layer first; several for a group."""
    format: LegendFormat
    shape: LegendShape


def legend_query(query: Kvp, catalogue: Catalogue) -> WmsLegend:
    """Parse GetLegendGraphic; LAYERS and STYLES are accepted as LAYER and STYLE, as some clients send them.

    A group has the legends of its layers. WIDTH and HEIGHT are the size of the picture, or, as in GeoServer, of a
    swatch if they are too small for a legend. LEGEND_OPTIONS may contain GeoServer's `layout:horizontal`, `dpi` and
    `fontSize`. SCALE has no effect: colours are the same at every scale.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    name = query.optional("LAYER") or query.optional("LAYERS") or query.require("LAYER")
    text = query.optional("STYLE") or query.optional("STYLES") or ""
    sheets = sheets_of(query)
    refuse_styled_groups(sheets, catalogue)
    names = names_of(name, text, catalogue)
    layers = [(layer_name, catalogue.layer(layer_name)) for layer_name in names]
    styles_and_ramps = [
        style_and_ramp("" if names != (name,) else text, [style.id for style in layer.styles]) for _, layer in layers
    ]
    styled_layers = resolve_styles(
        [(layer, style) for (_, layer), (style, _) in zip(layers, styles_and_ramps, strict=True)], sheets
    )
    SCALE.value(query)
    anomaly = picture.anomaly_of(query, ANOMALY, REFERENCE)
    requests = tuple(
        LegendRequest(
            layer=layer_name,
            style=styled.style,
            own_style=styled.own_style,
            is_difference=requested_difference(query, layer) is not None,
            reducer=picture.reducer_of(query, anomaly, REDUCER),
            anomaly=anomaly,
            time=ABSENT if anomaly is None else parse_frame_time(TIME.optional(query), layer.times),
            ramp=ramp,
            range=colour_range(query),
            colouring=colouring(query),
        )
        for (layer_name, layer), (_, ramp), styled in zip(layers, styles_and_ramps, styled_layers, strict=True)
    )
    return WmsLegend(requests=requests[::-1], format=FORMAT.value(query), shape=_shape(query))


def answer_legend(legend: WmsLegend, services: Services, *, client_etags: Collection[str]) -> Payload:
    """Return the drawn legend or its document."""
    if len(legend.requests) == 1:
        return draw_legend(legend.requests[0], legend.format, services, shape=legend.shape, client_etags=client_etags)
    return draw_legends(legend.requests, legend.format, services, shape=legend.shape, client_etags=client_etags)


def _shape(query: Kvp) -> LegendShape:
    """Return the shape that WIDTH, HEIGHT and LEGEND_OPTIONS request; options of other servers are ignored."""
    pairs = (option.partition(":") for option in (query.optional("LEGEND_OPTIONS") or "").lower().split(";"))
    options = {name.strip(): value.strip() for name, _colon, value in pairs}
    width, height = (side.optional(query) for side in (WIDTH, HEIGHT))
    shape = LegendShape(
        is_horizontal=_is_horizontal(options.get("layout", "vertical")),
        text_px=round(_option(options, "fontSize", otherwise=TEXT_PX, within=FONT_SIZES)),
        scale=_option(options, "dpi", otherwise=STANDARD_DPI, within=DPIS) / STANDARD_DPI,
    )
    sides = [side for side in (width, height) if side is not None]
    if not sides or max(sides) >= MIN_PICTURE_PX:
        return replace(shape, width=width, height=height)
    swatch = (width or SWATCH_PX, height or SWATCH_PX)
    return replace(shape, swatch=swatch, bar_px=swatch[1] if shape.is_horizontal else swatch[0])


def _is_horizontal(layout: str) -> bool:
    if layout not in picture.IS_HORIZONTAL:
        raise InvalidParameter(
            f"layout must be vertical or horizontal, got {layout[:MAX_SHOWN]!r}", locator="LEGEND_OPTIONS"
        )
    return picture.IS_HORIZONTAL[layout]


def _option(options: Mapping[str, str], name: str, *, otherwise: float, within: tuple[int, int]) -> float:
    """Return the number of an option, in pixels or dots per inch; `otherwise` if it is missing.

    Raises:
        InvalidParameter: The option is not a number within the range.
    """
    text = options.get(name.lower())
    if text is None:
        return otherwise
    least, most = within
    with contextlib.suppress(InvalidParameter):
        value = values.number(text, locator="LEGEND_OPTIONS")
        if least <= value <= most:
            return value
    raise InvalidParameter(
        f"{name} must be a number from {least} to {most}, got {text[:MAX_SHOWN]!r}", locator="LEGEND_OPTIONS"
    )
