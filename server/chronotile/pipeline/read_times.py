"""Native pixels of one window at many times, read in as few reads as the chunks of the source allow."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

import numpy as np

from chronotile.core.errors import DateUnreadable
from chronotile.core.model.encoding import FIRST_FLAG_CODE
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.types import BoolArray
from chronotile.core.warp.plan import WindowSet, side_by_side
from chronotile.readers.bisect_damage import ReportDate, dates_around_damage
from chronotile.readers.reader import Along, Reader

MAX_BYTES = 32 << 20
"""Maximum size of one read, which limits the number of times in it."""
WASTED = 4
"""Maximum ratio of times in a chunk to requested times; if it is higher, the layout of maps is read."""


class ReadPlan(WindowSet, Protocol):
    """Windows of one level of a source."""

    def read(self, reader: Reader, variable: VariableInfo, index: int) -> Pixels:
        """Return the native pixels at one time."""


def read_times(
    plan: ReadPlan, reader: Reader, variable: VariableInfo, indexes: Sequence[int], *, report: ReportDate | None = None
) -> Iterator[Pixels | None]:
    """Yield the native pixels at each time, in the order of `indexes`; `None` for an unreadable date.

    If a chunk has several times, they are read together, so that each chunk is decoded once. If the source is
    stored in two layouts, the layout for series is read unless too many decoded values are not needed (`WASTED`).

    Args:
        plan: The windows to read.
        reader: The reader of the source.
        variable: A variable of the source.
        indexes: Indexes of the times.
        report: Receives unreadable dates; `None` means that they are errors.

    Raises:
        SourceUnavailable: The source is unreachable; or a date is unreadable and `report` is `None`.
    """
    along, together, _chunk_times = _layout(plan, reader, variable, len(indexes))
    if together == 1:
        for index in indexes:
            yield _read_or_report(partial(plan.read, reader, variable), index, report)
        return

    def read(block_indexes: Sequence[int]) -> Pixels:
        parts = [
            _make_plain(reader.read_block(variable.name, indexes=block_indexes, window=window, along=along))
            for window in plan.windows
        ]
        return parts[0] if len(parts) == 1 else side_by_side(parts)

    for start in range(0, len(indexes), together):
        block_indexes = indexes[start : start + together]
        block_pixels: list[Pixels | None] = [None] * len(block_indexes)
        whole = slice(0, len(block_indexes))
        parts = dates_around_damage(read, block_indexes, report) if report else [(whole, read(block_indexes))]
        for part, block in parts:
            for number, numbers in enumerate(block.numbers, part.start):
                block_pixels[number] = Pixels(
                    numbers, None if block.valid is None else block.valid[number - part.start]
                )
        yield from block_pixels


def _read_or_report(read: Callable[[int], Pixels], index: int, report: ReportDate | None) -> Pixels | None:
    try:
        return read(index)
    except DateUnreadable as error:
        if report is None:
            raise
        report(index, error)
        return None


def cells_decoded(plan: ReadPlan, reader: Reader, variable: VariableInfo, count: int) -> int:
    """Return the approximate number of cells that are decoded to read `count` times; reads no pixels.

    If a window is too large to be read at all times of its chunks together, chunks are decoded several times.

    Raises:
        SourceUnavailable: The source is unreachable.
    """
    _along, together, chunk_times = _layout(plan, reader, variable, count)
    return _cells(plan) * math.ceil(count / together) * max(min(together, count), chunk_times)


def _layout(plan: ReadPlan, reader: Reader, variable: VariableInfo, count: int) -> tuple[Along, int, int]:
    """Return the layout to read, the number of times per read (1: one by one), and the number of times per chunk."""
    if plan.level != 0 or plan.step != 1:
        return "space", 1, 1  # `read_block` returns native cells only
    along: Along = "time" if reader.block_shape(variable.name, "time").times <= WASTED * count else "space"
    chunk_times = reader.block_shape(variable.name, along).times
    if chunk_times == 1:
        return along, 1, 1
    return along, max(1, MAX_BYTES // (_cells(plan) * np.dtype(variable.encoding.dtype).itemsize)), chunk_times


def _cells(plan: ReadPlan) -> int:
    return sum(window.height * window.width for window in plan.windows)


def _make_plain(block: Pixels) -> Pixels:
    """Return a block with a mask instead of codes of reasons; flags count as present, although they are no values."""
    if block.codes is None:
        return block
    codes = block.codes.numbers
    present: BoolArray = (codes == 0) | (codes >= FIRST_FLAG_CODE)
    return Pixels(block.numbers, present)
