import numpy as np
import pytest

from benchmarks.pictures import BlankPicture, likeness, require_drawn


def grey(values, alpha=255):
    """Return a picture (y, x, 4) whose places on the ramp are the values."""
    alphas = np.broadcast_to(np.asarray(alpha), values.shape)
    return np.dstack([values, values, values, alphas]).astype(np.uint8)


@pytest.fixture
def values():
    return np.random.default_rng(1).integers(0, 255, (64, 64))


def test_same_order_of_colours_is_the_same_picture(values):
    alike = likeness(grey(values), grey(values // 2 + 20))

    assert alike.correlation > 0.99
    assert alike.valid_agreement == 1


def test_another_picture_has_no_correlation(values):
    alike = likeness(grey(values), grey(values.T))

    assert abs(alike.correlation) < 0.1


def test_share_of_pixels_in_only_one_picture_is_reported(values):
    half = np.where(np.arange(64) < 32, 255, 0)

    assert likeness(grey(values), grey(values, half)).valid_agreement == 0.5


def test_picture_of_another_size_is_another(values):
    assert likeness(grey(values), grey(values[:32])).correlation == 0


@pytest.mark.parametrize(
    "picture",
    [pytest.param(np.zeros((8, 8, 4), np.uint8), id="transparent"), pytest.param(grey(np.full((8, 8), 7)), id="flat")],
)
def test_blank_picture_is_refused(picture):
    with pytest.raises(BlankPicture):
        require_drawn(picture, "a server")
