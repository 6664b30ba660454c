"""Frames from files, read by Pillow and FFmpeg."""

import errno
import io

import av
import numpy as np
import pytest
from PIL import Image

from chronotile.core.errors import ClientGone
from chronotile.core.model.animation import Film, Frame, FrameCard
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.picture import IndexPicture, RgbaPicture
from chronotile.pipeline.encoders.animation import mp4 as animation_mp4
from chronotile.pipeline.encoders.animation.animation import encode_animation
from chronotile.pipeline.encoders.scratch_files import DiskQuota, Scratch

SHADES = np.arange(256, dtype=np.uint8)


def index_picture(colours: int, *, width: int = 64, height: int = 48) -> IndexPicture:
    """Return a picture with this number of colours, all different in red and green."""
    palette = np.stack([SHADES, SHADES // 2, np.full(256, 40), np.full(256, 255)], axis=1).astype(np.uint8)
    index = np.arange(width * height).reshape(height, width) % colours
    return IndexPicture(index.astype(np.uint8), palette)


def card(*greys: int) -> FrameCard:
    """Stripes of some greys, ten pixels wide and high."""
    stripes = np.resize(np.array(greys, dtype=np.uint8), (10, 10))
    return FrameCard(50, 30, np.repeat(stripes[..., np.newaxis], 3, axis=2))


def written(frames, format, *, fps=4.0, width=64, height=48):
    body = encode_animation(frames, Film(width=width, height=height, fps=fps, count=len(frames)), format)
    return b"".join(body.iter_bytes())


def read(body):
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"))


@pytest.mark.parametrize("format", [AnimationFormat.GIF, AnimationFormat.WEBP])
def test_cards_lie_on_pictures_in_exact_colours(format):
    frame = Frame(index_picture(200), (card(0, 90, 255),))

    assert np.array_equal(read(written([frame], format)), frame.rgb())


def test_a_gif_of_more_colours_than_it_may_have_joins_those_most_alike():
    frame = Frame(index_picture(256), (card(*range(0, 256, 13)),))

    apart = np.abs(read(written([frame], AnimationFormat.GIF)).astype(int) - frame.rgb())

    assert apart.max() <= 2


def test_gif_keeps_the_colours_of_most_pixels():
    frame = Frame(index_picture(256), (FrameCard(0, 0, np.full((5, 5, 3), 255, dtype=np.uint8)), card(*range(100))))

    assert (read(written([frame], AnimationFormat.GIF))[:5, :5] == 255).all()


def test_a_composite_in_a_gif_has_the_nearest_of_its_colours():
    y, x = np.mgrid[0:48, 0:64]
    pixels = np.stack([x * 4, y * 5, x + y, np.full_like(x, 255)], axis=2).astype(np.uint8)
    frame = Frame(RgbaPicture(pixels), (card(0, 255),))

    apart = np.abs(read(written([frame], AnimationFormat.GIF)).astype(int) - frame.rgb())

    assert apart.mean() < 8
    assert apart[30:40, 50:60].max() == 0


@pytest.mark.parametrize("format", [AnimationFormat.GIF, AnimationFormat.WEBP])
def test_frames_that_are_alike_are_frames(format):
    frame = Frame(index_picture(10), ())

    assert Image.open(io.BytesIO(written([frame] * 3, format))).n_frames == 3


def test_a_video_of_a_thousand_frames_has_its_index_before_them():
    frame = Frame(index_picture(10, width=16, height=16), ())

    body = written([frame] * 1000, AnimationFormat.MP4, width=16, height=16)

    assert body.index(b"moov") < body.index(b"mdat")
    with av.open(io.BytesIO(body)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 1000


@pytest.mark.parametrize(("width", "height"), [(64, 48), (63, 47)])
def test_video_of_large_frames_has_all_of_them_in_their_colours(monkeypatch, width, height):
    monkeypatch.setattr(animation_mp4, "LARGE_PIXELS", 0)
    frames = [Frame(RgbaPicture(np.full((height, width, 4), grey, dtype=np.uint8)), ()) for grey in range(40, 240, 10)]

    with av.open(io.BytesIO(written(frames, AnimationFormat.MP4, width=width, height=height))) as container:
        found = [picture.to_ndarray(format="rgb24")[:height, :width] for picture in container.decode(video=0)]

    assert len(found) == len(frames)
    for frame, shown in zip(frames, found, strict=True):
        assert np.abs(shown.astype(int) - frame.rgb()).max() <= 3


@pytest.mark.parametrize("format", AnimationFormat)
def test_a_full_disk_ends_the_writing(format):
    noise = np.random.default_rng(1).integers(0, 256, (48, 64), dtype=np.uint8)
    frames = [Frame(IndexPicture(noise, index_picture(1).palette), ())] * 1000
    film = Film(width=64, height=48, fps=4.0, count=len(frames))  # too large for memory

    with pytest.raises(OSError, match="No space left") as raised:
        encode_animation(frames, film, format, scratch=Scratch(quota=DiskQuota(1000)))

    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize("format", AnimationFormat)
def test_error_of_a_frame_ends_the_writing(format):
    def frames():
        yield Frame(index_picture(10), ())
        raise ClientGone("the client disconnected")

    with pytest.raises(ClientGone):
        encode_animation(frames(), Film(width=64, height=48, fps=4.0, count=2), format)
