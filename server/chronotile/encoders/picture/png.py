"""PNG, written by hand: a palette picture in a fifth of a millisecond.

Never write gAMA, cHRM, iCCP or sRGB chunks: browsers then change the colours (with gAMA 1.0 nearly every
pixel). Without them colours are shown as they are.
"""

import struct
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from chronotile.encoders.deflated import deflate
from chronotile.model.raster import IndexPicture, picture_strips

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY = 0
RGB = 2
PALETTE = 3
RGBA = 6
FILTER_SUB = 1
"""Each byte minus that of the pixel to its left: 5 % fewer bytes than Up on Sentinel-2, at the same speed."""


def encode_index_png(picture: IndexPicture) -> bytes:
    """Return a palette PNG of 8 bits; the shared one if the only index is transparent.

    The palette ends at the greatest index used.
    """
    height, width = picture.index.shape
    greatest = int(picture.index.max())
    if picture.palette[greatest, 3] == 0 and int(picture.index.min()) == greatest:
        return transparent_png(width, height)
    used = picture.palette[: greatest + 1]
    rows = np.zeros((height, width + 1), dtype=np.uint8)  # each begins with its filter: 0, none
    rows[:, 1:] = picture.index
    transparent = np.flatnonzero(used[:, 3] != 255)
    alpha = used[: int(transparent[-1]) + 1, 3].tobytes() if transparent.size else b""
    return b"".join(
        [
            _header(width, height, depth=8, colour_type=PALETTE),
            _chunk(b"PLTE", used[:, :3].tobytes()),
            _chunk(b"tRNS", alpha) if alpha else b"",
            _chunk(b"IDAT", deflate.compress(rows, 1)),
            _chunk(b"IEND", b""),
        ]
    )


def encode_rgba_png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a PNG of (y, x, 4); without its alpha where all is opaque, the shared one where all is transparent black.

    Colours that are not seen stay.
    """
    height, width, _bands = pixels.shape
    least_alpha, greatest_alpha = int(pixels[..., 3].min()), int(pixels[..., 3].max())
    if greatest_alpha == 0 and not pixels.any():
        return transparent_png(width, height)
    is_opaque = least_alpha == 255
    bands = 3 if is_opaque else 4
    strips = [pixels[rows, :, :bands] for rows in picture_strips((height, width))]
    if len(strips) == 1:
        chunks = [_chunk(b"IDAT", deflate.compress(_filtered(strips[0]), 1))]
    else:
        compressor = deflate.compressobj(1)
        chunks = [_chunk(b"IDAT", compressor.compress(_filtered(strip))) for strip in strips]
        chunks.append(_chunk(b"IDAT", compressor.flush()))
    colour_type = RGB if is_opaque else RGBA
    return b"".join([_header(width, height, depth=8, colour_type=colour_type), *chunks, _chunk(b"IEND", b"")])


def _filtered(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(y, bytes): rows of (y, x, band) as `FILTER_SUB` has them, each with its filter first."""
    height, width, bands = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(height, width * bands)
    rows = np.empty((height, width * bands + 1), dtype=np.uint8)
    rows[:, 0] = FILTER_SUB
    rows[:, 1 : bands + 1] = flat[:, :bands]
    np.subtract(flat[:, bands:], flat[:, :-bands], out=rows[:, bands + 1 :])
    return rows


def encode_grey_png(numbers: NDArray[np.uint8] | NDArray[np.uint16], transparent: int | None) -> bytes:
    """Return a PNG of (y, x), as deep as the numbers, whose greys are the numbers; one of them may be transparent."""
    height, width = numbers.shape
    size = numbers.itemsize
    rows = np.zeros((height, width * size + 1), dtype=np.uint8)
    rows[:, 1:] = np.ascontiguousarray(numbers, dtype=f">u{size}").view(np.uint8)
    return b"".join(
        [
            _header(width, height, depth=8 * size, colour_type=GREY),
            b"" if transparent is None else _chunk(b"tRNS", struct.pack(">H", transparent)),
            _chunk(b"IDAT", deflate.compress(rows, 1)),
            _chunk(b"IEND", b""),
        ]
    )


@lru_cache(maxsize=64)
def transparent_png(width: int, height: int) -> bytes:
    """Return the PNG that shows nothing, one bit a pixel: the answer for a tile without data."""
    rows = bytes((1 + (width + 7) // 8) * height)
    return b"".join(
        [
            _header(width, height, depth=1, colour_type=PALETTE),
            _chunk(b"PLTE", bytes(3)),
            _chunk(b"tRNS", bytes(1)),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _header(width: int, height: int, *, depth: int, colour_type: int) -> bytes:
    return SIGNATURE + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join(
        [struct.pack(">I", len(body)), kind, body, struct.pack(">I", deflate.crc32(body, zlib.crc32(kind)))]
    )
