"""A box in degrees as searches of items take it."""

import math
from collections.abc import Sequence

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.grid import BBox
from chronotile.protocols.common.query.kvp import number
from chronotile.protocols.common.query.parameter import custom


def box_of(numbers: Sequence[object]) -> BBox:
    """Return a box in CRS84 of four numbers, or of six with heights, which are left out.

    Raises:
        InvalidParameter: They are not numbers, or not on the earth, or its south is north of its north.
    """
    found = [float(each) for each in numbers if is_number(each) and math.isfinite(each)]
    if len(found) != len(numbers) or len(found) not in {4, 6}:
        raise InvalidParameter("bbox takes 4 numbers, or 6 with heights: west, south, east, north", locator="bbox")
    half = len(found) // 2
    box = BBox(found[0], found[1], found[half], found[half + 1])
    if not (-90 <= box.ymin <= box.ymax <= 90 and -360 <= box.xmin <= 360 and -360 <= box.xmax <= 360):
        wrong = "is not on the earth, or its south is north of its north"
        raise InvalidParameter(f"bbox {wrong}; it is west, south, east, north in degrees", locator="bbox")
    return box


def _box(given: str) -> BBox:
    return box_of([number(each.strip(), locator="bbox") for each in given.split(",")])


BBOX = custom("bbox", "West, south, east, north in degrees, or six numbers with heights, which do not matter", _box)
