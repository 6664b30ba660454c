"""How numbers of a cube relate to numbers of its source: equal, shifted, or in steps of a stated size."""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedFormat
from chronotile.core.model.cube import CubeBlock, CubeDtype, CubeFrame, CubeNumbering, Res
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, NumberArray

MOST = {"uint8": 0xFF, "uint16": 0xFFFF}
SAME_SIZE: dict[int, CubeDtype] = {1: "uint8", 2: "uint16"}
LEVELS: dict[Res, int] = {1: 1000, 2: 200}
"""The maximum number of steps over the range of the layer's colours.

It gives four steps per colour, but less than one for moving pictures, since each additional bit costs a quarter more
bytes (docs/design/cube-tiles.md).
"""
SMALLEST_STEP = 1e-300
LARGEST_COLOURS = 1e300
"""Colours farther from 0 are limited to this value, so that results computed from them are finite."""
PRECISION = 8
"""The minimum ratio of a step to the spacing of floating-point numbers of the same size."""

Ends = tuple[float, float]
"""The smallest and the largest number."""


class RoundStep(NamedTuple):
    """1, 2 or 5 times a power of ten, so that neighbouring tiles and other years mostly have the same numbering."""

    digit: int
    exponent: int

    def times(self, count: int) -> float:
        """Return a multiple of the step, as parsed from decimal text."""
        return float(f"{self.digit * count}e{self.exponent}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceNumbers:
    """The meaning of a source's numbers and their use."""

    encoding: Encoding
    colours: tuple[float, float]
    """Values at the ends of the layer's colours."""
    res: Res
    is_categorical: bool

    @property
    def is_coarse(self) -> bool:
        """Whether steps may be as large as colours allow: the numbers are finer, and the tile is for animations."""
        if self.res == 1 or self.is_categorical:
            return False
        return np.dtype(self.encoding.dtype).itemsize > 1 or _colour_step(self).times(1) > 1


def numbering_of(meaning: SourceNumbers) -> CubeNumbering | None:
    """Return the numbering for most cubes of a source; it may not cover all numbers (see `fits`).

    Return `None` if it depends on the numbers, as for moving pictures of more than 8 bits.
    """
    encoding = meaning.encoding
    kind = np.dtype(encoding.dtype)
    if meaning.is_coarse:
        # 8 bits are in steps of two, from the smallest number of the type.
        first = int(np.iinfo(kind).min) // 2 if kind.itemsize == 1 else None
        return None if first is None else _steps(encoding, "uint8", step=RoundStep(2, 0), first=first)
    if kind.kind == "f":
        return _centre_on_colours(meaning)
    if kind.itemsize > 2:
        return _exact(encoding, "uint16", base=0, nodata=MOST["uint16"], holds=(0, MOST["uint16"] - 1))
    dtype, base = SAME_SIZE[kind.itemsize], int(np.iinfo(kind).min)
    nodata = _free_number(encoding, base, MOST[dtype])
    if nodata is not None:
        return _exact(encoding, dtype, base=base, nodata=nodata)
    return _exact(encoding, dtype, base=base, nodata=MOST[dtype], holds=(base, base + MOST[dtype] - 1))


def numbering_of_frames(frames: Iterable[CubeFrame], meaning: SourceNumbers) -> CubeNumbering:
    """Return the numbering of a cube from the smallest and largest numbers in it.

    Args:
        frames: At least one frame.
        meaning: A meaning for which `numbering_of` gives no fitting numbering.

    Raises:
        UnsupportedFormat: Numbers of classes exceed the range of a cube.
    """
    encoding = meaning.encoding
    kind = np.dtype(encoding.dtype)
    of_values, of_all = _ranges(frames)
    if meaning.is_coarse:
        return _cover_values(of_values, meaning)
    least, most = int(of_all[0]), int(of_all[1])
    exact = _exact_within(least, most, encoding, kind)
    if exact is not None:
        return exact
    if meaning.is_categorical:
        raise UnsupportedFormat(
            f"its classes reach from {least} to {most}, farther than numbers of 16 bits; use tiles", locator="layer"
        )
    return _cover_values(of_values, meaning)


def fits(frame: CubeFrame, numbering: CubeNumbering) -> bool:
    """Return whether a numbering covers all values and flags of a frame."""
    if numbering.holds is None:
        return True
    numbers = frame.numbers[~frame.gaps]
    least, most = numbering.holds
    return not numbers.size or bool(numbers.min() >= least and numbers.max() <= most)


def number_frames(frames: Sequence[CubeFrame], numbering: CubeNumbering) -> CubeBlock:
    """Return frames, which must fit, in the numbers of a cube."""
    return CubeBlock(
        numbers=np.stack([_number_frame(frame, numbering) for frame in frames]),
        valid=np.stack([frame.valid for frame in frames]),
        gaps=np.stack([frame.gaps for frame in frames]),
    )


def is_flag(numbers: NumberArray, encoding: Encoding) -> BoolArray:
    """Return a mask of the numbers that are flags."""
    mask = np.zeros(numbers.shape, dtype=bool)
    for number, _name in encoding.flags:
        mask |= numbers == number
    return mask


def nice_step(least: float) -> RoundStep:
    """Return the smallest step of at least `least`, which must be positive."""
    power = math.floor(math.log10(least))
    steps = (RoundStep(digit, exponent) for exponent in range(power - 1, power + 2) for digit in (1, 2, 5))
    return next(step for step in steps if step.times(1) >= least)


def _free_number(encoding: Encoding, base: int, most: int) -> int | None:
    """Return the nodata number of the cube: the nodata of the source, or a number that is neither valid nor a flag."""
    nodata = encoding.nodata
    if nodata is not None and float(nodata).is_integer() and 0 <= nodata - base <= most:
        return int(nodata) - base
    flag_numbers = {number - base for number, _name in encoding.flags}
    low, high = _valid_range(encoding, base, most) or (0, most)
    outside = itertools.chain(range(most, high, -1), range(low - 1, -1, -1))
    return next((number for number in outside if number not in flag_numbers), None)


def _valid_range(encoding: Encoding, base: int, most: int) -> tuple[int, int] | None:
    """Return the valid range in numbers of the cube, or `None`."""
    if encoding.valid_range is None:
        return None
    low, high = encoding.valid_range
    low, high = max(low - base, 0), min(high - base, most)
    return (math.ceil(low), math.floor(high)) if low <= high else None


def _exact(
    encoding: Encoding, dtype: CubeDtype, *, base: int, nodata: int, holds: tuple[float, float] | None = None
) -> CubeNumbering:
    return CubeNumbering(
        dtype=dtype,
        nodata=nodata,
        scale=encoding.scale,
        offset=encoding.offset + base * encoding.scale,
        base=base,
        flags={
            number - base: (float(number), name)
            for number, name in encoding.flags
            if 0 <= number - base <= MOST[dtype] and (holds is None or number - base != nodata)
        },
        range=_valid_range(encoding, base, MOST[dtype]),
        source_offset=encoding.offset if base else None,
        holds=holds,
    )


def _exact_within(least: int, most: int, encoding: Encoding, kind: np.dtype[Any]) -> CubeNumbering | None:
    """Return a numbering of a cube tile that stores integers from `least` to `most` unchanged or shifted.

    One number is left for missing values. `None` if no supported dtype has that many numbers.
    """
    present = tuple(flag for flag in encoding.flags if least <= flag[0] <= most)
    encoding = replace(encoding, flags=present)  # the number of an absent flag may be used for missing values
    if kind.itemsize <= 2:
        dtype, base = SAME_SIZE[kind.itemsize], int(np.iinfo(kind).min)
        if most - base < MOST[dtype]:
            return _exact(encoding, dtype, base=base, nodata=MOST[dtype])
        if least > base:
            return _exact(encoding, dtype, base=base, nodata=0)
        return _exact(encoding, "uint16", base=base, nodata=MOST["uint16"]) if dtype == "uint8" else None
    base = 0 if least >= 0 and most < MOST["uint16"] else least
    return _exact(encoding, "uint16", base=base, nodata=MOST["uint16"]) if most - base < MOST["uint16"] else None


def _ranges(frames: Iterable[CubeFrame]) -> tuple[Ends, Ends]:
    """Return the range of values, and the range of values and flags; (0, 0) for an empty range."""
    values, everything = list[Ends](), list[Ends]()
    for frame in frames:
        for where, ranges in ((frame.valid, values), (~frame.gaps, everything)):
            numbers = frame.numbers[where]
            if numbers.size:
                ranges.append((numbers.min().item(), numbers.max().item()))
    return _widest(values), _widest(everything)


def _widest(ranges: Sequence[Ends]) -> Ends:
    return (min(least for least, _most in ranges), max(most for _least, most in ranges)) if ranges else (0, 0)


def _centre_on_colours(meaning: SourceNumbers) -> CubeNumbering:
    """Return steps on both sides of the middle of the layer's colours, within the range of an integer type.

    Steps do not widen for distant values, since one undeclared fill value would otherwise give all other values the
    same number. Values beyond the end have the number of the end.
    """
    encoding = meaning.encoding
    kind = np.dtype(encoding.dtype)
    low, high = _colours(meaning)
    step, room = _colour_step(meaning), _room(encoding, "uint16")
    first = round((low / 2 + high / 2) / step.times(1)) - MOST["uint16"] // 2
    if kind.kind == "f":
        return _steps(encoding, "uint16", step=step, first=first, reach=(0, room))
    limits = np.iinfo(kind)
    start, end = math.floor(limits.min / step.times(1)), math.ceil(limits.max / step.times(1))
    first = max(min(first, end - room), start)
    reach = (0 if first > start else None, room if first + room < end else None)
    return _steps(encoding, "uint16", step=step, first=first, reach=reach)


def _cover_values(values: Ends, meaning: SourceNumbers) -> CubeNumbering:
    """Return steps from the smallest to the largest value, in 8 bits if possible for moving pictures.

    If the range is too wide, the steps are centred on the colours.
    """
    least, most = values
    step = _colour_step(meaning)
    if _precision(least, most) <= step.times(1):
        dtypes: tuple[CubeDtype, ...] = ("uint8", "uint16") if meaning.is_coarse else ("uint16",)
        for dtype in dtypes:
            first = math.floor(least / step.times(1))
            if most / step.times(1) - first <= _room(meaning.encoding, dtype):
                return _steps(meaning.encoding, dtype, step=step, first=first)
    return _centre_on_colours(meaning)


def _colours(meaning: SourceNumbers) -> Ends:
    """Return source numbers at the ends of the layer's colours; a single colour is widened by half a unit per side."""
    encoding, (low, high) = meaning.encoding, meaning.colours
    if low == high:
        low, high = low - 0.5, high + 0.5
    ends = np.clip(
        [(value - encoding.offset) / encoding.scale for value in (low, high)], -LARGEST_COLOURS, LARGEST_COLOURS
    )
    return float(ends.min()), float(ends.max())


def _colour_step(meaning: SourceNumbers) -> RoundStep:
    """Return the step for the layer's colours, limited by the precision of numbers of that size."""
    low, high = _colours(meaning)
    finest = SMALLEST_STEP if np.dtype(meaning.encoding.dtype).kind == "f" else 1.0
    return nice_step(max((high - low) / LEVELS[meaning.res], _precision(low, high), finest))


def _precision(low: float, high: float) -> float:
    # The finest step for numbers between these two.
    return PRECISION * math.ulp(max(abs(low), abs(high)))


def _room(encoding: Encoding, dtype: CubeDtype) -> int:
    # The greatest number for a value; flags and nodata are above it.
    return MOST[dtype] - 1 - len(encoding.flags)


def _steps(
    encoding: Encoding,
    dtype: CubeDtype,
    *,
    step: RoundStep,
    first: int,
    reach: tuple[int | None, int | None] = (None, None),
) -> CubeNumbering:
    base = step.times(first)
    return CubeNumbering(
        dtype=dtype,
        nodata=MOST[dtype],
        scale=encoding.scale * step.times(1),
        offset=encoding.offset + encoding.scale * base,
        base=base,
        step=step.times(1),
        flags={MOST[dtype] - 1 - place: (float(number), name) for place, (number, name) in enumerate(encoding.flags)},
        is_quantised=True,
        reach=reach,
    )


def _number_frame(frame: CubeFrame, numbering: CubeNumbering) -> NumberArray:
    if not numbering.is_quantised:
        # The shift wraps around like casts do, so that signed and wide numbers need no wider type.
        shift = np.array(int(numbering.base) % (MOST[numbering.dtype] + 1), dtype=numbering.dtype)
        shifted: NumberArray = frame.numbers.astype(numbering.dtype, copy=False) - shift
        return shifted
    if frame.numbers.itemsize == 1:
        all_numbers = np.arange(256, dtype=np.uint8).view(frame.numbers.dtype)
        numbers: NumberArray = np.take(
            _round_to_steps(all_numbers.astype(np.float64), numbering), frame.numbers.view(np.uint8)
        )
    else:
        numbers = _round_to_steps(np.where(frame.valid, frame.numbers.astype(np.float64), numbering.base), numbering)
    for number, (source, _name) in numbering.flags.items():
        numbers[~frame.gaps & ~frame.valid & (frame.numbers == source)] = number
    return numbers


def _round_to_steps(values: Float64Array, numbering: CubeNumbering) -> NumberArray:
    """Return the numbers of finite values; the array of values is modified."""
    last = MOST[numbering.dtype] - 1 - len(numbering.flags)
    # Clip before the subtraction, since the difference of two huge numbers may not be finite.
    np.clip(values, numbering.base, numbering.base + last * numbering.step, out=values)
    # Round halves up; rounding to even would make steps of two integers cover three and one alternately.
    numbers: NumberArray = np.floor((values - numbering.base) / numbering.step + 0.5).astype(numbering.dtype)
    return numbers


# Halve the resolution of a tile: means of two by two pixels, or their most frequent class.


WIDE: dict[int, type[np.number[Any]]] = {1: np.int16, 2: np.int32, 4: np.int64}
"""Types that hold the sum of four integers, by the bytes of an integer."""


def halve_frame(frame: CubeFrame, *, is_categorical: bool) -> CubeFrame:
    """Return a frame with half the height and width, rounded up.

    A pixel is the mean of the values of four pixels; for integers it is rounded, halves upwards. For classes it is the
    most frequent one, and the first by rows if several are equally frequent. Without values it is the first flag, and
    without flags a gap. At odd edges there are two pixels or one instead of four.
    """
    numbers, valid = _even(frame.numbers), _even(frame.valid)
    counts = _sums(valid, np.uint8)
    halves = _most_frequent(numbers, valid) if is_categorical else _mean(numbers, valid, counts)
    has_value = counts > 0
    present = _even(~frame.gaps)
    if np.array_equal(present, valid):  # no pixel has a flag
        return CubeFrame(numbers=halves, valid=has_value, gaps=~has_value)
    first = _first(numbers, present)
    return CubeFrame(
        numbers=np.where(has_value, halves, first), valid=has_value, gaps=np.equal(_sums(present, np.uint8), 0)
    )


def _even(pixels: AnyArray) -> AnyArray:
    # Pad (y, x) with zeros to an even number of rows and columns.
    height, width = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2))) if height % 2 or width % 2 else pixels


def _sums(pixels: AnyArray, dtype: type[np.number[Any]]) -> AnyArray:
    """Return sums (y, x) of two by two pixels."""
    rows = np.add(pixels[0::2], pixels[1::2], dtype=dtype)
    sums: AnyArray = rows[:, 0::2] + rows[:, 1::2]
    return sums


def _mean(numbers: NumberArray, valid: BoolArray, counts: AnyArray) -> NumberArray:
    """Return means (y, x) of the `counts` values among two by two pixels; 0 without values."""
    counts = np.maximum(counts, 1)
    if numbers.dtype.kind == "f":
        quarters = np.multiply(np.where(valid, numbers, 0), 0.25, dtype=np.float64)  # avoids overflow of the sum
        with np.errstate(over="ignore"):
            return np.asarray(_sums(quarters, np.float64) * (4 / counts), dtype=numbers.dtype)
    sums = _sums(numbers * valid, WIDE.get(numbers.dtype.itemsize, np.float64))
    # These floats are precise enough to distinguish thirds and quarters of such sums from integers, and divide faster.
    quotients = sums / counts.astype(np.float32 if numbers.dtype.itemsize <= 2 else np.float64)
    return np.asarray(np.floor(quotients + 0.5), dtype=numbers.dtype)


def _quarters(pixels: AnyArray) -> AnyArray:
    # Return (4, y, x): upper left, upper right, lower left and lower right pixels.
    return np.stack([pixels[row::2, column::2] for row in (0, 1) for column in (0, 1)])


def _first(numbers: NumberArray, present: BoolArray) -> NumberArray:
    """Return the first present number (y, x) of two by two pixels."""
    place = _quarters(present).argmax(axis=0)
    first: NumberArray = np.take_along_axis(_quarters(numbers), place[np.newaxis], axis=0)[0]
    return first


def _most_frequent(numbers: NumberArray, valid: BoolArray) -> NumberArray:
    """Return the most frequent number (y, x) of two by two pixels, or the first of equally frequent ones."""
    four, sure = _quarters(numbers), _quarters(valid)
    counts = np.stack([((four == q) & sure & is_valid).sum(axis=0) for q, is_valid in zip(four, sure, strict=True)])
    frequent: NumberArray = np.take_along_axis(four, counts.argmax(axis=0)[np.newaxis], axis=0)[0]
    return frequent
