"""Overlapping pieces as one raster: the first piece in order, or a statistic of all pieces.

A pixel has a value, a flag (such as cloud) or another reason for a missing value. A value replaces other reasons. A
flag counts as an observation: with `first`, the flag of an earlier piece hides later pieces; with a statistic, it is
used if no piece has a value. If no piece has a value or flag, the reason comes from the first piece that covers the
pixel.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import EllipsisType
from typing import Any

import numpy as np

from chronotile.core.model.encoding import FIRST_FLAG_CODE, NODATA_CODE, Encoding
from chronotile.core.model.items import MosaicRule
from chronotile.core.model.raster import Codes, Pixels
from chronotile.core.model.types import BoolArray, NumberArray, UInt8Array, UInt16Array
from chronotile.core.warp.level_windows import WHOLE, Slices
from chronotile.core.warp.plan import number_for_absent
from chronotile.readers.joined.recoding import far_exponent, recoding_of

STATISTICS = frozenset({"max", "mean", "median"})
"""Rules that combine the values of all pieces. Other rules use the first piece in order that has a value or flag."""
AVERAGES = frozenset({"mean", "median"})
UNCOVERED_CODE = 255
"""Code of a pixel that a piece does not cover."""
MAX_COMPARED_PLANES = 64
"""Maximum number of planes ranked by comparisons, which grow with its square; more planes are sorted."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A piece on the requested grid, in the common encoding of all pieces."""

    numbers: NumberArray
    """In any shape, which is the same for all sheets."""
    codes: UInt8Array
    """0: a value; `UNCOVERED_CODE`: the piece does not cover the pixel; else a position in `code_names` from 1."""

    @property
    def is_lacking(self) -> BoolArray:
        """Boolean mask of pixels without value and flag."""
        return _is_lacking(self.codes)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartOfGrid:
    """A piece that covers a part of the requested grid and is read on demand."""

    at: Slices
    """Rows and columns of that part."""
    inside: BoolArray | None
    """(y, x) of the part: pixels inside the piece; `None`: all."""
    read: Callable[[Slices], Sheet | None]
    """Read some rows and columns of the part; return `None` if the piece cannot be read."""


def mosaic_encoding(encoding: Encoding, rule: MosaicRule) -> Encoding:
    """Return the encoding of a mosaic of pieces in `encoding`. Averages of integers are floats.

    An average may be any number between two values, also a number that is a flag. Their flags are thus far from values.
    """
    source_dtype = np.dtype(encoding.dtype)
    if rule not in AVERAGES or (source_dtype.kind == "f" and not encoding.flags):
        return encoding
    if source_dtype.kind == "f":
        return replace(encoding, flags=_far_flags(encoding, source_dtype))
    dtype = np.dtype("float64" if source_dtype.itemsize > 2 else "float32")
    flags = _far_flags(encoding, dtype)
    return replace(encoding, dtype=dtype.name, nodata=float("nan"), valid_range=None, flags=flags, text_step=None)


def _far_flags(encoding: Encoding, dtype: np.dtype[Any]) -> tuple[tuple[int, str], ...]:
    far = far_exponent(dtype)
    return tuple((-(2**far) + position * 2 ** (far - 20), name) for position, (_, name) in enumerate(encoding.flags))


def sheet_of(numbers: NumberArray, codes: Codes, *, source: Encoding, target: Encoding) -> Sheet:
    """Return pixels of a piece as a sheet.

    Args:
        numbers: Numbers in the piece's encoding.
        codes: Reasons for missing values by names of that encoding; `UNCOVERED_CODE` for pixels outside the piece.
        source: The piece's encoding.
        target: The common encoding of all pieces, which has all values of `source`.
    """
    recoding = recoding_of(source, target)
    assert recoding is not None  # noqa: S101 -- the caller checked it
    common = target.code_names
    renamed = np.full(256, UNCOVERED_CODE, dtype=np.uint8)
    renamed[0] = 0
    for code, name in enumerate(codes.names, start=1):
        renamed[code] = common.index(name) + 1 if name in common else NODATA_CODE
    is_same = codes.names == common
    return Sheet(recoding.numbers(numbers), codes.numbers if is_same else renamed[codes.numbers])


def overlap_sheets(sheets: Iterable[Sheet], rule: MosaicRule, encoding: Encoding, shape: tuple[int, ...]) -> Pixels:
    """Return the mosaic of sheets.

    Args:
        sheets: Sheets in order; no more are taken than needed.
        rule: Rule that combines them.
        encoding: Common encoding of all sheets.
        shape: Shape of each sheet.

    Returns:
        Numbers of `mosaic_encoding(encoding, rule)` with codes.
    """
    if rule in STATISTICS:
        return _add_codes(*_combine(list(sheets), rule, encoding, shape), encoding)
    return _add_codes(*_first(sheets, encoding, shape), encoding)


def overlap_parts(parts: Iterable[PartOfGrid], rule: MosaicRule, encoding: Encoding, shape: tuple[int, ...]) -> Pixels:
    """Return the mosaic of pieces as `overlap_sheets` does; only pixels that may be used are read from each piece.

    Args:
        parts: Pieces in order.
        rule: Rule that combines them.
        encoding: Common encoding of all pieces.
        shape: Shape of the grid.
    """
    if rule in STATISTICS:
        return overlap_sheets((_expand(sheet, part, shape) for part, sheet in _read(parts)), rule, encoding, shape)
    filled = _Filled(encoding, shape)
    for part in parts:
        needed = filled.slices_to_read(part)
        sheet = None if needed is None else part.read(needed)
        if needed is not None and sheet is not None and filled.add_sheet(sheet, _offset_slices(part.at, needed)):
            break
    return _add_codes(filled.numbers, filled.codes, encoding)


def _read(parts: Iterable[PartOfGrid]) -> Iterator[tuple[PartOfGrid, Sheet]]:
    for part in parts:
        sheet = part.read(WHOLE)
        if sheet is not None:
            yield part, sheet


def _offset_slices(outer: Slices, inner: Slices) -> Slices:
    """Return rows and columns of a part as rows and columns of the grid."""
    rows, columns = (
        slice(o.start + (i.start or 0), o.stop if i.stop is None else o.start + i.stop)
        for o, i in zip(outer, inner, strict=True)
    )
    return rows, columns


def _expand(sheet: Sheet, part: PartOfGrid, shape: tuple[int, ...]) -> Sheet:
    """Return a sheet of the whole grid."""
    if sheet.numbers.shape == shape:
        return sheet
    numbers, codes = np.zeros(shape, dtype=sheet.numbers.dtype), np.full(shape, UNCOVERED_CODE, dtype=np.uint8)
    numbers[part.at], codes[part.at] = sheet.numbers, sheet.codes
    return Sheet(numbers, codes)


def _add_codes(numbers: NumberArray, codes: UInt8Array, encoding: Encoding) -> Pixels:
    np.copyto(codes, NODATA_CODE, where=codes == UNCOVERED_CODE)
    return Pixels(numbers, codes=Codes(codes, encoding.code_names))


def _first(sheets: Iterable[Sheet], encoding: Encoding, shape: tuple[int, ...]) -> tuple[NumberArray, UInt8Array]:
    """Return numbers and codes of the first sheet that has a value or a flag, for each pixel."""
    filled = _Filled(encoding, shape)
    for sheet in sheets:
        if filled.add_sheet(sheet):
            break
    return filled.numbers, filled.codes


class _Filled:
    """Pixels of the first piece in order that has a value or a flag, among the pieces added so far.

    Args:
        encoding: Common encoding of all pieces.
        shape: Shape of the grid.
    """

    def __init__(self, encoding: Encoding, shape: tuple[int, ...]) -> None:
        dtype = np.dtype(encoding.dtype)
        absent = number_for_absent(encoding, dtype)
        self.numbers: NumberArray = np.full(shape, 0 if absent is None else absent, dtype=dtype)
        self.codes: UInt8Array = np.full(shape, UNCOVERED_CODE, dtype=np.uint8)
        self._lacking: BoolArray | None = None
        """Boolean mask of pixels without value and flag; `None` before the first piece: all."""

    def slices_to_read(self, part: PartOfGrid) -> Slices | None:
        """Return the rows and columns of a part that the piece may change; `None` if it changes no pixel."""
        if self._lacking is None:
            return WHOLE
        lacking = self._lacking[part.at]
        if part.inside is not None:
            lacking = lacking & part.inside
        rows = np.flatnonzero(lacking.any(axis=1))
        if not rows.size:
            return None
        columns = np.flatnonzero(lacking.any(axis=0))
        return np.s_[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]

    def add_sheet(self, sheet: Sheet, at: Slices | EllipsisType = ...) -> bool:
        """Add a piece on a part of the grid; return whether all pixels have a value or flag now."""
        numbers, codes = self.numbers[at], self.codes[at]
        if self._lacking is None:
            numbers[...], codes[...] = sheet.numbers, sheet.codes
        else:
            is_better = self._lacking[at]
            if sheet.codes.any():
                # The reason of a piece without value and flag is used if no earlier piece covers the pixel.
                is_better = is_better & (~sheet.is_lacking | (codes == UNCOVERED_CODE))
            np.copyto(numbers, sheet.numbers, where=is_better)
            np.copyto(codes, sheet.codes, where=is_better)
        if not self.codes.any():
            return True
        self._lacking = _is_lacking(self.codes)
        return not self._lacking.any()


def _is_lacking(codes: UInt8Array) -> BoolArray:
    """Return a boolean mask of codes that are neither a value nor a flag."""
    lacking: BoolArray = (codes - np.uint8(1)) < FIRST_FLAG_CODE - 1  # 0 becomes the largest number
    lacking |= codes == UNCOVERED_CODE
    return lacking


def _combine(
    sheets: list[Sheet], rule: MosaicRule, encoding: Encoding, shape: tuple[int, ...]
) -> tuple[NumberArray, UInt8Array]:
    target = mosaic_encoding(encoding, rule)
    dtype = np.dtype(target.dtype)
    valid = [sheet.codes == 0 for sheet in sheets]
    count = np.zeros(shape, dtype=np.uint16)
    for is_valid in valid:
        count += is_valid
    has_value = count > 0
    combined = (
        _STATISTICS[rule](sheets, valid, count, encoding.scale >= 0).astype(dtype, copy=False) if sheets else None
    )
    if combined is not None and has_value.all():
        return combined, np.zeros(shape, dtype=np.uint8)
    numbers, codes = _first(sheets, encoding, shape)
    numbers = numbers.astype(dtype)
    if target.flags != encoding.flags:
        for code, (number, _name) in enumerate(target.flags, start=FIRST_FLAG_CODE):
            numbers[codes == code] = number
    if combined is None:
        return numbers, codes
    return np.where(has_value, combined, numbers), np.where(has_value, 0, codes)


def _max(sheets: Sequence[Sheet], valid: Sequence[BoolArray], _count: UInt16Array, is_rising: bool) -> NumberArray:
    """Return the numbers with the largest value; with a negative scale these are the smallest numbers."""
    kind = sheets[0].numbers.dtype
    limits = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    further, worst = (np.maximum, limits.min) if is_rising else (np.minimum, limits.max)
    numbers: NumberArray = np.full(sheets[0].numbers.shape, worst, dtype=kind)
    for sheet, is_valid in zip(sheets, valid, strict=True):
        further(numbers, sheet.numbers, out=numbers, where=True if is_valid.all() else is_valid)
    return numbers


def _mean(sheets: Sequence[Sheet], valid: Sequence[BoolArray], count: UInt16Array, _is_rising: bool) -> NumberArray:
    total = np.zeros(count.shape, dtype=np.float64)
    for sheet, is_valid in zip(sheets, valid, strict=True):
        np.add(total, sheet.numbers, out=total, where=True if is_valid.all() else is_valid)
    numbers: NumberArray = total / np.maximum(count, 1)
    return numbers


def _median(sheets: Sequence[Sheet], valid: Sequence[BoolArray], count: UInt16Array, _is_rising: bool) -> NumberArray:
    """Return the median; the mean of the two middle values if their number is even."""
    kind = sheets[0].numbers.dtype
    largest = np.iinfo(kind).max if kind.kind in "iu" else np.inf
    planes = np.empty((len(sheets), *count.shape), dtype=kind)
    for plane, sheet, is_valid in zip(planes, sheets, valid, strict=True):
        np.copyto(plane, sheet.numbers)
        if not is_valid.all():
            np.copyto(plane, kind.type(largest), where=~is_valid)
    ranked = _rank(planes)
    # Half the sum of two numbers of 16 bits is a float32.
    exact: np.dtype[Any] = np.dtype("float32" if kind.kind in "iu" and kind.itemsize <= 2 else "float64")
    numbers: NumberArray = np.zeros(count.shape, dtype=exact)
    for n in np.flatnonzero(np.bincount(count.reshape(-1))).tolist():
        if n:
            middle = ranked[(n - 1) // 2].astype(exact)
            middle += ranked[n // 2]
            middle /= 2
            np.copyto(numbers, middle, where=count == n)
    return numbers


def _rank(planes: NumberArray) -> list[NumberArray]:
    """Return the planes with the numbers of each pixel in ascending order. The planes are overwritten.

    They are ranked by a network of comparisons of whole planes (Knuth, TAOCP 5.3.4). It takes a seventh of the time of
    sorting each pixel for 10 planes, and five times as much for 256.
    """
    if len(planes) > MAX_COMPARED_PLANES:
        planes.sort(axis=0)
        return list(planes)
    ranked, spare = list(planes), np.empty_like(planes[0])
    for turn in range(len(ranked)):
        for position in range(turn % 2, len(ranked) - 1, 2):
            low, high = ranked[position : position + 2]
            np.minimum(low, high, out=spare)
            np.maximum(low, high, out=high)
            ranked[position], spare = spare, low
    return ranked


_STATISTICS: dict[str, Callable[[Sequence[Sheet], Sequence[BoolArray], UInt16Array, bool], NumberArray]] = {
    "max": _max,
    "mean": _mean,
    "median": _median,
}
