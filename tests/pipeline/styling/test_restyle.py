import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.request import Colouring
from chronotile.core.model.style import Colour, Stop
from chronotile.pipeline.styling.colours import colours_of_values
from chronotile.pipeline.styling.restyle import apply_colouring, difference_style, replace_ramp, stretch_ramp
from tests.pipeline.styling.truth import BROWN, GREEN, NODATA, RAMP, SAND, classes_of

FIRE = replace(
    RAMP,
    id="fire",
    title="Fire",
    range=(10.0, 20.0),
    ramp=(Stop(10.0, Colour(0, 0, 0)), Stop(12.5, Colour(255, 0, 0)), Stop(20.0, Colour(255, 255, 255))),
    below=Colour(9, 9, 9),
    above=Colour(8, 8, 8),
    nodata=Colour(0, 0, 0),
)


def test_a_range_stretches_stops_in_proportion():
    style = stretch_ramp(RAMP, (0.0, 2.0))

    assert style.range == (0.0, 2.0)
    assert [stop.colour for stop in style.ramp] == [BROWN, SAND, GREEN]
    assert [stop.value for stop in style.ramp] == pytest.approx([0.0, 0.76, 2.0])


def test_a_range_drops_labels_that_would_no_longer_be_round():
    assert stretch_ramp(replace(RAMP, labels=(0.0, 0.5)), (3.0, 4.0)).labels == ()


finite = st.floats(-1e6, 1e6)


@given(finite, finite, st.floats(0, 1))
def test_a_share_of_the_range_keeps_its_colour(low, high, share):
    assume(high - low > 1e-3)
    style = stretch_ramp(RAMP, (low, high))

    colours = [colours_of_values(each, np.array([np.interp(share, [0, 1], each.range)])) for each in (RAMP, style)]

    assert np.abs(colours[0].astype(int) - colours[1].astype(int)).max() <= 1


@given(finite, finite)
def test_the_ends_of_a_stretched_ramp_are_the_ends_of_the_range(low, high):
    assume(low < high)

    ramp = stretch_ramp(RAMP, (low, high)).ramp

    assert (ramp[0].value, ramp[-1].value) == (low, high)


@pytest.mark.parametrize("span", [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf), (-math.inf, 0.0)])
def test_invalid_range_is_refused(span):
    with pytest.raises(InvalidParameter, match="a range is two numbers") as caught:
        stretch_ramp(RAMP, span)

    assert caught.value.locator == "range"


def test_classes_take_no_range():
    with pytest.raises(InvalidParameter, match="has classes"):
        stretch_ramp(classes_of(3), (0.0, 1.0))


def test_another_ramp_brings_its_colours_and_the_style_keeps_the_rest():
    style = replace_ramp(RAMP, FIRE)

    assert [stop.value for stop in style.ramp] == pytest.approx([-0.08, 0.17, 0.92])
    assert [stop.colour for stop in style.ramp] == [stop.colour for stop in FIRE.ramp]
    assert (style.below, style.above) == (FIRE.below, FIRE.above)
    assert (style.id, style.range, style.nodata, style.flags) == (RAMP.id, RAMP.range, NODATA, RAMP.flags)


def test_a_ramp_may_take_the_place_of_classes():
    style = replace_ramp(classes_of(11), FIRE)

    assert not style.is_categorical
    assert [stop.value for stop in style.ramp] == pytest.approx([0.0, 2.5, 10.0])


@pytest.mark.parametrize(
    ("style", "other"), [(RAMP, classes_of(3)), (classes_of(1), FIRE)], ids=["to classes", "no range"]
)
def test_a_ramp_that_cannot_be_used_is_refused(style, other):
    with pytest.raises(InvalidParameter) as caught:
        replace_ramp(style, other)

    assert caught.value.locator == "ramp"


GREYS = replace(
    RAMP,
    range=(1.0, 1000.0),
    ramp=(Stop(1.0, Colour(0, 0, 0)), Stop(1000.0, Colour(240, 240, 240))),
    below=Colour(1, 1, 1),
    above=Colour(2, 2, 2),
)


def greys(style, *values):
    return [colour[0] for colour in colours_of_values(style, np.array(values, dtype=np.float64)).tolist()]


def test_a_logarithmic_scale_gives_each_power_of_ten_an_equal_share():
    style = apply_colouring(GREYS, Colouring(is_logarithmic=True))

    assert greys(style, 1, 10, 100, 1000) == pytest.approx([0, 80, 160, 240], abs=1)


def test_bands_are_steps_that_begin_and_end_with_the_colours_of_the_ramp():
    style = apply_colouring(GREYS, Colouring(bands=4))

    assert greys(style, 1, 200, 300, 450, 550, 700, 800, 1000) == [0, 0, 80, 80, 160, 160, 240, 240]


def test_one_band_is_one_colour():
    assert len(set(greys(apply_colouring(GREYS, Colouring(bands=1)), 1, 500, 1000))) == 1


def test_bands_of_a_logarithmic_scale_are_powers():
    style = apply_colouring(GREYS, Colouring(bands=3, is_logarithmic=True))

    assert greys(style, 2, 9, 11, 99, 101, 999) == [0, 0, 120, 120, 240, 240]


@pytest.mark.parametrize("end", [1.0, 1000.0])
def test_the_ends_of_a_stepped_range_are_inside_it(end):
    style = apply_colouring(GREYS, Colouring(bands=7, is_logarithmic=True))

    assert greys(style, end)[0] in {0, 240}


def test_colours_beyond_the_range_are_the_requested_ones():
    style = apply_colouring(GREYS, Colouring(below=Colour(7, 7, 7), above="extend"))

    assert greys(style, 0.5, 2000) == [7, 240]


def test_colours_beyond_the_range_are_unchanged_by_default():
    assert greys(apply_colouring(GREYS, Colouring(bands=2)), 0.5, 2000) == [1, 2]


@pytest.mark.parametrize(
    ("colouring", "locator"),
    [(Colouring(bands=0), "bands"), (Colouring(bands=254), "bands"), (Colouring(is_logarithmic=True), "logarithmic")],
)
def test_a_scale_that_cannot_be_is_refused(colouring, locator):
    with pytest.raises(InvalidParameter) as caught:
        apply_colouring(replace(GREYS, range=(0.0, 1.0)), colouring)

    assert caught.value.locator == locator


def test_classes_have_no_scale():
    with pytest.raises(InvalidParameter):
        apply_colouring(classes_of(3), Colouring(bands=2))


def test_a_difference_reaches_half_the_range_to_either_side():
    style = difference_style(RAMP, FIRE)

    half = (RAMP.range[1] - RAMP.range[0]) / 2
    assert style.range == (-half, half)
    assert (style.id, style.nodata, style.below) == (RAMP.id, NODATA, FIRE.below)


def test_classes_have_no_difference():
    with pytest.raises(InvalidParameter) as caught:
        difference_style(classes_of(3), FIRE)

    assert caught.value.locator == "difference"


def test_a_reversed_ramp_has_its_colours_at_the_mirrored_places():
    style = apply_colouring(FIRE, Colouring(is_reversed=True))

    assert [stop.value for stop in style.ramp] == pytest.approx([10.0, 17.5, 20.0])
    assert [stop.colour for stop in style.ramp] == [stop.colour for stop in reversed(FIRE.ramp)]
    assert (style.ramp[0].value, style.ramp[-1].value) == FIRE.range


def test_colours_beyond_a_reversed_range_follow_their_ends():
    style = replace(FIRE, below=Colour(0, 0, 0), above=Colour(8, 8, 8))

    reversed_ = apply_colouring(style, Colouring(is_reversed=True))

    assert (reversed_.below, reversed_.above) == (Colour(255, 255, 255), Colour(8, 8, 8))


def test_a_reversed_logarithmic_scale_has_the_powers_of_a_plain_one():
    style = apply_colouring(GREYS, Colouring(is_reversed=True, is_logarithmic=True))

    assert greys(style, 1, 10, 100, 1000) == pytest.approx([240, 160, 80, 0], abs=1)


def test_bands_of_a_reversed_ramp_mirror_those_of_the_plain_one():
    style = apply_colouring(GREYS, Colouring(is_reversed=True, bands=4, below="extend", above="extend"))

    assert greys(style, 0, 1, 200, 300, 450, 550, 700, 800, 1001) == [240, 240, 240, 160, 160, 80, 80, 0, 0]
