"""Numbers of more than 16 bits in at most 256 colours.

A ramp: 0 nodata, 1 below the range, 2 … n + 1 equal steps of the range, n + 2 above it, then one index for each colour
of a flag that differs from nodata's. Without flags n is 253; each flag colour takes one step. A step has the colour of
its middle, so no pixel is more than half a step from the colour its value has, and the ends of the range are exact.
Classes: 0 nodata, then one index a colour, so all are exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import BoolArray, Encoding, IndexArray, Numbers
from chronotile.model.style import Colour, Style
from chronotile.styling.colours import TOLERANCE, class_indexes, colours_of_values, flag_colours, slack

NODATA = 0
BELOW = 1
FIRST_STEP = 2
FEWEST_STEPS = 16
"""A style with so many flags that fewer are left is not quantised."""


class Indexer(Protocol):
    """Finds the index of valid numbers; for others it may give any."""

    def __call__(self, numbers: Numbers) -> IndexArray:
        """Return indexes of the same shape."""


@dataclass(frozen=True, slots=True, eq=False)
class Quantiser:
    """Gives each number an index and each index a colour."""

    encoding: Encoding
    palette: NDArray[np.uint8]
    """(256, 4)."""
    indexer: Indexer
    flags: tuple[tuple[int, int], ...]
    """Flag numbers with their indexes."""

    def index(self, numbers: Numbers, present: BoolArray | None = None) -> IndexArray:
        """Return the indexes of numbers of any shape; those not `present` have nodata's."""
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
    if len(colours) + len(extra) > 256 or len(extra) > 253 - FEWEST_STEPS:
        return None
    entries = {colour: len(colours) + position for position, colour in enumerate(extra)}
    indexer: Indexer = _Classes(style, encoding) if style.is_categorical else _steps(style, encoding, len(colours) - 3)
    own = dict.fromkeys((number for number, _name in encoding.flags), NODATA) | {n: entries[c] for n, c in flags}
    return Quantiser(encoding, palette_of([*colours, *extra]), indexer, tuple(own.items()))


def palette_of(colours: Sequence[Colour] | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (256, 4) that begins with at most 256 colours."""
    palette = np.zeros((256, 4), dtype=np.uint8)
    palette[: len(colours)] = colours
    return palette


def _class_table(style: Style) -> list[Colour]:
    return list(dict.fromkeys((style.nodata, *(each.colour for each in style.classes))))


def _ramp_table(style: Style, *, count: int) -> list[Colour]:
    low, high = style.range
    middles = low + (np.arange(max(count, 0)) + 0.5) / max(count, 1) * (high - low)
    steps = (Colour(*colour) for colour in colours_of_values(style, middles).tolist())
    return [style.nodata, style.below, *steps, style.above]


class _Classes:
    """Finds the index of the class that a number's value is."""

    def __init__(self, style: Style, encoding: Encoding) -> None:
        entries = {colour: index for index, colour in enumerate(_class_table(style))}
        self._style = style
        self._encoding = encoding
        self._entries = np.array([*(entries[each.colour] for each in style.classes), NODATA]).astype(np.uint8)

    def __call__(self, numbers: Numbers) -> IndexArray:
        values = np.nan_to_num(self._encoding.values(numbers))
        return self._entries[class_indexes(self._style, values)]


@dataclass(frozen=True, slots=True)
class _Steps:
    """Finds the step of a number as `(number - pivot) * factor + base`, cut off to below and above."""

    pivot: float
    factor: float
    base: float
    above: int

    def __call__(self, numbers: Numbers) -> IndexArray:
        dtype = np.float32 if numbers.dtype == np.float32 else np.float64
        with np.errstate(over="ignore", invalid="ignore"):
            position = np.subtract(numbers, dtype(self.pivot), dtype=dtype)
            position *= dtype(self.factor)
            position += dtype(self.base)
            np.maximum(position, dtype(BELOW), out=position)
            np.minimum(position, dtype(self.above), out=position)
            np.fmax(position, dtype(NODATA), out=position)  # NaN becomes nodata
            return position.astype(np.uint8)


def _steps(style: Style, encoding: Encoding, count: int) -> _Steps:
    low, high = style.range
    if low == high:
        low, high = low - slack(style), high + slack(style)
    stretch = count * (1 - 2 * TOLERANCE) / (high - low)
    pivot = (low - encoding.offset) / encoding.scale if encoding.scale else 0.0
    base = FIRST_STEP + count * TOLERANCE + (pivot * encoding.scale + encoding.offset - low) * stretch
    return _Steps(pivot, encoding.scale * stretch, base, FIRST_STEP + count)
