"""What every service asks of a legend."""

from dataclasses import dataclass

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.request import LegendRequest
from chronotile.pipeline.maps.legend import LegendFormat
from chronotile.protocols.common.query.kvp import Kvp, integer
from chronotile.styling.legend_picture import LegendShape

MAX_SIDE_PX = 4096
IS_HORIZONTAL = {"vertical": False, "horizontal": True}
"""By the word for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLegend:
    """A legend as it is asked for."""

    request: LegendRequest
    format: LegendFormat
    shape: LegendShape


def legend_side(query: Kvp, name: str) -> int | None:
    """Return the width or height of the picture in pixels, if it is asked for.

    Raises:
        InvalidParameter: It is no whole number, or too small or large.
    """
    text = query.optional(name)
    if text is None:
        return None
    side = integer(text, locator=name, least=1)
    if side > MAX_SIDE_PX:
        raise InvalidParameter(f"{name} must be at most {MAX_SIDE_PX}, got {text[:MAX_SHOWN]}", locator=name)
    return side
