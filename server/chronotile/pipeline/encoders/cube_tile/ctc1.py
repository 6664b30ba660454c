"""Cubes as CTC1 (docs/design/ctc1.md): masks and residuals of a predictor, in gzip limited to runs."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import orjson
from isal import igzip_lib
from numpy.typing import NDArray

from chronotile.core.model.cube import CubeAbout, CubeBlock
from chronotile.core.model.types import BoolArray, Int32Array, UInt8Array, UnsignedArray

ENCODER_VERSION = "6"
"""Part of the ETag of every cube. Raise it when the same cube gives other bytes."""

MAGIC = b"CTC1"
ALIGNMENT = 8
GZIP_LEVEL = 1
RUNS_ALONE = 1
"""Logarithm of the bytes that gzip looks back; in noise, more distant repetitions cost more bits than they save."""
GZIP_MEMORY = {"uint8": igzip_lib.MEM_LEVEL_SMALL, "uint16": igzip_lib.MEM_LEVEL_MIN}
"""Memory level of gzip by type; low for 16 bits, since low and high bytes have different statistics."""

LeftOut = Mapping[str, Sequence[str]]
Predictor = Literal[1, 2]
BY_TIME: Predictor = 1
BY_GRADIENT: Predictor = 2

Wide = NDArray[np.signedinteger[Any]]


@dataclass(slots=True)
class _BlockStatistics:
    """Statistics collected from the blocks while they are written."""

    tile_pixels: int
    pixels: Int32Array | None
    """(y, x): the number of pixels of the tile per number; `None` if it is the same for all numbers."""
    shares: list[float] = field(default_factory=list)
    blocks: list[dict[str, int]] = field(default_factory=list)
    least: int | None = None
    most: int | None = None
    is_empty: bool = True

    def add_block(self, block: CubeBlock) -> None:
        self.shares += [round(self._share(frame), 4) for frame in block.valid]
        self.is_empty = self.is_empty and bool(block.gaps.all())

    def _share(self, valid: BoolArray) -> float:
        """Return the fraction of the tile's pixels with a value."""
        if self.pixels is None:
            return int(np.count_nonzero(valid)) / valid.size
        return int(self.pixels.sum(where=valid)) / self.tile_pixels

    def reach(self, block: CubeBlock) -> None:
        """Widen the observed range by the values of a block."""
        for numbers, valid in zip(block.numbers, block.valid, strict=True):
            if valid.any():
                bits = _bits(valid, numbers.dtype)
                least, most = int((numbers | ~bits).min()), int((numbers & bits).max())
                self.least = least if self.least is None else min(least, self.least)
                self.most = most if self.most is None else max(most, self.most)


def encode_cube(
    about: CubeAbout,
    blocks: Iterable[CubeBlock],
    *,
    lacking: Collection[int] = (),
    left_out: Callable[[], LeftOut] = dict,
) -> bytes:
    """Return a cube as CTC1 in gzip, or no bytes if it has no values or flags and nothing is missing.

    Args:
        about: The metadata for the header.
        blocks: Blocks in order of time; each is read when needed and then released.
        lacking: Indexes of times without a block, since they cannot be read; read after all blocks.
        left_out: Returns the ids of mosaic items that the blocks lack, by time; called after all blocks.
    """
    grid = about.tile.grid
    statistics = _BlockStatistics(grid.width * grid.height, None if about.places is None else about.places.pixels)
    parts = list[UInt8Array]()
    predictor = BY_TIME if about.is_categorical else BY_GRADIENT
    for block in blocks:
        statistics.add_block(block)
        if about.numbering.range is None:
            statistics.reach(block)
        parts += _pack(block, predictor, statistics)
    items = left_out()
    if statistics.is_empty and not lacking and not items:
        return b""
    # The magic, the length of the header and the header, with spaces up to a multiple of 8 bytes.
    header = orjson.dumps(_header(about, statistics, lacking, items))
    length = len(header) + -(len(MAGIC) + 4 + len(header)) % ALIGNMENT
    body = bytearray(MAGIC + length.to_bytes(4, "little") + header.ljust(length))
    parts.reverse()
    while parts:  # frees each part when it is copied, because two copies of all parts need too much memory
        body += parts.pop().data
    memory = GZIP_MEMORY[about.numbering.dtype]
    return igzip_lib.compress(body, GZIP_LEVEL, igzip_lib.COMP_GZIP, memory, RUNS_ALONE)


def _header(
    about: CubeAbout, statistics: _BlockStatistics, lacking: Collection[int], left_out: LeftOut
) -> dict[str, Any]:
    tile, numbering = about.tile, about.numbering
    observed = None if statistics.least is None or statistics.most is None else (statistics.least, statistics.most)
    width, height = -(-tile.grid.width // about.res), -(-tile.grid.height // about.res)
    if about.places is not None:
        width, height = about.places.width, about.places.height
    header = {
        "v": 1,
        "layer": about.layer,
        "rev": about.revision,
        "crs": tile.grid.crs.name,
        "tms": tile.tile_matrix_set,
        "z": int(tile.matrix) if tile.matrix.isdecimal() else tile.matrix,
        "x": tile.column,
        "y": tile.row,
        "w": width,
        "h": height,
        "res": about.res,
        "dtype": numbering.dtype,
        "nodata": numbering.nodata,
        "scale": numbering.scale,
        "offset": numbering.offset,
        "units": about.units,
        "range": numbering.range or observed,
        "times": [time for place, time in enumerate(about.times) if place not in lacking],
        "valid": statistics.shares,
        "blocks": statistics.blocks,
        "categorical": about.is_categorical,
        "mean": about.is_mean,
        "quantised": numbering.is_quantised,
    }
    if about.is_warped:
        header["warped"] = True
    if lacking:
        header["unreadable"] = [about.times[place] for place in sorted(lacking)]
    if left_out:
        header["left_out"] = left_out
    if about.places is not None:
        header["cells"] = {"columns": about.places.columns, "rows": about.places.rows}
    # Only ends of the range that a number of this cube reaches: values there may be beyond the range.
    ends = zip(numbering.reach, observed or (None, None), strict=True)
    reach = [end if end == observed_end else None for end, observed_end in ends]
    if reach != [None, None]:
        header["reach"] = reach
    if numbering.flags:
        header["flags"] = {str(number): name for number, (_number, name) in numbering.flags.items()}
    if numbering.source_offset is not None:
        header["source"] = {"shift": int(numbering.base), "offset": numbering.source_offset}
    return header


def _pack(block: CubeBlock, predictor: Predictor, statistics: _BlockStatistics) -> Iterator[UInt8Array]:
    """Yield the mask of a block, if it has gaps, and its residuals."""
    count = len(block.numbers)
    has_gaps = bool(block.gaps.any())
    if has_gaps:
        yield np.packbits(block.gaps.reshape(count, -1), axis=1, bitorder="little")
    filled = _fill(block.numbers, block.gaps) if has_gaps else block.numbers
    statistics.blocks.append({"n": count, "mask": int(has_gaps), "pred": predictor})
    yield _time_residuals(filled) if predictor == BY_TIME else _gradient_residuals(filled)


def _fill(numbers: UnsignedArray, gaps: BoolArray) -> UnsignedArray:
    """Fill gaps of (time, y, x) with the number before, at the start with the one after, else with the one to the left.

    Both edges of a gap would otherwise cost bytes in the residuals.
    """
    filled = numbers.copy()
    first, still = filled[0], gaps[0].copy()
    for later, missing in zip(filled[1:], gaps[1:], strict=True):
        if not still.any():
            break
        _put(later, first, where=still & ~missing)
        still &= missing
    if still.any():
        _fill_from_left(first, still)
    for frame, before, missing in zip(filled[1:], filled[:-1], gaps[1:], strict=True):
        _put(before, frame, where=missing)
    return filled


def _put(numbers: UnsignedArray, into: UnsignedArray, *, where: BoolArray) -> None:
    # Replace numbers (y, x) selected by a mask; bit operations avoid a branch per pixel, as NumPy's masks have.
    into ^= (into ^ numbers) & _bits(where, numbers.dtype)


def _bits(mask: BoolArray, dtype: np.dtype[Any]) -> UnsignedArray:
    # Return numbers with all bits 1 for set pixels of the mask, else all bits 0.
    bits: UnsignedArray = np.negative(mask.view(np.uint8), dtype=dtype)
    return bits


def _fill_from_left(frame: UnsignedArray, gaps: BoolArray) -> None:
    """Fill gaps of (y, x) with the nearest number to the left in the row, or with 0."""
    columns = np.where(gaps, -1, np.arange(frame.shape[1], dtype=np.int32))
    nearest = np.maximum.accumulate(columns, axis=1)
    left_numbers = np.take_along_axis(frame, np.maximum(nearest, 0), axis=1)
    np.copyto(frame, np.where(nearest < 0, 0, left_numbers), where=gaps)


def _time_residuals(filled: UnsignedArray) -> UInt8Array:
    """Return residuals (time, byte, y, x) against the previous frame."""
    residuals = np.empty_like(filled)
    residuals[0] = filled[0]
    np.subtract(filled[1:], filled[:-1], out=residuals[1:])
    return _planes(residuals)


def _gradient_residuals(filled: UnsignedArray) -> UInt8Array:
    """Return residuals against the previous frame plus the mean change on the left and above, as (time, byte, y, x).

    It runs frame by frame, which fits in the processor's cache.
    """
    wide = np.dtype(np.int16 if filled.itemsize == 1 else np.int32)
    most = np.iinfo(filled.dtype).max
    residuals = np.empty_like(filled)
    before, change = filled[0].astype(wide), np.empty(filled.shape[1:], dtype=wide)
    predicted = np.empty_like(change)
    _mean_of_neighbours(before, predicted)
    np.subtract(before, predicted, out=residuals[0], casting="unsafe")
    for numbers, out in zip(filled[1:], residuals[1:], strict=True):
        now = numbers.astype(wide)
        np.subtract(now, before, out=change)
        _mean_of_neighbours(change, predicted)
        np.add(predicted, before, out=predicted)
        np.maximum(predicted, 0, out=predicted)
        np.minimum(predicted, most, out=predicted)
        np.subtract(now, predicted, out=out, casting="unsafe")
        before = now
    return _planes(residuals)


def _mean_of_neighbours(numbers: Wide, out: Wide) -> None:
    """Set numbers (y, x) to the mean, rounded down, of the left and upper neighbours; at edges to the only one."""
    inner = out[1:, 1:]
    np.add(numbers[1:, :-1], numbers[:-1, 1:], out=inner)
    np.right_shift(inner, 1, out=inner)
    out[0, 1:], out[1:, 0], out[0, 0] = numbers[0, :-1], numbers[:-1, 0], 0


def _planes(residuals: UnsignedArray) -> UInt8Array:
    """Return (time, byte, y, x): for each frame all low bytes, then all high bytes."""
    count, height, width = residuals.shape
    little = residuals.astype(residuals.dtype.newbyteorder("<"), copy=False)
    apart = little.view(np.uint8).reshape(count, height, width, residuals.itemsize)
    return np.ascontiguousarray(np.moveaxis(apart, -1, 1))
