"""GetLegendGraphic: what the colours of a layer mean (OGC 02-070 §6.9, OGC 05-078r4 §8)."""

from collections.abc import Collection, Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, UnsupportedFormat
from chronotile.model.payload import Payload
from chronotile.model.request import LegendRequest
from chronotile.pipeline.draw_legend import LegendFormat, draw_legend
from chronotile.pipeline.services import Services
from chronotile.protocols.common.asked_legend import IS_HORIZONTAL, AskedLegend, legend_side
from chronotile.protocols.common.kvp import MAX_SHOWN, Kvp, number
from chronotile.protocols.wms.colouring import colour_range, colouring, style_and_ramp
from chronotile.protocols.wms.own_styles import sheets_of, styled
from chronotile.protocols.wms.params import asked_difference
from chronotile.styling.legend_picture import LegendShape

FORMATS: Mapping[str, LegendFormat] = {"image/png": "png", "image/svg+xml": "svg", "application/json": "json"}


def legend_query(query: Kvp, catalogue: Catalogue) -> AskedLegend:
    """Return what GetLegendGraphic asks for; LAYERS and STYLES are taken for LAYER and STYLE, as clients write them.

    WIDTH and HEIGHT are those of the picture. As in GeoServer, LEGEND_OPTIONS may hold `layout:horizontal`. Colours are
    the same at every SCALE.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    name = query.optional("LAYER") or query.optional("LAYERS") or query.required("LAYER")
    layer = catalogue.layer(name)
    text = query.optional("STYLE") or query.optional("STYLES") or ""
    style, ramp = style_and_ramp(text, [each.id for each in layer.styles])
    (drawn,) = styled([(layer, style)], sheets_of(query))
    number(query.optional("SCALE") or "1", locator="SCALE")
    return AskedLegend(
        request=LegendRequest(
            layer=name,
            style=drawn.style,
            own_style=drawn.own_style,
            is_difference=asked_difference(query, layer) is not None,
            ramp=ramp,
            range=colour_range(query),
            colouring=colouring(query),
        ),
        format=_format(query.optional("FORMAT") or "image/png"),
        shape=LegendShape(
            is_horizontal=_is_horizontal(query.optional("LEGEND_OPTIONS") or ""),
            width=legend_side(query, "WIDTH"),
            height=legend_side(query, "HEIGHT"),
        ),
    )


def answer_legend(asked: AskedLegend, services: Services, *, known: Collection[str]) -> Payload:
    """Return the legend."""
    return draw_legend(asked.request, asked.format, services, shape=asked.shape, known=known)


def _format(text: str) -> LegendFormat:
    if text.lower() not in FORMATS:
        raise UnsupportedFormat(
            f"FORMAT {text[:MAX_SHOWN]!r} is not offered; accepted are {', '.join(FORMATS)}", locator="FORMAT"
        )
    return FORMATS[text.lower()]


def _is_horizontal(options: str) -> bool:
    """Whether `layout:horizontal` is among options, which `;` separates; others are for other servers."""
    pairs = (option.partition(":") for option in options.lower().split(";"))
    layout = next((value.strip() for name, _, value in pairs if name.strip() == "layout"), "vertical")
    if layout not in IS_HORIZONTAL:
        raise InvalidParameter(
            f"layout must be vertical or horizontal, got {layout[:MAX_SHOWN]!r}", locator="LEGEND_OPTIONS"
        )
    return IS_HORIZONTAL[layout]
