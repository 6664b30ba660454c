"""The box in degrees of item searches."""

import math
from collections.abc import Sequence

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.space.boxes import BBox
from chronotile.protocols.common.query.parameter import custom
from chronotile.protocols.common.query.values import number


def box_of(numbers: Sequence[object]) -> BBox:
    """Return a box in CRS84 from four numbers, or from six with heights, which are ignored.

    Raises:
        InvalidParameter: A value is not a number or out of range, or south exceeds north.
    """
    edges = [float(number) for number in numbers if is_number(number) and math.isfinite(number)]
    if len(edges) != len(numbers) or len(edges) not in {4, 6}:
        raise InvalidParameter("bbox takes 4 numbers, or 6 with heights: west, south, east, north", locator="bbox")
    half = len(edges) // 2
    box = BBox(edges[0], edges[1], edges[half], edges[half + 1])
    if not (-90 <= box.ymin <= box.ymax <= 90 and -360 <= box.xmin <= 360 and -360 <= box.xmax <= 360):
        wrong = "is not on the earth, or its south is north of its north"
        raise InvalidParameter(f"bbox {wrong}; it is west, south, east, north in degrees", locator="bbox")
    return box


def _parse_box(text: str) -> BBox:
    return box_of([number(part.strip(), locator="bbox") for part in text.split(",")])


BBOX = custom("bbox", "West, south, east, north in degrees, or six numbers with heights, which are ignored", _parse_box)
