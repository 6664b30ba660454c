"""Stretched ranges: styles whose range, the ends of the legend, is taken from the values of the picture itself."""

import numpy as np

from chronotile.core.model.raster import Raster
from chronotile.core.model.request import MapRequest
from chronotile.core.model.style import Style
from chronotile.pipeline.maps.rasters import MapValues, read_layer_values
from chronotile.pipeline.maps.resolve import MapTarget
from chronotile.pipeline.styling.restyle import apply_colouring, stretch_ramp


def resolve_picture_style(request: MapRequest, target: MapTarget) -> Style:
    """Return the style with which the picture of a resolved request is painted; reads its pixels.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        InvalidParameter: The style cannot be stretched.
    """
    values = read_layer_values(request.grid, target)
    return target.style if values is None else stretch_style(request, target, values)


def stretch_style(request: MapRequest, target: MapTarget, values: MapValues) -> Style:
    """Return the style, with the range of `values` if the request is for a stretched picture."""
    if not request.colouring.is_stretched:
        return target.style
    return apply_colouring(_stretch_range(target.style, values, is_symmetric=_is_symmetric(request)), request.colouring)


def _stretch_range(style: Style, values: MapValues, *, is_symmetric: bool) -> Style:
    """The style with the range of the values; unchanged if it has classes or the values are all equal."""
    ends = [end for rows in values.strips for end in _value_range(values.read_rows(rows))]
    if not ends or style.is_categorical:
        return style
    low, high = min(ends), max(ends)
    if is_symmetric:
        high = max(-low, high)
        low = -high
    return stretch_ramp(style, (low, high)) if low < high else style


def _is_symmetric(request: MapRequest) -> bool:
    # Changes: zero is in the middle of the legend.
    return request.is_difference or (request.anomaly is not None and request.anomaly.kind != "percentile")


def _value_range(raster: Raster) -> tuple[float, ...]:
    """The smallest and the largest value; empty if there is none."""
    values = raster.values()
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else ()
