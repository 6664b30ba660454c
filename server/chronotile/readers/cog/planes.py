"""One band or mask of a level: which of its blocks a window needs, and the window's numbers out of them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chronotile.core.model.grid import Window
from chronotile.core.model.types import NumberArray, UInt8Array
from chronotile.readers.caches.block_cache import SLOT_BYTES, BlockCache
from chronotile.readers.cog.blocks import Blocks, decode_block
from chronotile.readers.cog.files import content_of
from chronotile.readers.remote.files import FilePart, Found


class Share(NamedTuple):
    """What a window needs of one block."""

    number: int
    """Of the block."""
    rows: slice
    """Of the block; every `step`-th."""
    columns: slice
    into: tuple[slice, slice]
    """Where they are in the result."""


MOST_SCATTERED_ROWS = 8
"""Rows of a block up to which a window is taken for a place: rows about it are decoded and cached, not all."""


@dataclass(frozen=True, slots=True)
class CachedRows:
    """What is decoded and cached together: a block with all bands that it holds, or some rows of one of its bands."""

    key: bytes
    size: int
    """In bytes, decoded."""
    rows: slice
    """Of the block."""
    plane: int | None
    """Of the block; `None`: all of them, one after another."""


@dataclass(frozen=True, slots=True)
class Caching:
    """Where decoded blocks of a file in a state are cached."""

    cache: BlockCache
    key_of: Callable[[int, tuple[int, int] | None], bytes]
    """Of the number of a block; of some rows of it by their plane and first row, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A band of a level, or its mask."""

    blocks: Blocks
    band: int
    """Counted from 1."""
    fill: float
    """The number of blocks that are not stored."""
    part_of: Callable[[int, int], FilePart]
    """Gives the stored bytes of the file from the first to before the last."""
    caching: Caching | None
    """`None`: decoded blocks are not cached."""

    @property
    def number(self) -> int:
        """Of the band in a block."""
        return self.band - 1 if self.blocks.is_by_pixel else 0


class PlanePlan:
    """What a window of a band needs: what is cached is copied at once, the rest has to be fetched.

    Args:
        plane: The band.
        window: Of the level.
        step: Of every how many rows and columns there is one in the result.
    """

    def __init__(self, plane: Plane, window: Window, step: int) -> None:
        blocks = self._blocks = plane.blocks
        self._plane = plane.number
        self._caching = plane.caching
        dtype = np.dtype(np.uint8) if blocks.dtype == "bool" else np.dtype(blocks.dtype)
        shape = -(-window.height // step), -(-window.width // step)
        self._numbers = np.empty(shape, dtype=dtype)
        self._pending: list[tuple[Share, FilePart]] = []
        for share in _shares(blocks, plane.band, window, step):
            size = int(blocks.sizes[share.number])
            if not size:
                self._numbers[share.into] = plane.fill
            elif not self._is_pasted(share):
                start = int(blocks.offsets[share.number])
                self._pending.append((share, plane.part_of(start, start + size)))

    @property
    def needed(self) -> list[FilePart]:
        """What has to be fetched."""
        return [part for _share, part in self._pending]

    def numbers(self, found: Mapping[FilePart, Found]) -> NumberArray:
        """Return (y, x) numbers, given at least what is needed.

        Raises:
            Exception: Why a part that is needed cannot be read.
            DamagedBlock: A block is not what the header says.
        """
        for share, part in self._pending:
            self._paste_decoded(share, content_of(found[part]))
        return self._numbers

    def _is_pasted(self, share: Share) -> bool:
        """Paste what is needed of a block if it is cached; return whether it was."""
        if self._caching is None:
            return False
        for cached in _cached_rows(self._blocks, self._plane, self._caching, share):
            lines = self._caching.cache.get(cached.key, cached.size, self._lines_of(share, cached))
            if lines is not None:
                self._paste_lines(share, lines)
                return True
        return False

    def _paste_decoded(self, share: Share, stored: bytes) -> None:
        blocks = self._blocks
        if self._caching is None:
            lines = decode_block(stored, blocks, share.rows)[self._plane]
            self._numbers[share.into] = lines[:: share.rows.step, share.columns]
            return
        *_whole, cached = _cached_rows(blocks, self._plane, self._caching, share)

        def decode() -> tuple[UInt8Array, bool]:
            decoded = decode_block(stored, blocks, cached.rows)
            return (decoded if cached.plane is None else decoded[cached.plane]).reshape(-1).view(np.uint8), True

        lines = self._caching.cache.read(cached.key, cached.size, self._lines_of(share, cached), decode)
        self._paste_lines(share, lines)

    def _paste_lines(self, share: Share, lines: UInt8Array) -> None:
        # Paste out of the whole rows of a block, from the first that is needed to the last.
        rows = lines.view(self._numbers.dtype).reshape(-1, self._blocks.block_width)
        self._numbers[share.into] = rows[:: share.rows.step, share.columns]

    def _lines_of(self, share: Share, cached: CachedRows) -> slice:
        """The bytes of the rows that are needed, in what is cached."""
        row_bytes = self._blocks.block_width * self._numbers.itemsize
        begin = (self._plane * self._blocks.block_height if cached.plane is None else 0) - cached.rows.start
        return slice((begin + share.rows.start) * row_bytes, (begin + share.rows.stop) * row_bytes)


def _cached_rows(blocks: Blocks, plane: int, caching: Caching, share: Share) -> Iterator[CachedRows]:
    """Where what is needed of a block may be cached; the last is what is decoded where it is not.

    A place needs few rows of a block; of a long series all blocks would take the whole cache, and twice the time.
    """
    whole = slice(0, blocks.block_height)
    yield CachedRows(caching.key_of(share.number, None), blocks.decoded_bytes, whole, None)
    row_bytes = blocks.block_width * np.dtype(blocks.dtype).itemsize
    together = SLOT_BYTES // row_bytes
    first, last = share.rows.start, share.rows.stop - 1
    if last - first < MOST_SCATTERED_ROWS and together and first // together == last // together:
        rows = slice(first // together * together, min((first // together + 1) * together, blocks.block_height))
        if rows != whole or blocks.is_by_pixel:
            size = (rows.stop - rows.start) * row_bytes
            yield CachedRows(caching.key_of(share.number, (plane, rows.start)), size, rows, plane)


def lacking_parts(plane: Plane, window: Window, step: int) -> Iterator[FilePart]:
    """Yield the stored blocks that a window needs and that are not cached, without reading those that are."""
    blocks, caching = plane.blocks, plane.caching
    for share in _shares(blocks, plane.band, window, step):
        size, start = int(blocks.sizes[share.number]), int(blocks.offsets[share.number])
        if size and not (caching is not None and _is_cached(plane, caching, share)):
            yield plane.part_of(start, start + size)


def _is_cached(plane: Plane, caching: Caching, share: Share) -> bool:
    found = _cached_rows(plane.blocks, plane.number, caching, share)
    return any(caching.cache.has(cached.key, cached.size) for cached in found)


def _shares(blocks: Blocks, band: int, window: Window, step: int) -> Iterator[Share]:
    """What a window needs of each block; blocks between two steps are left out."""
    down = list(spans(window.row_start, window.row_stop, blocks.block_height, step))
    across = list(spans(window.column_start, window.column_stop, blocks.block_width, step))
    for row, rows, into_rows in down:
        for column, columns, into_columns in across:
            yield Share(blocks.number_of(row, column, band), rows, columns, (into_rows, into_columns))


def spans(start: int, stop: int, size: int, step: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield along one axis the number of each block, what of it is needed, and where that is in the result."""
    for block in range(start // size, -(-stop // size)):
        first = max(block * size, start)
        first += (start - first) % step
        last = min((block + 1) * size, stop)
        if first < last:
            into = (first - start) // step
            count = -(-(last - first) // step)
            yield block, slice(first - block * size, last - block * size, step), slice(into, into + count)
