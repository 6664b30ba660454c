"""Overlays of pictures."""

import numpy as np

from chronotile.core.model.picture import IndexPicture, RgbaPicture
from chronotile.core.model.request import Backdrop
from chronotile.core.model.style import TRANSPARENT, Colour
from chronotile.pipeline.styling.overlay import lay_on_backdrop, overlay


def picture(*pixels):
    return RgbaPicture(np.array([pixels], dtype=np.uint8))


def over(*pictures):
    return overlay(pictures).pixels[0].tolist()


def test_opaque_pixels_hide_lower_layers():
    assert over(picture((9, 9, 9, 255)), picture((1, 2, 3, 255))) == [[1, 2, 3, 255]]


def test_transparent_pixels_show_lower_layers():
    assert over(picture((9, 8, 7, 100)), picture((1, 2, 3, 0))) == [[9, 8, 7, 100]]


def test_half_of_a_colour_over_an_opaque_one_is_their_mean():
    assert over(picture((0, 0, 200, 255)), picture((200, 0, 0, 128))) == [[100, 0, 100, 255]]


def test_translucent_over_translucent_is_porter_and_duff():
    """alpha = 0.5 + 0.5 * 0.5; colour = (0.5 * 200 + 0.25 * 100) / 0.75, worked by hand with 128/255."""
    assert over(picture((100, 100, 100, 128)), picture((200, 200, 200, 128))) == [[167, 167, 167, 192]]


def test_the_first_lies_at_the_bottom_of_many():
    low, middle, top = picture((1, 1, 1, 255)), picture((2, 2, 2, 255)), picture((3, 3, 3, 0))

    assert over(low, middle, top) == [[2, 2, 2, 255]]


def test_lower_pictures_are_not_changed():
    low = picture((1, 1, 1, 255))

    over(low, picture((2, 2, 2, 255)))

    assert low.pixels.tolist() == [[[1, 1, 1, 255]]]


def test_an_index_picture_is_laid_over_by_its_palette():
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[7] = (5, 6, 7, 255)

    assert over(picture((1, 1, 1, 255)), IndexPicture(np.array([[7]], dtype=np.uint8), palette)) == [[5, 6, 7, 255]]


def on(backdrop, *pixels, void=None):
    return lay_on_backdrop(picture(*pixels), backdrop, void).pixels[0].tolist()


def test_empty_pixels_have_the_colour_of_the_backdrop():
    seen = Backdrop(colour=Colour(1, 2, 3), void=Colour(1, 2, 3))
    unseen = Backdrop(colour=Colour(1, 2, 3, 0), void=Colour(1, 2, 3, 0))

    assert on(seen, (9, 9, 9, 0), (7, 7, 7, 255)) == [[1, 2, 3, 255], [7, 7, 7, 255]]
    assert on(unseen, (9, 9, 9, 0), (7, 7, 7, 100)) == [[1, 2, 3, 0], [7, 7, 7, 100]]


def test_half_of_a_colour_over_a_backdrop_is_their_mean():
    assert on(Backdrop(colour=Colour(0, 0, 200), void=TRANSPARENT), (200, 0, 0, 128)) == [[100, 0, 100, 255]]


def test_void_has_a_separate_colour():
    backdrop = Backdrop(colour=Colour(1, 1, 1), void=Colour(2, 2, 2, 0))

    assert on(backdrop, (0, 0, 0, 0), (0, 0, 0, 0), void=np.array([[True, False]])) == [[2, 2, 2, 0], [1, 1, 1, 255]]
