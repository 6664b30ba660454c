"""Animated GIF (GIF89a): each frame whole, with a table of just the colours that it shows."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import getdata

from chronotile.encoders.picture.gif import END, gif_start
from chronotile.encoders.picture.picture import index_colours
from chronotile.encoders.scratch import ScratchFile
from chronotile.model.animation import Card, Film, Frame

MAX_COLOURS = 256
CARD_COLOURS = 24
"""Left to what is written on a frame whose picture has too many colours."""
FOR_EVER = b"!\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
"""The extension by which all viewers repeat a GIF without end."""

ColourArray = NDArray[np.uint8]


class Distinct(NamedTuple):
    """The different ones of some colours."""

    colours: ColourArray
    """(n, 3)."""
    places: NDArray[np.intp]
    """Where each of the colours stands among them."""
    counts: NDArray[np.int64]
    """How many of the colours each stands for."""


def write_gif(file: ScratchFile, frames: Iterable[Frame], film: Film) -> None:
    """Write a GIF. Colours are exact, unless a frame has more than 256; then those most alike become one.

    Frames last whole hundredths of a second, in all as long as they should.

    Raises:
        OSError: There is no room.
    """
    file.write(gif_start(film.width, film.height) + FOR_EVER)
    for number, frame in enumerate(frames):
        shown_cs = round((number + 1) * 100 / film.fps) - round(number * 100 / film.fps)
        for part in getdata(gif_image(frame), duration=10 * shown_cs, include_color_table=True):
            file.write(part)
    file.write(END)


def gif_image(frame: Frame) -> Image.Image:
    """Return a frame as a picture of at most 256 colours, whose table has those it shows."""
    picture = index_colours(frame.picture, MAX_COLOURS - CARD_COLOURS)
    is_used = np.bincount(picture.index.ravel(), minlength=MAX_COLOURS) > 0
    own = picture.palette[:, :3]
    table = _distinct(own[is_used]).colours
    written = _distinct(np.vstack([table[:0], *(card.pixels.reshape(-1, 3) for card in frame.cards)]))
    is_new = _distances(written.colours, table).min(axis=1) > 0
    if len(table) + int(is_new.sum()) > MAX_COLOURS:
        table = _fewer(table, MAX_COLOURS - CARD_COLOURS)
    table = _with_most_missed(table, written.colours[is_new], written.counts[is_new])
    index = _nearest(own, table)[picture.index]
    for card in frame.cards:
        _lay(index, card, table)
    image = Image.fromarray(index)
    image.putpalette(np.vstack([table, np.zeros((MAX_COLOURS - len(table), 3), dtype=np.uint8)]).tobytes())
    return image


def _distinct(colours: ColourArray) -> Distinct:
    """The different ones of (…, 3) colours, in ascending order."""
    packed = (colours.astype(np.uint32) << (16, 8, 0)).sum(axis=-1, dtype=np.uint32)
    found, places, counts = np.unique(packed, return_inverse=True, return_counts=True)
    return Distinct(found.astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:], places, counts)


def _distances(colours: ColourArray, table: ColourArray) -> NDArray[np.int64]:
    """(colour, entry): how unlike they are."""
    apart = colours[:, np.newaxis].astype(np.int64) - table[np.newaxis]
    return np.asarray((apart**2).sum(axis=2))


def _nearest(colours: ColourArray, table: ColourArray) -> NDArray[np.uint8]:
    return np.asarray(_distances(colours, table).argmin(axis=1).astype(np.uint8))


def _fewer(table: ColourArray, most: int) -> ColourArray:
    """The table without those that are most like another, until so many are left."""
    apart = _distances(table, table)
    np.fill_diagonal(apart, np.iinfo(np.int64).max)
    for _ in range(len(table) - most):
        gone = int(apart.min(axis=1).argmin())
        apart[gone, :] = apart[:, gone] = np.iinfo(np.int64).max
        table = np.delete(table, gone, axis=0)
        apart = np.delete(np.delete(apart, gone, axis=0), gone, axis=1)
    return table


def _with_most_missed(table: ColourArray, colours: ColourArray, counts: NDArray[np.int64]) -> ColourArray:
    """The table with as many of the missing colours as it has room for: those of many pixels, and unlike all in it."""
    missed = _distances(colours, table).min(axis=1) * counts
    for _ in range(min(MAX_COLOURS - len(table), len(colours))):
        taken = colours[[int(missed.argmax())]]
        table = np.vstack([table, taken])
        missed = np.minimum(missed, _distances(colours, taken)[:, 0] * counts)
    return table


def _lay(index: NDArray[np.uint8], card: Card, table: ColourArray) -> None:
    height, width, _bands = card.pixels.shape
    found = _distinct(card.pixels)
    index[card.y : card.y + height, card.x : card.x + width] = _nearest(found.colours, table)[found.places]
