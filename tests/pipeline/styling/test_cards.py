"""Texts on frames are in the right place, legible, and leave all other pixels unchanged."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.style import TRANSPARENT
from chronotile.pipeline.styling.cards import Lettering, lay_cards, text_sizes
from tests.pipeline.styling.truth import BROWN, GREEN, RAMP, classes_of

PLAIN = replace(RAMP, below=BROWN, above=GREEN, nodata=TRANSPARENT, flags=())
ATTRIBUTION = "Contains modified Copernicus Sentinel data 2020, processed by others"
FULL = Lettering(
    width=640, height=480, dates=("2020-06-01", "2020-06-11"), attribution=ATTRIBUTION, legend=PLAIN, title="NDVI"
)


def rectangle(card):
    height, width, _bands = card.pixels.shape
    return card.x, card.y, card.x + width, card.y + height


def overlap(first, second):
    (west, north, east, south), (left, top, right, foot) = rectangle(first), rectangle(second)
    return west < right and left < east and north < foot and top < south


def is_inside(card, lettering):
    west, north, east, south = rectangle(card)
    return west >= 0 and north >= 0 and east <= lettering.width and south <= lettering.height


letterings = st.builds(
    Lettering,
    width=st.integers(16, 1200),
    height=st.integers(16, 900),
    dates=st.lists(st.sampled_from(["2020", "2020-06-01", "2020-06-01 to 2020-06-10, max"]), max_size=3).map(tuple),
    attribution=st.sampled_from([None, "", "©", ATTRIBUTION, "Supercalifragilistic" * 9]),
    legend=st.sampled_from([None, PLAIN, RAMP, classes_of(3), classes_of(40)]),
    title=st.sampled_from(["NDVI", "Leaf area index of all vegetation that is green or was so not long ago"]),
    units=st.sampled_from(["1", "m2 m-2"]),
)


@given(letterings)
def test_cards_lie_inside_the_picture_and_do_not_overlap(lettering):
    fixed, dates = lay_cards(lettering)

    assert all(is_inside(card, lettering) for card in (*fixed, *dates))
    assert not any(overlap(*pair) for pair in combinations((*fixed, *dates[:1]), 2))


def test_date_is_in_the_north_west_attribution_in_the_south_east_legend_in_the_south_west():
    (attribution, legend), (date, _other) = lay_cards(replace(FULL, width=1000))

    assert rectangle(date)[:2] == (8, 8)
    assert rectangle(attribution)[2:] == (992, 472)
    assert (rectangle(legend)[0], rectangle(legend)[3]) == (8, 472)


def test_every_frame_has_its_date_and_all_have_one_width():
    _fixed, dates = lay_cards(replace(FULL, dates=("2020-06-01", "2020-06-11", "2020-06 to 2020-07")))

    assert len({card.pixels.shape for card in dates}) == 1
    assert len({card.pixels.tobytes() for card in dates}) == 3


@pytest.mark.parametrize("width", [320, 640, 1024])
def test_letters_are_dark_on_white(width):
    _fixed, dates = lay_cards(replace(FULL, width=width))

    inner = dates[0].pixels[1:-1, 1:-1, 0]
    assert (inner.min(), inner.max(), np.median(inner)) == (32, 255, 255)
    assert len(np.unique(inner)) <= 8


def test_letters_grow_with_the_picture():
    sizes = [text_sizes(width) for width in (320, 640, 1024)]

    assert [size.date for size in sizes] == sorted({size.date for size in sizes})
    assert min(size.attribution for size in sizes) >= 10


def test_legend_without_room_next_to_the_attribution_is_above_it():
    attribution, legend = lay_cards(replace(FULL, width=320))[0]

    assert rectangle(legend)[3] < rectangle(attribution)[1]


def test_legend_omits_missing_values_before_it_is_omitted():
    flagged = replace(FULL, width=320, height=260, legend=RAMP)

    heights = [lay_cards(each)[0][1].pixels.shape[0] for each in (flagged, replace(flagged, height=480))]

    assert heights[0] < heights[1]


def test_cards_without_room_are_omitted():
    assert lay_cards(replace(FULL, width=48, height=32)) == ((), ())


def test_a_long_attribution_is_broken_into_lines():
    (one,), _dates = lay_cards(replace(FULL, legend=None))
    (two,), _dates = lay_cards(replace(FULL, legend=None, width=240))

    assert two.pixels.shape[0] > one.pixels.shape[0]
    assert two.pixels.shape[1] <= 240 - 16
