"""Animated WebP (the container of RFC 9649): each frame whole, and as the pictures of tiles are."""

import io
from collections.abc import Iterable

import numpy as np
from PIL import Image

from chronotile.encoders.picture.picture import WEBP_LOSSLESS, WEBP_LOSSY
from chronotile.encoders.scratch import ScratchFile
from chronotile.model.animation import Film, Frame
from chronotile.model.raster import IndexPicture

IS_ANIMATED = 0x02
WITHOUT_BLENDING = 0x02
"""A frame takes the place of the one before."""
HEAD_BYTES = 12
"""`RIFF`, the size of all that follows, `WEBP`."""


def write_webp(file: ScratchFile, frames: Iterable[Frame], film: Film) -> None:
    """Write a WebP. Colours are exact, but those of composites, which would take six times the bytes.

    Frames last whole milliseconds, in all as long as they should.

    Raises:
        OSError: There is no room.
    """
    size = _three(film.width - 1) + _three(film.height - 1)
    file.write(b"RIFF\0\0\0\0WEBP")
    file.write(_chunk(b"VP8X", bytes([IS_ANIMATED, 0, 0, 0]) + size))
    file.write(_chunk(b"ANIM", b"\xff\xff\xff\xff" + bytes(2)))  # on white, for ever
    for number, frame in enumerate(frames):
        shown_ms = round((number + 1) * 1000 / film.fps) - round(number * 1000 / film.fps)
        head = bytes(6) + size + _three(shown_ms) + bytes([WITHOUT_BLENDING])
        file.write(_chunk(b"ANMF", head + _bitstream(frame)))
    file.write((file.size - 8).to_bytes(4, "little"), at=4)


def _bitstream(frame: Frame) -> bytes:
    """The chunks of a frame: those of a picture without animation and transparency."""
    options = WEBP_LOSSLESS if isinstance(frame.picture, IndexPicture) else WEBP_LOSSY
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame.rgb())).save(buffer, "WEBP", **options)
    return buffer.getvalue()[HEAD_BYTES:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")
