"""Sentences as pictures."""

import numpy as np
import pytest

from chronotile.pipeline.styling.message_picture import message_picture


def test_message_is_written_in_the_requested_size():
    picture = message_picture("the layer is not known", width=300, height=40)

    assert picture.index.shape == (40, 300)
    assert 100 < picture.index.sum() < 2000


def test_long_message_is_wrapped():
    picture = message_picture("many words " * 8, width=200, height=100)

    assert picture.index[20:30].any()


def test_nothing_is_drawn_of_no_message():
    assert not message_picture("", width=30, height=20).index.any()


@pytest.mark.parametrize(("width", "height"), [(1, 1), (8, 5), (1, 400)])
def test_pictures_of_any_size_contain_what_fits(width, height):
    assert message_picture("ü漢 ünknown\nlayer", width=width, height=height).index.shape == (height, width)


def test_background_of_a_message_is_transparent():
    assert not np.any(message_picture("words", width=100, height=20).palette[0])
