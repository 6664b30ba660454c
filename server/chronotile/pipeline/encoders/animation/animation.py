"""Time-lapses in formats for browsers and slides, written frame by frame to a scratch file."""

import io
from collections.abc import Iterable
from typing import NamedTuple, assert_never

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata

from chronotile.core.errors import require_at_most
from chronotile.core.model.animation import Film, Frame
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.picture import IndexPicture
from chronotile.core.model.types import ColourArray, IndexArray, Int64Array, UInt8Array
from chronotile.pipeline.encoders.animation.mp4 import write_mp4
from chronotile.pipeline.encoders.bodies import ConcatenatedFiles
from chronotile.pipeline.encoders.picture.picture import END, WEBP_LOSSLESS, WEBP_LOSSY, gif_start, index_colours
from chronotile.pipeline.encoders.scratch_files import TEMPORARY, Scratch, ScratchFile

MAX_COLOURS = 256
CARD_COLOURS = 24
"""Entries kept for the texts on a frame whose picture has too many colours."""
FOR_EVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
"""The extension that makes viewers repeat a GIF without end."""


class Distinct(NamedTuple):
    """The distinct colours of a frame, for the palette of a GIF."""

    colours: ColourArray
    """(n, 3): each distinct colour once."""
    places: IndexArray
    """The index in `colours` of each original colour."""
    counts: Int64Array
    """The number of original colours for each entry of `colours`."""


def write_gif(file: ScratchFile, frames: Iterable[Frame], film: Film) -> None:
    """Write a GIF; colours are exact, unless a frame has more than 256; then similar colours are merged.

    Frames last whole hundredths of a second, rounded so that the total duration is right.

    Raises:
        OSError: The disk is full.
    """
    file.write(gif_start(film.width, film.height) + FOR_EVER)
    for number, frame in enumerate(frames):
        shown_cs = round((number + 1) * 100 / film.fps) - round(number * 100 / film.fps)
        for part in getdata(gif_image(frame), duration=10 * shown_cs, include_color_table=True):
            file.write(part)
    file.write(END)


def gif_image(frame: Frame) -> Image.Image:
    """Return a frame as a picture with a palette of the at most 256 colours that it uses."""
    picture = index_colours(frame.picture, MAX_COLOURS - CARD_COLOURS)
    is_used = np.bincount(picture.index.ravel(), minlength=MAX_COLOURS) > 0
    palette = picture.palette[:, :3]
    table = _distinct(palette[is_used]).colours
    written = _distinct(np.vstack([table[:0], *(card.pixels.reshape(-1, 3) for card in frame.cards)]))
    is_new = _distances(written.colours, table).min(axis=1) > 0
    if len(table) + int(is_new.sum()) > MAX_COLOURS:
        table = _merge_similar(table, MAX_COLOURS - CARD_COLOURS)
    table = _add_missing(table, written.colours[is_new], written.counts[is_new])
    index = _nearest(palette, table)[picture.index]
    for card in frame.cards:
        height, width, _bands = card.pixels.shape
        distinct = _distinct(card.pixels)
        index[card.y : card.y + height, card.x : card.x + width] = _nearest(distinct.colours, table)[distinct.places]
    image = Image.fromarray(index)
    image.putpalette(np.vstack([table, np.zeros((MAX_COLOURS - len(table), 3), dtype=np.uint8)]).tobytes())
    return image


def _distinct(colours: ColourArray) -> Distinct:
    """Return the distinct colours of colours (…, 3), in ascending order."""
    packed = (colours.astype(np.uint32) << (16, 8, 0)).sum(axis=-1, dtype=np.uint32)
    colours_found, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    return Distinct(colours_found.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:], places, counts)


def _distances(colours: ColourArray, table: ColourArray) -> Int64Array:
    # The squared distance (colour, entry) of each colour from each entry of the table.
    apart = colours[:, np.newaxis].astype(np.int64) - table[np.newaxis]
    return np.asarray((apart**2).sum(axis=2))


def _nearest(colours: ColourArray, table: ColourArray) -> UInt8Array:
    return np.asarray(_distances(colours, table).argmin(axis=1).astype(np.uint8))


def _merge_similar(table: ColourArray, most: int) -> ColourArray:
    """Remove the colours that are most similar to another one, until at most `most` are left."""
    apart = _distances(table, table)
    np.fill_diagonal(apart, np.iinfo(np.int64).max)
    for _ in range(len(table) - most):
        removed = int(apart.min(axis=1).argmin())
        apart[removed, :] = apart[:, removed] = np.iinfo(np.int64).max
        table = np.delete(table, removed, axis=0)
        apart = np.delete(np.delete(apart, removed, axis=0), removed, axis=1)
    return table


def _add_missing(table: ColourArray, colours: ColourArray, counts: Int64Array) -> ColourArray:
    """Add missing colours while there is space, first colours of many pixels that differ most from the table."""
    missed = _distances(colours, table).min(axis=1) * counts
    for _ in range(min(MAX_COLOURS - len(table), len(colours))):
        added = colours[[int(missed.argmax())]]
        table = np.vstack([table, added])
        missed = np.minimum(missed, _distances(colours, added)[:, 0] * counts)
    return table


# Animated WebP (the container of RFC 9649); each frame is complete and encoded like the pictures of tiles.

IS_ANIMATED = 0x02
WITHOUT_BLENDING = 0x02
"""A flag: the frame replaces the previous one."""
HEAD_BYTES = 12
"""The size of `RIFF`, the size of the file and `WEBP`."""


def write_webp(file: ScratchFile, frames: Iterable[Frame], film: Film) -> None:
    """Write a WebP; colours are exact except in composites, which would be six times as large.

    Frames last whole milliseconds, rounded so that the total duration is right.

    Raises:
        OSError: The disk is full.
    """
    size = _three(film.width - 1) + _three(film.height - 1)
    file.write(b"RIFF\0\0\0\0WEBP")
    file.write(_chunk(b"VP8X", bytes([IS_ANIMATED, 0, 0, 0]) + size))
    file.write(_chunk(b"ANIM", b"\xff\xff\xff\xff" + bytes(2)))  # white background, endless loop
    for number, frame in enumerate(frames):
        shown_ms = round((number + 1) * 1000 / film.fps) - round(number * 1000 / film.fps)
        head = bytes(6) + size + _three(shown_ms) + bytes([WITHOUT_BLENDING])
        file.write(_chunk(b"ANMF", head + _bitstream(frame)))
    file.write((file.size - 8).to_bytes(4, "little"), at=4)


def _bitstream(frame: Frame) -> bytes:
    """Return the chunks of a frame, the same as for a picture without animation and transparency."""
    options = WEBP_LOSSLESS if isinstance(frame.picture, IndexPicture) else WEBP_LOSSY
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(frame.rgb())).save(buffer, "WEBP", **options)
    return buffer.getvalue()[HEAD_BYTES:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _three(number: int) -> bytes:
    return number.to_bytes(3, "little")


MAX_BYTES = 512 << 20
"""The maximum size of a file for a client that waits; encoding stops beyond it."""
BYTES_PER_PIXEL = 2
"""More than any frame takes; only files that are certainly small are kept in memory."""


def encode_animation(
    frames: Iterable[Frame],
    film: Film,
    format: AnimationFormat,
    *,
    scratch: Scratch = TEMPORARY,
    most_bytes: int | None = None,
) -> ConcatenatedFiles:
    """Return a time-lapse as a file, which the caller must close.

    Args:
        frames: The frames, read one by one; if reading raises, the file is deleted and the exception is passed on.
        film: Size, number and rate of the frames.
        format: The format of the file.
        scratch: Where the file is written.
        most_bytes: The maximum size of the file.

    Raises:
        LimitExceeded: The file is larger.
        OSError: The disk is full.
    """
    most = MAX_BYTES if most_bytes is None else most_bytes
    file = scratch.file(film.width * film.height * film.count * BYTES_PER_PIXEL)
    try:
        _write(file, _limit_size(frames, file, most), film, format)
    except BaseException:  # in any case: an open file needs disk space and a descriptor
        file.close()
        raise
    return ConcatenatedFiles([file])


def _write(file: ScratchFile, frames: Iterable[Frame], film: Film, format: AnimationFormat) -> None:
    match format:
        case AnimationFormat.GIF:
            write_gif(file, frames, film)
        case AnimationFormat.WEBP:
            write_webp(file, frames, film)
        case AnimationFormat.MP4:
            write_mp4(file, frames, film)
        case _:
            assert_never(format)


def _limit_size(frames: Iterable[Frame], file: ScratchFile, most: int) -> Iterable[Frame]:
    for frame in frames:
        fewer = "request a smaller picture, fewer frames, or mp4"
        require_at_most("bytes of an animation", file.size, most, alternative=fewer, locator="width")
        yield frame
