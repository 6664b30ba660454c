"""What the colours of a layer's style mean, as picture or document."""

from collections.abc import Collection
from typing import Literal

from chronotile.catalog.resolve import resolve_style
from chronotile.model.payload import Payload
from chronotile.model.request import LegendRequest
from chronotile.pipeline.render_map import restyled
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.styling.legend import LEGEND_TYPES, draw_legend_as

LegendFormat = Literal["png", "svg", "json"]


def draw_legend(
    request: LegendRequest, extension: LegendFormat, services: Services, *, known: Collection[str] = ()
) -> Payload:
    """Return the legend of a style.

    Raises:
        ChronotileError: A name or parameter is not accepted.
    """
    layer = services.catalogue.layer(request.layer)
    style = restyled(resolve_style(layer, request.style), request.ramp, request.range, services)
    etag = fingerprint("legend", layer.id, layer.title, layer.main_variable.encoding.units, style, extension)
    if etag in known:
        return Payload(body=b"", media_type=LEGEND_TYPES[extension], etag=etag, unchanged=True)
    body = draw_legend_as(extension, layer, style)
    return Payload(body=body, media_type=LEGEND_TYPES[extension], etag=etag)
