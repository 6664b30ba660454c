import importlib.util
import io
import struct
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

from chronotile.core.model.picture import IndexPicture
from chronotile.pipeline import encoders
from chronotile.pipeline.encoders import deflated
from chronotile.pipeline.encoders.picture import picture as png
from chronotile.pipeline.encoders.picture.picture import encode_index_png, encode_rgba_png, transparent_png

SEED = 7


def decode(body):
    with Image.open(io.BytesIO(body)) as image:
        return np.array(image.convert("RGBA"))


def chunks(body):
    """Return the chunks of a PNG by kind, in order."""
    found, at = {}, 8
    while at < len(body):
        (length,) = struct.unpack(">I", body[at : at + 4])
        found[body[at + 4 : at + 8]] = body[at + 8 : at + 8 + length]
        at += 12 + length
    return found


@pytest.fixture
def noise():
    return np.random.default_rng(SEED)


@pytest.mark.parametrize("shape", [(256, 256), (1, 1), (3, 700), (600, 1), (17, 5)])
def test_index_png_read_by_pillow_has_the_colours_of_the_palette(noise, shape):
    picture = IndexPicture(
        noise.integers(0, 256, shape, dtype=np.uint8), noise.integers(0, 256, (256, 4), dtype=np.uint8)
    )

    assert np.array_equal(decode(encode_index_png(picture)), picture.palette[picture.index])


def test_index_png_of_a_strided_index_is_right(noise):
    index = noise.integers(0, 256, (40, 60), dtype=np.uint8)[::2, ::3]
    picture = IndexPicture(index, noise.integers(0, 256, (256, 4), dtype=np.uint8))

    assert np.array_equal(decode(encode_index_png(picture)), picture.palette[index])


def test_palette_ends_at_the_greatest_index_and_alpha_at_the_last_translucent_colour():
    palette = np.full((256, 4), 255, dtype=np.uint8)
    palette[2, 3] = 128
    palette[200, 3] = 0

    found = chunks(encode_index_png(IndexPicture(np.arange(6, dtype=np.uint8).reshape(2, 3), palette)))

    assert (len(found[b"PLTE"]), found[b"tRNS"]) == (6 * 3, b"\xff\xff\x80")


def test_opaque_palette_has_no_alpha_chunk():
    picture = IndexPicture(np.zeros((4, 4), dtype=np.uint8), np.full((256, 4), 255, dtype=np.uint8))

    assert b"tRNS" not in chunks(encode_index_png(picture))


@pytest.mark.parametrize("shape", [(256, 256, 4), (1, 1, 4), (3, 500, 4), (9, 1, 4)])
def test_rgba_png_is_read_unchanged_by_pillow(noise, shape):
    pixels = noise.integers(0, 256, shape, dtype=np.uint8)

    assert np.array_equal(decode(encode_rgba_png(pixels)), pixels)


def test_opaque_rgba_is_written_without_alpha(noise):
    pixels = noise.integers(0, 256, (30, 40, 4), dtype=np.uint8)
    pixels[..., 3] = 255

    body = encode_rgba_png(pixels)

    assert Image.open(io.BytesIO(body)).mode == "RGB"
    assert np.array_equal(decode(body), pixels)


@pytest.mark.parametrize("size", [(256, 256), (512, 512), (1, 1), (9, 3)])
def test_transparent_png_shows_nothing(size):
    picture = decode(transparent_png(*size))

    assert picture.shape == (size[1], size[0], 4)
    assert not picture.any()


def test_transparent_png_is_shared():
    assert transparent_png(256, 256) is transparent_png(256, 256)


def test_a_picture_of_nothing_is_the_shared_one():
    palette = np.full((256, 4), 255, dtype=np.uint8)
    palette[200] = (9, 9, 9, 0)

    assert encode_index_png(IndexPicture(np.full((8, 9), 200, dtype=np.uint8), palette)) is transparent_png(9, 8)
    assert encode_rgba_png(np.zeros((8, 9, 4), dtype=np.uint8)) is transparent_png(9, 8)


@pytest.mark.parametrize(
    "body",
    [
        encode_index_png(IndexPicture(np.zeros((2, 2), dtype=np.uint8), np.full((256, 4), 100, dtype=np.uint8))),
        encode_rgba_png(np.full((2, 2, 4), 100, dtype=np.uint8)),
        transparent_png(2, 2),
    ],
    ids=["index", "rgba", "transparent"],
)
def test_no_chunk_lets_a_browser_change_colours(body):
    assert not {b"gAMA", b"cHRM", b"sRGB", b"iCCP"} & set(chunks(body))


def test_png_is_readable_without_isal(monkeypatch, noise):
    monkeypatch.setitem(sys.modules, "isal", None)
    monkeypatch.setattr(encoders, "deflated", deflated)  # the new import is reverted
    monkeypatch.delitem(sys.modules, "chronotile.pipeline.encoders.deflated")
    spec = importlib.util.spec_from_file_location("png_without_isal", png.__file__)
    without_isal = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(without_isal)
    picture = IndexPicture(
        noise.integers(0, 256, (30, 40), dtype=np.uint8), noise.integers(0, 256, (256, 4), dtype=np.uint8)
    )

    assert without_isal.deflate is zlib
    assert np.array_equal(decode(without_isal.encode_index_png(picture)), picture.rgba())


def test_invisible_colours_are_unchanged():
    pixels = np.full((3, 4, 4), (204, 0, 204, 0), dtype=np.uint8)

    assert np.array_equal(decode(encode_rgba_png(pixels)), pixels)
