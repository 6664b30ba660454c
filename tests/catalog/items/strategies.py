"""Items of any size and place, half swaths among them, and boxes for searches."""

import numpy as np
from hypothesis import strategies as st

from chronotile.core.model.space.boxes import WORLD, BBox
from tests.catalog.items.conftest import instant, make_item, rectangle

quarters = st.integers(-720, 719).map(lambda number: number / 4)
latitudes = st.integers(-360, 359).map(lambda number: number / 4)
sizes = st.sampled_from([0.25, 0.5, 1.0, 1.75, 5.0, 40.0, 150.0])


@st.composite
def boxes(draw, *, are_points=False):
    """Boxes within ±180 and ±90 degrees; some cross the antimeridian, some have no extent."""
    west, south = draw(quarters), draw(latitudes)
    width, height = (0, 0) if are_points and draw(st.booleans()) else (draw(sizes), draw(sizes))
    east = west + width
    return BBox(west, south, east if east <= 180 else east - 360, min(90.0, south + height))


@st.composite
def items(draw):
    box = draw(st.sampled_from([BBox(4.0, 50.0, 5.0, 51.0), BBox(4.75, 50.5, 5.75, 51.5), WORLD]) | boxes())
    width = box.xmax - box.xmin if box.xmin <= box.xmax else box.xmax - box.xmin + 360
    is_half = draw(st.booleans())
    swath = (
        (box.xmin, box.ymin),
        (box.xmin + width / 2, box.ymin),
        (box.xmin + width / 4, box.ymax),
        (box.xmin, box.ymax),
        (box.xmin, box.ymin),
    )
    whole = rectangle((box.xmin, box.ymin, box.xmin + width, box.ymax))
    hours = draw(st.integers(0, 60))
    properties = draw(st.sampled_from([{}, {"cloud": 3}, {"cloud": 3.5}, {"cloud": 70}, {"cloud": None}]))
    return make_item(
        draw(st.sampled_from("abcdefghijklmnop")),
        box,
        instant("2024-05-01") + np.timedelta64(hours, "h"),
        footprint=(swath if is_half else whole,),
        properties=properties,
    )
