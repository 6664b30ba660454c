"""Style ranges: the ramp, colours and range, the ends of the legend, that a request selects for a map.

A range that is taken from the values of the picture is found later (`stretched_range`).
"""

from collections.abc import Mapping

from chronotile.catalog.resolve_style import resolve_style
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import AS_STYLED, Colouring, IdentifyRequest, LegendRequest, MapRequest, StyledLayer
from chronotile.core.model.series.analysis import ANOMALY_UNITS, AnomalyKind
from chronotile.core.model.series.directions import require_directional
from chronotile.core.model.style import Style
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.restyle import apply_colouring, difference_style, replace_ramp, stretch_ramp

DIFFERENCE_STYLE = "difference"
"""Id of the style with the colours of differences; a configuration may replace it."""
ANOMALY_RANGES: Mapping[AnomalyKind, tuple[float, float]] = {"z": (-3.0, 3.0), "percentile": (0.0, 100.0)}
"""Ranges of anomalies. Kinds that are not listed, and differences, extend half the range of the style to each side."""
REVERSED = "-inv"
"""Suffix of ncWMS for a reversed ramp."""


def resolve_map_style(request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services) -> Style:
    """Return the style that a request names, with the ramp, range and colouring of the request.

    If the range is taken from the values of the picture, the colouring is not applied yet.

    Raises:
        UnknownStyle: The layer has no such style, or the ramp does not exist.
        InvalidParameter: The style has classes or the layer is a composite, and the request has a parameter that does
            not apply to it.
    """
    if request.own_style is not None and layer.is_composite:
        raise InvalidParameter(f"layer {layer.id} is a composite, which takes no colour map", locator="sld")
    style = request.own_style or resolve_style(layer, request.style)
    if request.colouring != AS_STYLED and layer.is_composite:
        raise InvalidParameter(f"layer {layer.id} is a composite, which has no scale of colours", locator="style")
    if request.is_difference and layer.is_composite:
        raise InvalidParameter(
            f"layer {layer.id} is a composite, which has no values and so no difference", locator="difference"
        )
    if request.anomaly is not None:
        _check_anomaly(request, style, layer)
        style = difference_style(
            style, services.catalogue.ramp(DIFFERENCE_STYLE), ends=ANOMALY_RANGES.get(request.anomaly.kind)
        )
    elif request.is_difference:
        style = difference_style(style, services.catalogue.ramp(DIFFERENCE_STYLE))
    style = _apply_ramp_and_range(style, request, layer, services)
    is_final = request.colouring == AS_STYLED or request.colouring.is_stretched
    return style if is_final else apply_colouring(style, request.colouring)


def map_units(layer: Layer, request: StyledLayer) -> str:
    """Return the units of a map: those of the layer, unless the anomaly has others."""
    units = layer.main_variable.encoding.units
    return units if request.anomaly is None else ANOMALY_UNITS.get(request.anomaly.kind, units)


def _check_anomaly(request: MapRequest | IdentifyRequest | LegendRequest, style: Style, layer: Layer) -> None:
    if request.is_difference:
        raise InvalidParameter("a map shows either a difference or an anomaly", locator="anomaly")
    if layer.is_composite or style.is_categorical:
        subject = f"layer {layer.id} is a composite" if layer.is_composite else f"style {style.id} has classes"
        raise InvalidParameter(f"{subject}, which has no anomaly", locator="anomaly")
    kind = "abs" if request.anomaly is None else request.anomaly.kind
    require_directional(
        kind == "abs", f"anomaly {kind}", layer.id, layer.main_variable.encoding.circle, locator="anomaly"
    )


def _apply_ramp_and_range(
    style: Style, request: MapRequest | IdentifyRequest | LegendRequest, layer: Layer, services: Services
) -> Style:
    if request.ramp is None and request.range is None:
        return style
    if style.is_categorical:
        locator = "range" if request.ramp is None else "ramp"
        raise InvalidParameter(f"style {style.id} has classes, which take no {locator}", locator=locator)
    if request.ramp is not None:
        if layer.is_composite:
            raise InvalidParameter(f"layer {layer.id} is a composite, which takes a range but no ramp", locator="ramp")
        style = replace_ramp(style, _ramp(request.ramp, services))
    return style if request.range is None else stretch_ramp(style, request.range)


def _ramp(name: str, services: Services) -> Style:
    """The ramp of this name; reversed if the name is that of a ramp with `REVERSED`."""
    catalogue = services.catalogue
    plain = name.removesuffix(REVERSED)
    if name == plain or name in catalogue.styles:
        return catalogue.ramp(name)
    return apply_colouring(catalogue.ramp(plain), Colouring(is_reversed=True))
