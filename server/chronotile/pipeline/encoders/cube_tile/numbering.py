"""Which numbers of a cube stand for which of its source: themselves, shifted, or steps of a stated size."""

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
"""Steps over the range of the layer's colours, at most: four a colour; for moving pictures less than one, since a finer
bit is a quarter more bytes (docs/design/cube-tiles.md)."""
SMALLEST_STEP = 1e-300
LARGEST_COLOURS = 1e300
"""Farther from 0 colours are taken to end here, so that whatever is computed of them is finite."""
PRECISION = 8
"""Steps are at least so many times as large as the spacing of numbers of their size."""

Ends = tuple[float, float]
"""The least and the most."""


class Step(NamedTuple):
    """1, 2 or 5 times a power of ten: with those, neighbouring tiles and other years mostly have the same numbers."""

    digit: int
    exponent: int

    def times(self, count: int) -> float:
        """Return so many steps, as they are read from decimal text."""
        return float(f"{self.digit * count}e{self.exponent}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What the numbers of a source are, and what is made of them."""

    encoding: Encoding
    colours: tuple[float, float]
    """The values at the ends of the layer's colours."""
    res: Res
    is_categorical: bool

    @property
    def is_coarse(self) -> bool:
        """Whether steps will do that tell colours apart: for moving pictures, of numbers that have more to tell."""
        if self.res == 1 or self.is_categorical:
            return False
        return np.dtype(self.encoding.dtype).itemsize > 1 or _colour_step(self).times(1) > 1


def numbering_of(meaning: Meaning) -> CubeNumbering | None:
    """Return the numbering that suits most cubes of a source; some numbers may have none in it (`fits`).

    `None` where it hangs on the numbers: of moving pictures of more than 8 bits.
    """
    encoding = meaning.encoding
    kind = np.dtype(encoding.dtype)
    if meaning.is_coarse:
        # Of 8 bits in steps of two, from the least number of the type on.
        first = int(np.iinfo(kind).min) // 2 if kind.itemsize == 1 else None
        return None if first is None else _steps(encoding, "uint8", step=Step(2, 0), first=first)
    if kind.kind == "f":
        return _about_colours(meaning)
    if kind.itemsize > 2:
        return _exact(encoding, "uint16", base=0, nodata=MOST["uint16"], holds=(0, MOST["uint16"] - 1))
    dtype, base = SAME_SIZE[kind.itemsize], int(np.iinfo(kind).min)
    nodata = _free_number(encoding, base, MOST[dtype])
    if nodata is not None:
        return _exact(encoding, dtype, base=base, nodata=nodata)
    return _exact(encoding, dtype, base=base, nodata=MOST[dtype], holds=(base, base + MOST[dtype] - 1))


def numbering_of_frames(frames: Iterable[CubeFrame], meaning: Meaning) -> CubeNumbering:
    """Return the numbering of a cube by the least and the most of all that it holds.

    Args:
        frames: At least one.
        meaning: Of numbers for which `numbering_of` has none, or one that does not fit.

    Raises:
        UnsupportedFormat: Classes reach farther than a cube's numbers.
    """
    encoding = meaning.encoding
    kind = np.dtype(encoding.dtype)
    of_values, of_all = _ranges(frames)
    if meaning.is_coarse:
        return _within(of_values, meaning)
    least, most = int(of_all[0]), int(of_all[1])
    found = _exact_within(least, most, encoding, kind)
    if found is not None:
        return found
    if meaning.is_categorical:
        raise UnsupportedFormat(
            f"its classes reach from {least} to {most}, farther than numbers of 16 bits; use tiles", locator="layer"
        )
    return _within(of_values, meaning)


def fits(frame: CubeFrame, numbering: CubeNumbering) -> bool:
    """Return whether all values and flags have a number of their own in a numbering, or need none."""
    if numbering.holds is None:
        return True
    some = frame.numbers[~frame.gaps]
    least, most = numbering.holds
    return not some.size or bool(some.min() >= least and some.max() <= most)


def number_frames(frames: Sequence[CubeFrame], numbering: CubeNumbering) -> CubeBlock:
    """Return frames, all of which fit, in the numbers of a cube."""
    return CubeBlock(
        numbers=np.stack([_numbered(frame, numbering) for frame in frames]),
        valid=np.stack([frame.valid for frame in frames]),
        gaps=np.stack([frame.gaps for frame in frames]),
    )


def is_flag(numbers: NumberArray, encoding: Encoding) -> BoolArray:
    """Return where numbers are flags."""
    found = np.zeros(numbers.shape, dtype=bool)
    for number, _name in encoding.flags:
        found |= numbers == number
    return found


def nice_step(least: float) -> Step:
    """Return the smallest step that is not below `least`, which is positive."""
    power = math.floor(math.log10(least))
    steps = (Step(digit, exponent) for exponent in range(power - 1, power + 2) for digit in (1, 2, 5))
    return next(step for step in steps if step.times(1) >= least)


def _free_number(encoding: Encoding, base: int, most: int) -> int | None:
    """The number of the cube that is nodata: the source's own, or one that is neither valid nor a flag."""
    nodata = encoding.nodata
    if nodata is not None and float(nodata).is_integer() and 0 <= nodata - base <= most:
        return int(nodata) - base
    taken = {number - base for number, _name in encoding.flags}
    low, high = _valid_range(encoding, base, most) or (0, most)
    outside = itertools.chain(range(most, high, -1), range(low - 1, -1, -1))
    return next((number for number in outside if number not in taken), None)


def _valid_range(encoding: Encoding, base: int, most: int) -> tuple[int, int] | None:
    """The valid range in numbers of the cube, `None` without one."""
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
    """The numbering of integers from `least` to `most` that leaves one free, if there is one."""
    present = tuple(flag for flag in encoding.flags if least <= flag[0] <= most)
    encoding = replace(encoding, flags=present)  # that of another may be the free one
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
    """The least and the most of the values, and those of values and flags; 0 where there are none."""
    values, everything = list[Ends](), list[Ends]()
    for frame in frames:
        for where, found in ((frame.valid, values), (~frame.gaps, everything)):
            some = frame.numbers[where]
            if some.size:
                found.append((some.min().item(), some.max().item()))
    return _widest(values), _widest(everything)


def _widest(found: Sequence[Ends]) -> Ends:
    return (min(least for least, _most in found), max(most for _least, most in found)) if found else (0, 0)


def _about_colours(meaning: Meaning) -> CubeNumbering:
    """Steps to either side of the middle of the layer's colours; integers have none where their type ends.

    Steps are never wider, however far off a value lies: a fill value that nobody declared would leave all others one
    number. What lies beyond has the number of the end.
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


def _within(values: Ends, meaning: Meaning) -> CubeNumbering:
    """Steps from the least value to the most, of moving pictures in 8 bits if they fit; else about the colours."""
    least, most = values
    step = _colour_step(meaning)
    if _precision(least, most) <= step.times(1):
        dtypes: tuple[CubeDtype, ...] = ("uint8", "uint16") if meaning.is_coarse else ("uint16",)
        for dtype in dtypes:
            first = math.floor(least / step.times(1))
            if most / step.times(1) - first <= _room(meaning.encoding, dtype):
                return _steps(meaning.encoding, dtype, step=step, first=first)
    return _about_colours(meaning)


def _colours(meaning: Meaning) -> Ends:
    """The numbers of the source at the ends of the layer's colours; of a single colour half a unit to either side."""
    encoding, (low, high) = meaning.encoding, meaning.colours
    if low == high:
        low, high = low - 0.5, high + 0.5
    ends = np.clip(
        [(value - encoding.offset) / encoding.scale for value in (low, high)], -LARGEST_COLOURS, LARGEST_COLOURS
    )
    return float(ends.min()), float(ends.max())


def _colour_step(meaning: Meaning) -> Step:
    """The step that the layer's colours need, though none that numbers so large cannot tell apart."""
    low, high = _colours(meaning)
    finest = SMALLEST_STEP if np.dtype(meaning.encoding.dtype).kind == "f" else 1.0
    return nice_step(max((high - low) / LEVELS[meaning.res], _precision(low, high), finest))


def _precision(low: float, high: float) -> float:
    # The finest step of numbers between two.
    return PRECISION * math.ulp(max(abs(low), abs(high)))


def _room(encoding: Encoding, dtype: CubeDtype) -> int:
    # The greatest number that a value may have: above it are flags and nodata.
    return MOST[dtype] - 1 - len(encoding.flags)


def _steps(
    encoding: Encoding, dtype: CubeDtype, *, step: Step, first: int, reach: tuple[int | None, int | None] = (None, None)
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


def _numbered(frame: CubeFrame, numbering: CubeNumbering) -> NumberArray:
    if not numbering.is_quantised:
        # Modulo the type's size, as casts are too: signed and wide numbers need no wider type in between.
        shift = np.array(int(numbering.base) % (MOST[numbering.dtype] + 1), dtype=numbering.dtype)
        shifted: NumberArray = frame.numbers.astype(numbering.dtype, copy=False) - shift
        return shifted
    if frame.numbers.itemsize == 1:
        each = np.arange(256, dtype=np.uint8).view(frame.numbers.dtype)
        numbers: NumberArray = np.take(_in_steps(each.astype(np.float64), numbering), frame.numbers.view(np.uint8))
    else:
        numbers = _in_steps(np.where(frame.valid, frame.numbers.astype(np.float64), numbering.base), numbering)
    for number, (source, _name) in numbering.flags.items():
        numbers[~frame.gaps & ~frame.valid & (frame.numbers == source)] = number
    return numbers


def _in_steps(values: Float64Array, numbering: CubeNumbering) -> NumberArray:
    """The numbers of values, all of them finite, which are changed."""
    last = MOST[numbering.dtype] - 1 - len(numbering.flags)
    # Before they are subtracted, since the difference of two that are huge is not finite.
    np.clip(values, numbering.base, numbering.base + last * numbering.step, out=values)
    # Halves upwards: to even, steps of two whole numbers would take three and one in turn.
    numbers: NumberArray = np.floor((values - numbering.base) / numbering.step + 0.5).astype(numbering.dtype)
    return numbers


# Half the resolution of a tile: means of two by two pixels, or the class that most of them have.


WIDE: dict[int, type[np.number[Any]]] = {1: np.int16, 2: np.int32, 4: np.int64}
"""What holds four whole numbers of so many bytes together."""


def halve_frame(frame: CubeFrame, *, is_categorical: bool) -> CubeFrame:
    """Return (y, x) of half the height and width, rounded up.

    A pixel is the mean of the values of its four, rounded to a number of theirs where those are whole (halves upwards);
    of classes the most frequent, the first by rows where several are. Without values it is the first flag, without
    those a gap. At odd edges there are two pixels, or one.
    """
    numbers, valid = _even(frame.numbers), _even(frame.valid)
    counts = _sums(valid, np.uint8)
    halves = _most_frequent(numbers, valid) if is_categorical else _mean(numbers, valid, counts)
    has_value = counts > 0
    present = _even(~frame.gaps)
    if np.array_equal(present, valid):  # without flags
        return CubeFrame(numbers=halves, valid=has_value, gaps=~has_value)
    first = _first(numbers, present)
    return CubeFrame(
        numbers=np.where(has_value, halves, first), valid=has_value, gaps=np.equal(_sums(present, np.uint8), 0)
    )


def _even(pixels: AnyArray) -> AnyArray:
    # (y, x) with an even number of rows and columns: beyond odd edges zeros.
    height, width = pixels.shape
    return np.pad(pixels, ((0, height % 2), (0, width % 2))) if height % 2 or width % 2 else pixels


def _sums(pixels: AnyArray, dtype: type[np.number[Any]]) -> AnyArray:
    """(y, x) sums of two by two pixels."""
    rows = np.add(pixels[0::2], pixels[1::2], dtype=dtype)
    sums: AnyArray = rows[:, 0::2] + rows[:, 1::2]
    return sums


def _mean(numbers: NumberArray, valid: BoolArray, counts: AnyArray) -> NumberArray:
    """(y, x) means of the values of two by two pixels, of which there are `counts`; 0 where there are none."""
    counts = np.maximum(counts, 1)
    if numbers.dtype.kind == "f":
        quarters = np.multiply(np.where(valid, numbers, 0), 0.25, dtype=np.float64)  # four of the largest have no sum
        with np.errstate(over="ignore"):
            return np.asarray(_sums(quarters, np.float64) * (4 / counts), dtype=numbers.dtype)
    sums = _sums(numbers * valid, WIDE.get(numbers.dtype.itemsize, np.float64))
    # Floats of half as many bits again tell thirds and quarters of such sums from whole numbers, and divide quicker.
    quotients = sums / counts.astype(np.float32 if numbers.dtype.itemsize <= 2 else np.float64)
    return np.asarray(np.floor(quotients + 0.5), dtype=numbers.dtype)


def _quarters(pixels: AnyArray) -> AnyArray:
    # (4, y, x): upper left, upper right, lower left and lower right pixels.
    return np.stack([pixels[row::2, column::2] for row in (0, 1) for column in (0, 1)])


def _first(numbers: NumberArray, present: BoolArray) -> NumberArray:
    """(y, x): of two by two pixels the first that is present."""
    place = _quarters(present).argmax(axis=0)
    first: NumberArray = np.take_along_axis(_quarters(numbers), place[np.newaxis], axis=0)[0]
    return first


def _most_frequent(numbers: NumberArray, valid: BoolArray) -> NumberArray:
    """(y, x): the number that most of two by two pixels have, of several the first."""
    four, sure = _quarters(numbers), _quarters(valid)
    counts = np.stack([((four == one) & sure & known).sum(axis=0) for one, known in zip(four, sure, strict=True)])
    found: NumberArray = np.take_along_axis(four, counts.argmax(axis=0)[np.newaxis], axis=0)[0]
    return found
