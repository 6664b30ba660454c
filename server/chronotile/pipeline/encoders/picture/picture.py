"""Pictures in the formats of browsers and map clients."""

import io
import struct
import zlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import assert_never

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

from chronotile.core.errors import UnsupportedFormat
from chronotile.core.model.formats import MapFormat, PictureFormat
from chronotile.core.model.picture import IndexPicture, Picture, RgbaPicture, picture_strips
from chronotile.core.model.types import UInt8Array, UInt16Array, UInt32Array
from chronotile.pipeline.encoders.deflated import deflate

ENCODER_VERSION = "2"
"""Part of the ETag of every picture. Raise it when the same picture gives other bytes."""

WHITE = (255, 255, 255)
JPEG_QUALITY = 85
WEBP_LOSSLESS = {"lossless": True, "method": 0, "quality": 20}
"""Colours of index pictures stay exact; slower settings save a fifth of the bytes but take four times as long."""
WEBP_LOSSY = {"quality": 85, "method": 1}
"""For composites: a sixth of the bytes of PNG. Alpha is lossless in both settings."""

Background = tuple[int, int, int]


def encode_picture(picture: Picture, format: PictureFormat, background: Background | None = None) -> bytes:
    """Encode a picture in a format.

    Args:
        picture: The picture.
        format: The format.
        background: Red, green and blue below transparent pixels; with `None` they stay transparent, or become white in
            JPEG.

    Raises:
        UnsupportedFormat: The picture is too large for the format.
    """
    height, width = picture.shape
    check_format(format, width, height)
    if background is not None and format.has_alpha:
        picture = add_background(picture, background)
    match format:
        case MapFormat.PNG:
            return encode_index_png(picture) if isinstance(picture, IndexPicture) else encode_rgba_png(picture.pixels)
        case MapFormat.PNG8:
            return encode_index_png(index_colours(picture))
        case MapFormat.WEBP:
            return _encode_webp(picture)
        case MapFormat.JPEG:
            return _save(picture, "RGB", "JPEG", {"quality": JPEG_QUALITY}, background=background or WHITE)
        case MapFormat.GIF:
            return encode_gif(index_colours(picture))
        case _:
            assert_never(format)


def check_format(format: PictureFormat, width: int, height: int) -> None:
    """Refuse a format that cannot hold a picture of this size, in pixels.

    Raises:
        UnsupportedFormat: The picture is too large for the format.
    """
    allowed = format.max_side_px
    if allowed is not None and max(width, height) > allowed:
        raise UnsupportedFormat(
            f"{format} holds at most {allowed} pixels per side, not {width} x {height}; image/png holds this picture",
            locator="format",
        )


def add_background(picture: Picture, background: Background) -> Picture:
    """Return a picture on an opaque colour; in an index picture only the palette changes."""
    if isinstance(picture, IndexPicture):
        return IndexPicture(picture.index, _blend(picture.palette, background))
    blended = np.empty_like(picture.pixels)
    for rows in picture_strips(picture.shape):
        blended[rows] = _blend(picture.pixels[rows], background)
    return RgbaPicture(blended)


def _blend(colours: UInt8Array, background: Background) -> UInt8Array:
    """Return colours (…, 4) on an opaque colour, rounded to the nearest number."""
    alpha = colours[..., 3:].astype(np.uint16)
    under = np.array(background, dtype=np.uint16)
    blended = np.empty_like(colours)
    blended[..., :3] = (colours[..., :3] * alpha + under * (255 - alpha) + 127) // 255
    blended[..., 3] = 255
    return blended


def index_colours(picture: Picture, colours: int = 256) -> IndexPicture:
    """Return a picture with at most 256 colours: its own colours if it has no more, else similar ones."""
    if isinstance(picture, IndexPicture):
        return picture
    pixels = np.ascontiguousarray(picture.pixels)
    numbers = pixels.view(np.uint32)[..., 0]
    palette = np.zeros((256, 4), dtype=np.uint8)
    own_colours = _distinct_colours(numbers)
    if own_colours is not None:
        palette[: len(own_colours)] = own_colours.view(np.uint8).reshape(-1, 4)
        index = np.empty(numbers.shape, dtype=np.uint8)
        for rows in picture_strips(picture.shape):
            index[rows] = np.searchsorted(own_colours, numbers[rows])
        return IndexPicture(index, palette)
    fewer = Image.fromarray(pixels).quantize(colours, method=Image.Quantize.FASTOCTREE)
    palette_colours = np.array(fewer.getpalette("RGBA"), dtype=np.uint8).reshape(-1, 4)
    palette[: len(palette_colours)] = palette_colours
    return IndexPicture(np.asarray(fewer), palette)


def _distinct_colours(numbers: UInt32Array) -> UInt32Array | None:
    """Return the distinct colours of pixels (y, x), ascending; `None` if there are more than 256."""
    distinct_colours = np.empty(0, dtype=np.uint32)
    height, width = numbers.shape
    for rows in picture_strips((height, width)):
        distinct_colours = np.union1d(distinct_colours, numbers[rows])
        if len(distinct_colours) > 256:
            return None
    return distinct_colours


def _encode_webp(picture: Picture) -> bytes:
    is_opaque = all((picture.part(rows).rgba()[..., 3] == 255).all() for rows in picture_strips(picture.shape))
    options = WEBP_LOSSLESS if isinstance(picture, IndexPicture) else WEBP_LOSSY
    return _save(picture, "RGB" if is_opaque else "RGBA", "WEBP", options)


def _save(
    picture: Picture, mode: str, format: str, options: Mapping[str, int], *, background: Background | None = None
) -> bytes:
    """Encode a picture with Pillow, strip by strip, on a background if there is one."""
    height, width = picture.shape
    image = Image.new(mode, (width, height))
    for rows in picture_strips(picture.shape):
        strip = picture.part(rows)
        pixels = (strip if background is None else add_background(strip, background)).rgba()
        image.paste(Image.fromarray(np.ascontiguousarray(pixels[..., : len(mode)])), (0, rows.start))
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


LEAST_ALPHA = 128
"""Pixels of a GIF are opaque or transparent; a pixel with a smaller alpha becomes transparent."""
SEVEN_BITS_MORE = 0x70
"""Flags of the screen: colours of eight bits, no global colour table."""
END = b";"


def gif_start(width: int, height: int) -> bytes:
    """Return the signature and screen of a GIF whose pictures each have a colour table."""
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    return b"GIF89a" + size + bytes([SEVEN_BITS_MORE, 0, 0])


def encode_gif(picture: IndexPicture) -> bytes:
    """Return a picture as a GIF; pixels that are less than half opaque become transparent."""
    height, width = picture.index.shape
    is_transparent = picture.palette[:, 3] < LEAST_ALPHA
    options: dict[str, int] = {}
    index = picture.index
    if is_transparent.any():
        transparent = int(np.flatnonzero(is_transparent)[0])
        index = np.where(is_transparent, transparent, np.arange(len(picture.palette))).astype(np.uint8)[index]
        options = {"transparency": transparent}
    image = Image.fromarray(index)
    image.putpalette(picture.palette[:, :3].tobytes())
    return b"".join([gif_start(width, height), *getdata(image, (0, 0), include_color_table=True, **options), END])


# PNG is written here directly, which takes a fifth of a millisecond for a palette picture.
#
# Never write gAMA, cHRM, iCCP or sRGB chunks, since browsers then change the colours (with gAMA 1.0 of nearly every
# pixel). Without these chunks colours are shown unchanged.

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY = 0
RGB = 2
PALETTE = 3
RGBA = 6
FILTER_SUB = 1
"""Each byte minus the byte of the pixel to its left; gives 5 % fewer bytes than Up on Sentinel-2, at the same speed."""


def encode_index_png(picture: IndexPicture) -> bytes:
    """Return a palette PNG of 8 bits, or the shared transparent one if the only index used is transparent.

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
    chunks = [(b"PLTE", used[:, :3].tobytes()), (b"tRNS", alpha), (b"IDAT", deflate.compress(rows, 1))]
    return _png(width, height, [chunk for chunk in chunks if chunk[1]], depth=8, colour_type=PALETTE)


def encode_rgba_png(pixels: UInt8Array) -> bytes:
    """Return a PNG of pixels (y, x, 4), without alpha if all are opaque; the shared one if all are transparent black.

    Colours of fully transparent pixels are kept.
    """
    height, width, _bands = pixels.shape
    least_alpha, greatest_alpha = int(pixels[..., 3].min()), int(pixels[..., 3].max())
    if greatest_alpha == 0 and not pixels.any():
        return transparent_png(width, height)
    is_opaque = least_alpha == 255
    bands = 3 if is_opaque else 4
    strips = [pixels[rows, :, :bands] for rows in picture_strips((height, width))]
    if len(strips) == 1:
        chunks = [(b"IDAT", deflate.compress(_filter_rows(strips[0]), 1))]
    else:
        compressor = deflate.compressobj(1)
        chunks = [(b"IDAT", compressor.compress(_filter_rows(strip))) for strip in strips]
        chunks.append((b"IDAT", compressor.flush()))
    return _png(width, height, chunks, depth=8, colour_type=RGB if is_opaque else RGBA)


def _filter_rows(pixels: UInt8Array) -> UInt8Array:
    """Return rows (y, bytes) of pixels (y, x, band) after `FILTER_SUB`; each row begins with its filter type."""
    height, width, bands = pixels.shape
    flat = np.ascontiguousarray(pixels).reshape(height, width * bands)
    rows = np.empty((height, width * bands + 1), dtype=np.uint8)
    rows[:, 0] = FILTER_SUB
    rows[:, 1 : bands + 1] = flat[:, :bands]
    np.subtract(flat[:, bands:], flat[:, :-bands], out=rows[:, bands + 1 :])
    return rows


def encode_grey_png(numbers: UInt8Array | UInt16Array, transparent: int | None) -> bytes:
    """Return a grey PNG of numbers (y, x) with their bit depth; one number may be transparent."""
    height, width = numbers.shape
    size = numbers.itemsize
    rows = np.zeros((height, width * size + 1), dtype=np.uint8)
    rows[:, 1:] = np.ascontiguousarray(numbers, dtype=f">u{size}").view(np.uint8)
    chunks = [] if transparent is None else [(b"tRNS", struct.pack(">H", transparent))]
    return _png(width, height, [*chunks, (b"IDAT", deflate.compress(rows, 1))], depth=8 * size, colour_type=GREY)


@lru_cache(maxsize=64)
def transparent_png(width: int, height: int) -> bytes:
    """Return a transparent PNG with one bit per pixel, the answer for tiles without data."""
    rows = bytes((1 + (width + 7) // 8) * height)
    chunks = [(b"PLTE", bytes(3)), (b"tRNS", bytes(1)), (b"IDAT", zlib.compress(rows, 9))]
    return _png(width, height, chunks, depth=1, colour_type=PALETTE)


def _png(width: int, height: int, chunks: Iterable[tuple[bytes, bytes]], *, depth: int, colour_type: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    written = [SIGNATURE]
    for kind, body in ((b"IHDR", head), *chunks, (b"IEND", b"")):
        crc = deflate.crc32(body, zlib.crc32(kind))
        written += (struct.pack(">I", len(body)), kind, body, struct.pack(">I", crc))
    return b"".join(written)
