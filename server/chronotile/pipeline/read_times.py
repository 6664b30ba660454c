"""The native pixels of one window at many times, read as few times as the source's layouts allow."""

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
from chronotile.readers.bisect_damage import Tell, dates_around_damage
from chronotile.readers.reader import Along, Reader

MOST_BYTES = 32 << 20
"""Read at once, however many times a chunk holds."""
WASTED = 4
"""A layout of series is read where at least this part of the times of a chunk is requested."""


class ReadPlan(WindowSet, Protocol):
    """Which windows of which level are read."""

    def read(self, reader: Reader, variable: VariableInfo, index: int) -> Pixels:
        """Return the native pixels at one time."""


def read_times(
    plan: ReadPlan, reader: Reader, variable: VariableInfo, indexes: Sequence[int], *, tell: Tell | None = None
) -> Iterator[Pixels | None]:
    """Give what `plan.read` does at each of the times, in their order; `None` for one that `tell` reports.

    Where chunks hold several times those are read together, so that none is decoded once a time; of two layouts the
    one of series where it is worth while.

    Args:
        plan: Which cells.
        reader: Of the source.
        variable: Which.
        indexes: Of the times.
        tell: Takes dates that cannot be read; without it they are an error.

    Raises:
        SourceUnavailable: The source is away; or a date cannot be read, and there is no `tell`.
    """
    along, together, _chunk_times = _layout(plan, reader, variable, len(indexes))
    if together == 1:
        for index in indexes:
            yield _read_or_tell(partial(plan.read, reader, variable), index, tell)
        return

    def read(some: Sequence[int]) -> Pixels:
        parts = [
            _present(reader.read_block(variable.name, indexes=some, window=window, along=along))
            for window in plan.windows
        ]
        return parts[0] if len(parts) == 1 else side_by_side(parts)

    for start in range(0, len(indexes), together):
        some = indexes[start : start + together]
        block_pixels: list[Pixels | None] = [None] * len(some)
        for place, block in dates_around_damage(read, some, tell) if tell else [(slice(0, len(some)), read(some))]:
            for number, numbers in enumerate(block.numbers, place.start):
                block_pixels[number] = Pixels(
                    numbers, None if block.valid is None else block.valid[number - place.start]
                )
        yield from block_pixels


def _read_or_tell(read: Callable[[int], Pixels], index: int, tell: Tell | None) -> Pixels | None:
    try:
        return read(index)
    except DateUnreadable as error:
        if tell is None:
            raise
        tell(index, error)
        return None


def cells_decoded(plan: ReadPlan, reader: Reader, variable: VariableInfo, count: int) -> int:
    """Return how many cells are decoded, about, to read so many times; reads no pixels.

    Of a window that is too large to be read at all times of its chunks at once, chunks are decoded more than once.

    Raises:
        SourceUnavailable: The source is gone.
    """
    _along, together, chunk_times = _layout(plan, reader, variable, count)
    return _cells(plan) * math.ceil(count / together) * max(min(together, count), chunk_times)


def _layout(plan: ReadPlan, reader: Reader, variable: VariableInfo, count: int) -> tuple[Along, int, int]:
    """Which layout is read, how many times at once (1 where they lie apart), and how many a chunk holds."""
    if plan.level != 0 or plan.step != 1:
        return "space", 1, 1  # blocks are of native cells alone
    along: Along = "time" if reader.block_shape(variable.name, "time").times <= WASTED * count else "space"
    chunk_times = reader.block_shape(variable.name, along).times
    if chunk_times == 1:
        return along, 1, 1
    return along, max(1, MOST_BYTES // (_cells(plan) * np.dtype(variable.encoding.dtype).itemsize)), chunk_times


def _cells(plan: ReadPlan) -> int:
    return sum(window.height * window.width for window in plan.windows)


def _present(block: Pixels) -> Pixels:
    """The block with a mask for the reasons that it may have in place of one: flags are there, though no values."""
    if block.codes is None:
        return block
    codes = block.codes.numbers
    present: BoolArray = (codes == 0) | (codes >= FIRST_FLAG_CODE)
    return Pixels(block.numbers, present)
