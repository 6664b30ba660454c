import io

import numpy as np
import pytest
from PIL import Image

from chronotile.core.errors import UnsupportedFormat
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.picture import IndexPicture, RgbaPicture
from chronotile.pipeline.encoders.picture.picture import check_format, encode_picture

MODES = ["index", "rgba"]
GREEN = (0, 200, 0)


def decode(body):
    with Image.open(io.BytesIO(body)) as image:
        return image.format, np.array(image.convert("RGBA"))


@pytest.fixture
def make_picture():
    """Return `make_picture(mode)`: left half red at 40 %, right half transparent, 32 x 64."""

    def make(mode):
        palette = np.zeros((256, 4), dtype=np.uint8)
        palette[1] = (200, 0, 0, 102)
        index = np.zeros((32, 64), dtype=np.uint8)
        index[:, :32] = 1
        picture = IndexPicture(index, palette)
        return picture if mode == "index" else RgbaPicture(picture.rgba())

    return make


@pytest.mark.parametrize("mode", MODES)
def test_png_keeps_every_colour_and_alpha(make_picture, mode):
    picture = make_picture(mode)

    assert np.array_equal(decode(encode_picture(picture, MapFormat.PNG))[1], picture.rgba())


def test_webp_of_an_index_picture_keeps_every_visible_colour():
    noise = np.random.default_rng(3)
    palette = noise.integers(0, 256, (256, 4), dtype=np.uint8)
    palette[:, 3] = np.where(palette[:, 3] < 60, 0, palette[:, 3])
    picture = IndexPicture(noise.integers(0, 256, (50, 70), dtype=np.uint8), palette)

    kind, decoded = decode(encode_picture(picture, MapFormat.WEBP))

    visible = picture.rgba()[..., 3] > 0
    assert kind == "WEBP"
    assert np.array_equal(decoded[visible], picture.rgba()[visible])
    assert np.array_equal(decoded[..., 3], picture.rgba()[..., 3])


def test_webp_of_a_composite_keeps_alpha_and_nearly_the_colours(make_picture):
    picture = make_picture("rgba")

    _kind, decoded = decode(encode_picture(picture, MapFormat.WEBP))

    assert np.array_equal(decoded[..., 3], picture.pixels[..., 3])
    assert np.abs(decoded[:, :28].astype(int) - picture.pixels[:, :28]).max() <= 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("background", "left", "right"), [(None, (233, 153, 153), (255, 255, 255)), (GREEN, (80, 120, 0), GREEN)]
)
def test_jpeg_lies_on_the_background_or_on_white(make_picture, mode, background, left, right):
    kind, decoded = decode(encode_picture(make_picture(mode), MapFormat.JPEG, background))

    assert kind == "JPEG"
    assert np.abs(decoded[:, :16, :3].astype(int) - left).max() <= 3
    assert np.abs(decoded[:, 48:, :3].astype(int) - right).max() <= 3


@pytest.mark.parametrize("mode", MODES)
def test_png_over_a_background_is_opaque_and_blended(make_picture, mode):
    _kind, decoded = decode(encode_picture(make_picture(mode), MapFormat.PNG, GREEN))

    assert (decoded[:, :32] == (80, 120, 0, 255)).all()
    assert (decoded[:, 32:] == (*GREEN, 255)).all()


def test_background_does_not_change_the_picture(make_picture):
    picture = make_picture("index")

    encode_picture(picture, MapFormat.PNG, GREEN)

    assert picture.palette[0].tolist() == [0, 0, 0, 0]


def test_webp_over_a_background_is_opaque(make_picture):
    body = encode_picture(make_picture("index"), MapFormat.WEBP, GREEN)

    assert Image.open(io.BytesIO(body)).mode == "RGB"


@pytest.mark.parametrize(("format", "side"), [(MapFormat.WEBP, 16383), (MapFormat.JPEG, 65535), (MapFormat.GIF, 65535)])
def test_picture_too_large_for_a_format_is_refused_with_the_format_that_can(format, side):
    assert check_format(format, side, 1) is None

    with pytest.raises(UnsupportedFormat, match=f"at most {side} pixels per side, not 1 x {side + 1}; image/png"):
        encode_picture(
            IndexPicture(np.zeros((side + 1, 1), dtype=np.uint8), np.zeros((256, 4), dtype=np.uint8)), format
        )


def test_the_longest_webp_is_written():
    body = encode_picture(RgbaPicture(np.full((1, 16383, 4), 255, dtype=np.uint8)), MapFormat.WEBP)

    assert decode(body)[1].shape == (1, 16383, 4)


def test_eight_bits_keep_up_to_256_colours_exactly(make_picture):
    picture = make_picture("rgba")

    body = encode_picture(picture, MapFormat.PNG8)

    assert Image.open(io.BytesIO(body)).mode == "P"
    assert np.array_equal(decode(body)[1], picture.rgba())


def test_eight_bits_of_more_colours_are_near_them():
    levels = np.arange(64, dtype=np.uint8) * 4
    pixels = np.full((64, 64, 4), 255, dtype=np.uint8)
    pixels[..., 0], pixels[..., 1] = levels[:, np.newaxis], levels
    pixels[0] = 0

    body = encode_picture(RgbaPicture(pixels), MapFormat.PNG8)

    shown = decode(body)[1]
    assert Image.open(io.BytesIO(body)).mode == "P"
    assert np.abs(shown[1:].astype(int) - pixels[1:]).max() <= 16
    assert not shown[0, :, 3].any()


def test_gif_keeps_every_visible_colour_and_is_opaque_from_one_half():
    noise = np.random.default_rng(3)
    palette = noise.integers(0, 256, (256, 4), dtype=np.uint8)
    picture = IndexPicture(noise.integers(0, 256, (50, 70), dtype=np.uint8), palette)

    kind, decoded = decode(encode_picture(picture, MapFormat.GIF))

    is_seen = picture.rgba()[..., 3] >= 128
    assert kind == "GIF"
    assert np.array_equal(decoded[is_seen][:, :3], picture.rgba()[is_seen][:, :3])
    assert np.array_equal(decoded[..., 3], np.where(is_seen, 255, 0))


def test_gif_of_a_composite_has_exact_colours_if_256_are_enough(make_picture):
    _kind, decoded = decode(encode_picture(make_picture("rgba"), MapFormat.GIF, GREEN))

    assert (decoded[:, :32] == (80, 120, 0, 255)).all()
    assert (decoded[:, 32:] == (*GREEN, 255)).all()


def test_a_gif_without_data_is_transparent():
    body = encode_picture(RgbaPicture(np.zeros((7, 9, 4), dtype=np.uint8)), MapFormat.GIF)

    assert body.startswith(b"GIF89a")
    assert not decode(body)[1][..., 3].any()
