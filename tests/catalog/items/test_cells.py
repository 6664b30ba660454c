"""Cells: an item lies in four at most, and any box that meets it visits one of them."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chronotile.catalog.items.cells import FINEST, cell_boxes, cells_at, cells_meeting, level_of, search_boxes
from chronotile.catalog.items.properties import group_start
from chronotile.core.model.items import IndexSettings
from chronotile.core.model.space.boxes import BBox
from tests.catalog.items.brute_force import solar_day
from tests.catalog.items.strategies import boxes

ALL_LEVELS = (1 << (FINEST + 1)) - 1


@settings(max_examples=50)
@given(boxes(are_points=True))
def test_an_item_lies_in_four_cells_at_most(box):
    assert 1 <= len(cell_boxes(box)) <= 4


@settings(max_examples=50)
@given(boxes(are_points=True), boxes(are_points=True))
def test_boxes_that_meet_have_a_cell_in_common(item, box):
    assume(level_of(box) >= level_of(item) - 8)  # or else it has very many cells
    is_met = any(
        one.xmin <= other.xmax and other.xmin <= one.xmax and one.ymin <= other.ymax and other.ymin <= one.ymax
        for one in search_boxes(item)
        for other in search_boxes(box)
    )

    visited = {cell for part in search_boxes(box) for cell in cells_at(part, level_of(item))}

    assert not is_met or visited & set(cell_boxes(item))


@pytest.mark.parametrize(
    ("box", "level"),
    [
        (BBox(-180, -90, 180, 90), 0),
        (BBox(-180, -90, 0, 90), 1),
        (BBox(4, 50, 5.4, 51), 8),
        (BBox(179, 0, -179, 1), 7),
        (BBox(4, 50, 4, 50), FINEST),
    ],
)
def test_the_level_is_the_finest_whose_cells_are_as_large(box, level):
    assert level_of(box) == level


def test_a_box_of_too_many_cells_has_none():
    assert cells_meeting(BBox(-180, -90, 180, 90), ALL_LEVELS, most=256) is None
    assert cells_meeting(BBox(4, 50, 5, 51), 0, most=256) == []


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (BBox(4, 50, 5, 51), (BBox(4, 50, 5, 51),)),
        (BBox(179, 0, -179, 1), (BBox(179, 0, 180, 1), BBox(-180, 0, -179, 1))),
        (BBox(179, 0, 181, 1), (BBox(179, 0, 180, 1), BBox(-180, 0, -179, 1))),
        (BBox(-190, 0, 190, 95), (BBox(-180, 0, 180, 90),)),
        (BBox(0, 91, 1, 92), ()),
    ],
)
def test_a_box_of_a_request_lies_within_the_earth(box, expected):
    assert search_boxes(box) == expected


@given(st.integers(-(10**18), 10**18), st.floats(-180, 180), st.floats(0, 360))
def test_solar_days_of_integers_equal_those_of_instants(start, west, width):
    box = BBox(west, 0.0, west + width if west + width <= 180 else west + width - 360, 1.0)
    expected = solar_day(np.datetime64(start, "ns"), box)
    assert group_start(start, box, IndexSettings(group="solar_day")) == int(expected.astype(np.int64))
