"""Styles made from styles: other colours, or the same ones over another range."""

import math
from dataclasses import replace

from chronotile.errors import InvalidParameter
from chronotile.model.style import Style


def with_range(style: Style, span: tuple[float, float]) -> Style:
    """Return the style with its stops stretched over other physical values; its labels are chosen anew.

    Raises:
        InvalidParameter: The style has classes, or `span` is not two finite numbers in ascending order.
    """
    if style.is_categorical:
        raise InvalidParameter(f"style {style.id} has classes, which no range can stretch", locator="range")
    low, high = span
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidParameter(f"a range is two numbers, the smaller first, not {low:g},{high:g}", locator="range")
    return replace(style, range=(low, high), ramp=style.stops_over(low, high), labels=())


def with_ramp(style: Style, other: Style) -> Style:
    """Return the style with the colours of another, stretched over its own range.

    Raises:
        InvalidParameter: The other has classes, or the style's range has no length.
    """
    if other.is_categorical:
        raise InvalidParameter(f"style {other.id} has classes and cannot be used as a ramp", locator="ramp")
    if style.range[0] >= style.range[1]:
        raise InvalidParameter(f"style {style.id} has no range that a ramp could fill", locator="ramp")
    return replace(
        style,
        title=other.title,
        ramp=other.stops_over(*style.range),
        classes=(),
        below=other.below,
        above=other.above,
    )
