"""Painting of numbers as pictures, by one table look-up per pixel if a table of all numbers is small enough."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

from chronotile.core.model.collection import Composite
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.picture import IndexPicture, Picture, RgbaPicture
from chronotile.core.model.raster import Raster
from chronotile.core.model.style import Colour, Style
from chronotile.core.model.types import AnyArray, BoolArray, IndexArray, NumberArray, UInt8Array
from chronotile.core.size_cache import cache_by_size
from chronotile.pipeline.styling.colours import (
    TOLERANCE,
    class_indexes,
    colours_of_numbers,
    colours_of_values,
    flag_colours,
    slack,
)

# Quantisation: numbers of more than 16 bits in at most 256 colours.
#
# Indexes of a ramp: 0 nodata, 1 below the range, 2 … n + 1 equal steps of the range, n + 2 above it, then one index
# per colour of a flag that differs from nodata. Without flags n is 253; each colour of a flag takes one step. A step
# has the colour of its middle, so a colour is off by at most half a step, and exact at the ends of the range. Indexes
# of classes: 0 nodata, then one index per colour, so all colours are exact.

NODATA = 0
BELOW = 1
FIRST_STEP = 2
MIN_STEPS = 16
"""If flags leave fewer steps, a style is not quantised."""

Indexer = Callable[[NumberArray], UInt8Array]
"""Maps valid numbers to indexes, in the same shape; the index of other numbers is arbitrary."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantiser:
    """Maps numbers to indexes, and indexes to colours."""

    encoding: Encoding
    palette: UInt8Array
    """(256, 4)."""
    indexer: Indexer
    flags: tuple[tuple[int, int], ...]
    """Flag numbers with their indexes."""

    def index(self, numbers: NumberArray, present: BoolArray | None = None) -> UInt8Array:
        """Return the indexes of numbers of any shape; numbers that are not `present` have that of nodata."""
        index = self.indexer(numbers)
        index *= self.encoding.valid(numbers)  # NODATA is 0
        for number, entry in self.flags:
            index[numbers == number] = entry
        if present is not None:
            index *= present
        return index


def quantiser_of(style: Style, encoding: Encoding) -> Quantiser | None:
    """Return the quantiser of a style over an encoding, or `None` if it takes more than 256 colours."""
    flags = tuple((number, colour) for number, colour in flag_colours(style, encoding) if colour != style.nodata)
    extra = tuple(dict.fromkeys(colour for _number, colour in flags))
    colours = _class_table(style) if style.is_categorical else _ramp_table(style, count=253 - len(extra))
    if len(colours) + len(extra) > 256 or len(extra) > 253 - MIN_STEPS:
        return None
    entries = {colour: len(colours) + position for position, colour in enumerate(extra)}
    indexer: Indexer = _Classes(style, encoding) if style.is_categorical else _steps(style, encoding, len(colours) - 3)
    indexes = dict.fromkeys((number for number, _name in encoding.flags), NODATA) | {n: entries[c] for n, c in flags}
    return Quantiser(encoding, palette_of([*colours, *extra]), indexer, tuple(indexes.items()))


def palette_of(colours: Sequence[Colour] | UInt8Array) -> UInt8Array:
    """Return a (256, 4) palette that starts with at most 256 colours."""
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[: len(colours)] = colours
    return palette


def _class_table(style: Style) -> list[Colour]:
    return list(dict.fromkeys((style.nodata, *(entry.colour for entry in style.classes))))


def _ramp_table(style: Style, *, count: int) -> list[Colour]:
    low, high = style.range
    middles = low + (np.arange(max(count, 0)) + 0.5) / max(count, 1) * (high - low)
    steps = (Colour(*colour) for colour in colours_of_values(style, middles).tolist())
    return [style.nodata, style.below, *steps, style.above]


class _Classes:
    """Maps numbers to the index of the class of their value."""

    def __init__(self, style: Style, encoding: Encoding) -> None:
        entries = {colour: index for index, colour in enumerate(_class_table(style))}
        self._style = style
        self._encoding = encoding
        self._entries = np.array([*(entries[entry.colour] for entry in style.classes), NODATA]).astype(np.uint8)

    def __call__(self, numbers: NumberArray) -> UInt8Array:
        values = np.nan_to_num(self._encoding.values(numbers))
        return self._entries[class_indexes(self._style, values)]


@dataclass(frozen=True, slots=True)
class _StepScale:
    """Maps numbers to steps as `(number - pivot) * factor + base`, clipped to below and above."""

    pivot: float
    factor: float
    base: float
    above: int

    def __call__(self, numbers: NumberArray) -> UInt8Array:
        dtype = np.float32 if numbers.dtype == np.float32 else np.float64
        with np.errstate(over="ignore", invalid="ignore"):
            position = np.subtract(numbers, dtype(self.pivot), dtype=dtype)
            position *= dtype(self.factor)
            position += dtype(self.base)
            np.maximum(position, dtype(BELOW), out=position)
            np.minimum(position, dtype(self.above), out=position)
            np.fmax(position, dtype(NODATA), out=position)  # NaN becomes nodata
            return position.astype(np.uint8)


def _steps(style: Style, encoding: Encoding, count: int) -> _StepScale:
    low, high = style.range
    if low == high:
        low, high = low - slack(style), high + slack(style)
    stretch = count * (1 - 2 * TOLERANCE) / (high - low)
    pivot = (low - encoding.offset) / encoding.scale if encoding.scale else 0.0
    base = FIRST_STEP + count * TOLERANCE + (pivot * encoding.scale + encoding.offset - low) * stretch
    return _StepScale(pivot, encoding.scale * stretch, base, FIRST_STEP + count)


KEY_BYTES = 4000
"""Approximate size of a style or an encoding as a key of a cache."""
QUANTISERS = 256
BLOCK_PIXELS = 262_144


def paint(raster: Raster, style: Style) -> Picture:
    """Return the picture of a raster: index and palette, or RGBA if the style needs more than 256 colours.

    Numbers of up to 16 bits have exactly the colours of `colours_of_numbers`, unless a ramp gives them more than 256.
    Then, and for wider numbers, colours are off by at most half a step (see "Quantisation"). The index of an 8-bit
    raster is the number itself, and shares its memory if all pixels are present.
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
    """Return three rasters of one grid as red, green and blue; transparent if one of them has no value."""
    pixels = blank_pixels(*rasters[0].numbers.shape)
    for band, raster in enumerate(rasters):
        paint_band(pixels, band, raster, composite)
    return composite_picture(pixels)


def blank_pixels(height: int, width: int) -> UInt8Array:
    """Return (y, x, 4) pixels for the bands of a composite; alpha is 255 while all painted bands have a value."""
    pixels = np.empty((height, width, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    return pixels


def paint_band(pixels: UInt8Array, band: int, raster: Raster, composite: Composite) -> None:
    """Paint one of the three rasters of a composite into `blank_pixels` of its size."""
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


def composite_picture(pixels: UInt8Array) -> RgbaPicture:
    """Return the picture of three painted bands; transparent black if one of them has no value."""
    for rows in _blocks(pixels.shape):
        part = pixels[rows]
        part.view(np.uint32)[part[..., 3] == 0] = 0
    return RgbaPicture(pixels)


def stack_strips(pictures: Iterable[tuple[slice, Picture]], height: int) -> Picture:
    """Join strips into a picture of `height` rows; they have one style and encoding, and so one palette."""
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
class _ColourTable:
    """Table from the bit pattern of a number to its colour."""

    entries: AnyArray | None
    """Index of each bit pattern; `None` if it is the pattern itself."""
    colours: UInt8Array
    """(256, 4), or more if the style needs more."""
    nodata: int
    """Index of the colour of nodata."""


@dataclass(frozen=True, slots=True, eq=False)
class _Intensities:
    """Table from the bit pattern of a number to the intensity of its band."""

    intensity: UInt8Array
    valid: BoolArray | None
    """`None` if all patterns are valid."""


def _native(numbers: NumberArray) -> NumberArray:
    """Return numbers in the byte order of the machine, and truth values as 0 and 1."""
    if numbers.dtype == np.bool_:
        return numbers.view(np.uint8)
    return numbers.astype(numbers.dtype.newbyteorder("="), copy=False)


def _bits(numbers: NumberArray) -> AnyArray:
    return numbers.view(f"u{numbers.dtype.itemsize}")


def _all_numbers(dtype: np.dtype[Any]) -> NumberArray:
    # All numbers of a type of 8 or 16 bits, in the order of their bit patterns.
    return np.arange(256**dtype.itemsize).astype(f"u{dtype.itemsize}").view(dtype)


@cache_by_size(
    lambda table, *_key: KEY_BYTES + table.colours.nbytes + (0 if table.entries is None else table.entries.nbytes)
)
def _table(style: Style, encoding: Encoding, dtype: np.dtype[Any], has_absent: bool) -> _ColourTable:
    """Return the colours of all numbers of a type of 8 or 16 bits.

    Args:
        style: The style.
        encoding: The encoding.
        dtype: Type of the numbers.
        has_absent: Whether pixels may be absent, so that an 8-bit table needs an index with the colour of nodata.
    """
    numbers = _all_numbers(dtype)
    colours = colours_of_numbers(style, encoding, numbers)
    if dtype.itemsize == 1:
        as_nodata = np.flatnonzero((colours == np.array(style.nodata)).all(axis=1))
        if as_nodata.size or not has_absent:
            return _ColourTable(None, palette_of(colours), _index_of_absent(as_nodata, numbers, encoding))
    colours = np.vstack([np.array([style.nodata], dtype=np.uint8), colours])
    distinct, entries = np.unique(colours.view(np.uint32)[:, 0], return_inverse=True)
    quantiser = _quantiser(style, encoding) if distinct.size > 256 else None
    if quantiser is not None:
        return _ColourTable(quantiser.index(numbers), quantiser.palette, NODATA)
    colours = distinct.view(np.uint8).reshape(-1, 4)
    if distinct.size > 256:
        return _ColourTable(entries[1:].astype(np.uint32), colours, int(entries[0]))
    return _ColourTable(entries[1:].astype(np.uint8), palette_of(colours), int(entries[0]))


def _index_of_absent(as_nodata: IndexArray, numbers: NumberArray, encoding: Encoding) -> int:
    # Prefer the number that is nodata, so that a tile without data has one index, to one of the same colour.
    is_nodata = numbers[as_nodata] == (np.nan if encoding.nodata is None else encoding.nodata)
    return int(next(iter(as_nodata[is_nodata].tolist() or as_nodata.tolist()), 0))


@lru_cache(maxsize=QUANTISERS)
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


def _exact_colours(raster: Raster, style: Style) -> UInt8Array:
    shape = raster.numbers.shape
    colours = colours_of_numbers(style, raster.encoding, raster.numbers.ravel()).reshape(*shape, 4)
    if raster.present is not None:
        colours[~raster.present] = style.nodata
    return colours


def _blocks(shape: tuple[int, ...]) -> Iterator[slice]:
    # Parts of the rows of a picture whose float64 copies fit into the cache of the processor.
    height = max(1, BLOCK_PIXELS // shape[1])
    return (slice(top, top + height) for top in range(0, shape[0], height))


@cache_by_size(lambda table, *_key: KEY_BYTES + table.intensity.nbytes * (1 if table.valid is None else 2))
def _intensity_table(encoding: Encoding, span: tuple[float, float], gamma: float, dtype: np.dtype[Any]) -> _Intensities:
    numbers = _all_numbers(dtype)
    valid = encoding.valid(numbers)
    return _Intensities(_intensities(encoding, span, gamma, numbers), None if valid.all() else valid)


def _intensities(encoding: Encoding, span: tuple[float, float], gamma: float, numbers: NumberArray) -> UInt8Array:
    low, high = span
    inside = np.nan_to_num(np.clip(encoding.values(numbers), low, high), nan=low)
    fraction = (inside - low) / ((high - low) or 1.0)
    return np.rint(fraction ** (1 / gamma) * 255).astype(np.uint8)
