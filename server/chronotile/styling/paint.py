"""Numbers become pictures, by one table look-up a pixel wherever a table of all numbers fits."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from chronotile.model.collection import Composite
from chronotile.model.raster import Encoding, IndexPicture, Numbers, Picture, Raster, RgbaPicture
from chronotile.model.style import Style
from chronotile.styling.colours import colours_of_numbers
from chronotile.styling.quantise import NODATA, Quantiser, palette_of, quantiser_of

TABLES = 256
"""Tables of each kind that are cached, at most 128 kB each."""
BLOCK_PIXELS = 262_144


def paint(raster: Raster, style: Style) -> Picture:
    """Return the picture of a raster: index and palette, or RGBA where the style takes more than 256 colours.

    Numbers of up to 16 bits have exactly the colours of `colours_of_numbers`, unless a ramp gives them more than 256;
    then, and for wider numbers, colours are at most half a step off (see `quantise`). The index of an 8-bit raster is
    the number itself, and shares its memory where all pixels are present.
    """
    numbers = _native(raster.numbers)
    if numbers.dtype.itemsize > 2:
        return _paint_wide(Raster(numbers, raster.encoding, raster.present), style)
    has_absent = raster.present is not None and numbers.dtype.itemsize == 1
    table = _table(style, raster.encoding, numbers.dtype, has_absent)
    index = _bits(numbers) if table.entries is None else table.entries.take(_bits(numbers))
    if raster.present is not None:
        index = np.where(raster.present, index, index.dtype.type(table.nodata))
    return IndexPicture(index, table.colours) if len(table.colours) == 256 else RgbaPicture(table.colours[index])


def paint_composite(rasters: tuple[Raster, Raster, Raster], composite: Composite) -> RgbaPicture:
    """Return three rasters of one grid as red, green and blue; transparent where any of them has no value."""
    pixels = blank_pixels(*rasters[0].numbers.shape)
    for band, raster in enumerate(rasters):
        paint_band(pixels, band, raster, composite)
    return composite_picture(pixels)


def blank_pixels(height: int, width: int) -> NDArray[np.uint8]:
    """Return (y, x, 4) to paint the bands of a composite into; alpha is 255 where all bands so far have a value."""
    pixels = np.empty((height, width, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    return pixels


def paint_band(pixels: NDArray[np.uint8], band: int, raster: Raster, composite: Composite) -> None:
    """Paint one of a composite's three rasters into `blank_pixels` of its size."""
    numbers = _native(raster.numbers)
    if numbers.dtype.itemsize > 2:
        for rows in _blocks(numbers.shape):
            pixels[rows, :, band] = _intensities(raster.encoding, composite.range, composite.gamma, numbers[rows])
        pixels[..., 3] *= raster.valid
        return
    table = _intensity_table(raster.encoding, composite.range, composite.gamma, numbers.dtype)
    bits = _bits(numbers)
    pixels[..., band] = table.intensity.take(bits)
    if table.valid is not None:
        pixels[..., 3] *= table.valid.take(bits)
    if raster.present is not None:
        pixels[..., 3] *= raster.present


def composite_picture(pixels: NDArray[np.uint8]) -> RgbaPicture:
    """Return the picture of all three bands, transparent black where any of them has no value."""
    for rows in _blocks(pixels.shape):
        part = pixels[rows]
        part.view(np.uint32)[part[..., 3] == 0] = 0
    return RgbaPicture(pixels)


def stack_strips(pictures: Iterable[tuple[slice, Picture]], height: int) -> Picture:
    """Return the picture of `height` rows from its strips, which have one style and encoding, so one palette."""
    whole: Picture | None = None
    for rows, strip in pictures:
        if rows == slice(0, height):
            return strip
        if isinstance(strip, IndexPicture):
            if whole is None:
                whole = IndexPicture(np.empty((height, strip.index.shape[1]), dtype=np.uint8), strip.palette)
            cast("IndexPicture", whole).index[rows] = strip.index
        else:
            if whole is None:
                whole = RgbaPicture(np.empty((height, *strip.pixels.shape[1:]), dtype=np.uint8))
            cast("RgbaPicture", whole).pixels[rows] = strip.pixels
    if whole is None:
        raise ValueError("a picture has at least one strip")
    return whole


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """The look-up from the bit pattern of a number to its colour."""

    entries: NDArray[Any] | None
    """The index of each bit pattern; `None` where it is the pattern itself."""
    colours: NDArray[np.uint8]
    """(256, 4), or more where the style takes more."""
    nodata: int
    """The index that has nodata's colour."""


@dataclass(frozen=True, slots=True, eq=False)
class _Intensities:
    """The look-up from the bit pattern of a number to the intensity of its band."""

    intensity: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None
    """`None` where all are."""


def _native(numbers: Numbers) -> Numbers:
    """Return numbers in the machine's byte order, and truth values as 0 and 1."""
    if numbers.dtype == np.bool_:
        return numbers.view(np.uint8)
    return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def _bits(numbers: Numbers) -> NDArray[Any]:
    return numbers.view(f"u{numbers.dtype.itemsize}")


def _all_numbers(dtype: np.dtype[Any]) -> Numbers:
    """Return every number of a type of 8 or 16 bits, in the order of their bit patterns."""
    return np.arange(256**dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)


@lru_cache(maxsize=TABLES)
def _table(style: Style, encoding: Encoding, dtype: np.dtype[Any], has_absent: bool) -> _Table:
    """Return the style composed with the encoding, over all numbers of a type of 8 or 16 bits.

    Args:
        style: What colours values have.
        encoding: What values numbers have.
        dtype: Type of the numbers.
        has_absent: Whether an 8-bit table needs an index with nodata's colour even if no number has it.
    """
    numbers = _all_numbers(dtype)
    colours = colours_of_numbers(style, encoding, numbers)
    if dtype.itemsize == 1:
        as_nodata = np.flatnonzero((colours == np.array(style.nodata)).all(axis=1))
        if as_nodata.size or not has_absent:
            return _Table(None, palette_of(colours), _index_of_absent(as_nodata, numbers, encoding))
    colours = np.vstack([np.array([style.nodata], dtype=np.uint8), colours])
    distinct, entries = np.unique(colours.view(np.uint32)[:, 0], return_inverse=True)
    quantiser = _quantiser(style, encoding) if distinct.size > 256 else None
    if quantiser is not None:
        return _Table(quantiser.index(numbers), quantiser.palette, NODATA)
    colours = distinct.view(np.uint8).reshape(-1, 4)
    if distinct.size > 256:
        return _Table(entries[1:].astype(np.uint32), colours, int(entries[0]))
    return _Table(entries[1:].astype(np.uint8), palette_of(colours), int(entries[0]))


def _index_of_absent(as_nodata: NDArray[np.intp], numbers: Numbers, encoding: Encoding) -> int:
    """Return the number that is nodata, so that a tile without data is of one index, else one that looks like it."""
    is_nodata = numbers[as_nodata] == (np.nan if encoding.nodata is None else encoding.nodata)
    return int(next(iter(as_nodata[is_nodata].tolist() or as_nodata.tolist()), 0))


@lru_cache(maxsize=TABLES)
def _quantiser(style: Style, encoding: Encoding) -> Quantiser | None:
    return quantiser_of(style, encoding)


def _paint_wide(raster: Raster, style: Style) -> Picture:
    quantiser = _quantiser(style, raster.encoding)
    shape = raster.numbers.shape
    painted = np.empty(shape if quantiser else (*shape, 4), dtype=np.uint8)
    for rows in _blocks(shape):
        present = None if raster.present is None else raster.present[rows]
        block = Raster(raster.numbers[rows], raster.encoding, present)
        painted[rows] = quantiser.index(block.numbers, present) if quantiser else _exact_colours(block, style)
    return IndexPicture(painted, quantiser.palette) if quantiser else RgbaPicture(painted)


def _exact_colours(raster: Raster, style: Style) -> NDArray[np.uint8]:
    shape = raster.numbers.shape
    colours = colours_of_numbers(style, raster.encoding, raster.numbers.ravel()).reshape(*shape, 4)
    if raster.present is not None:
        colours[~raster.present] = style.nodata
    return colours


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    """The rows of a picture in parts whose float64 copies stay small, and in the processor's cache."""
    height = max(1, BLOCK_PIXELS // shape[1])
    return (slice(top, top + height) for top in range(0, shape[0], height))


@lru_cache(maxsize=TABLES)
def _intensity_table(encoding: Encoding, span: tuple[float, float], gamma: float, dtype: np.dtype[Any]) -> _Intensities:
    numbers = _all_numbers(dtype)
    valid = encoding.valid(numbers)
    return _Intensities(_intensities(encoding, span, gamma, numbers), None if valid.all() else valid)


def _intensities(encoding: Encoding, span: tuple[float, float], gamma: float, numbers: Numbers) -> NDArray[np.uint8]:
    low, high = span
    inside = np.nan_to_num(np.clip(encoding.values(numbers), low, high), nan=low)
    share = (inside - low) / ((high - low) or 1.0)
    return np.rint(share ** (1 / gamma) * 255).astype(np.uint8)
