"""One band or mask of a level: selects the blocks that a window needs, and copies its numbers from them."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chronotile.core.model.space.grid import Window
from chronotile.core.model.types import NumberArray, UInt8Array
from chronotile.readers.caches.block_cache import SLOT_BYTES, BlockCache
from chronotile.readers.cog.block_decoding import decode_block
from chronotile.readers.cog.blocks import Blocks
from chronotile.readers.cog.parts import content_of
from chronotile.readers.remote.files import FilePart, Found


class BlockPart(NamedTuple):
    """The cells of one block that a window needs."""

    number: int
    """Number of the block."""
    rows: slice
    """Rows of the block; every `step`-th."""
    columns: slice
    into: tuple[slice, slice]
    """Target in the result."""


MAX_POINT_ROWS = 8
"""Windows of up to this many rows of a block count as points: only rows around them are decoded and cached."""


@dataclass(frozen=True, slots=True)
class CachedRows:
    """Rows that are decoded and cached together: a block with all its bands, or some rows of one band."""

    key: bytes
    size: int
    """Decoded bytes."""
    rows: slice
    """Rows of the block."""
    plane: int | None
    """Index of the band in the block; `None` for all bands."""


@dataclass(frozen=True, slots=True)
class Caching:
    """The cache for decoded blocks of one version of a file."""

    cache: BlockCache
    key_of: Callable[[int, tuple[int, int] | None], bytes]
    """Returns the key of a block; for some rows of it, also from their plane and first row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogPlane:
    """A band of a level, or its mask."""

    blocks: Blocks
    band: int
    """Counted from 1."""
    fill: float
    """Number that fills blocks that are not stored."""
    part_of: Callable[[int, int], FilePart]
    """Returns a part of the file from its start and stop offset."""
    caching: Caching | None
    """`None` to cache no decoded blocks."""

    @property
    def number(self) -> int:
        """Index of the band in a block."""
        return self.band - 1 if self.blocks.is_by_pixel else 0


class PlanePlan:
    """Reads a window of a band: cached cells are copied immediately, the others must be fetched.

    Args:
        plane: The band.
        window: Of the level.
        step: Of every how many rows and columns there is one in the result.
    """

    def __init__(self, plane: CogPlane, window: Window, step: int) -> None:
        blocks = self._blocks = plane.blocks
        self._plane = plane.number
        self._caching = plane.caching
        dtype = np.dtype(np.uint8) if blocks.dtype == "bool" else np.dtype(blocks.dtype)
        shape = -(-window.height // step), -(-window.width // step)
        self._numbers = np.empty(shape, dtype=dtype)
        self._pending: list[tuple[BlockPart, FilePart]] = []
        for block_part in _block_parts(blocks, plane.band, window, step):
            size = int(blocks.sizes[block_part.number])
            if not size:
                self._numbers[block_part.into] = plane.fill
            elif not self._is_pasted(block_part):
                start = int(blocks.offsets[block_part.number])
                self._pending.append((block_part, plane.part_of(start, start + size)))

    @property
    def needed(self) -> list[FilePart]:
        """The parts that must be fetched."""
        return [part for _share, part in self._pending]

    def numbers(self, results: Mapping[FilePart, Found]) -> NumberArray:
        """Return (y, x) numbers, from at least the needed parts.

        Raises:
            Exception: Why a part that is needed cannot be read.
            DamagedBlock: A block contradicts the header.
        """
        for block_part, part in self._pending:
            self._paste_decoded(block_part, content_of(results[part]))
        return self._numbers

    def _is_pasted(self, block_part: BlockPart) -> bool:
        """Copy the cells of a block if they are cached; return whether they were."""
        if self._caching is None:
            return False
        for cached in _cached_rows(self._blocks, self._plane, self._caching, block_part):
            lines = self._caching.cache.get(cached.key, cached.size, self._lines_of(block_part, cached))
            if lines is not None:
                self._paste_lines(block_part, lines)
                return True
        return False

    def _paste_decoded(self, block_part: BlockPart, stored: bytes) -> None:
        blocks = self._blocks
        if self._caching is None:
            lines = decode_block(stored, blocks, block_part.rows)[self._plane]
            self._numbers[block_part.into] = lines[:: block_part.rows.step, block_part.columns]
            return
        *_whole, cached = _cached_rows(blocks, self._plane, self._caching, block_part)

        def decode() -> tuple[UInt8Array, bool]:
            decoded = decode_block(stored, blocks, cached.rows)
            return (decoded if cached.plane is None else decoded[cached.plane]).reshape(-1).view(np.uint8), True

        lines = self._caching.cache.read(cached.key, cached.size, self._lines_of(block_part, cached), decode)
        self._paste_lines(block_part, lines)

    def _paste_lines(self, block_part: BlockPart, lines: UInt8Array) -> None:
        # `lines` are whole rows of the block from the first needed row.
        rows = lines.view(self._numbers.dtype).reshape(-1, self._blocks.block_width)
        self._numbers[block_part.into] = rows[:: block_part.rows.step, block_part.columns]

    def _lines_of(self, block_part: BlockPart, cached: CachedRows) -> slice:
        """Return the bytes of the needed rows in the cached rows."""
        row_bytes = self._blocks.block_width * self._numbers.itemsize
        begin = (self._plane * self._blocks.block_height if cached.plane is None else 0) - cached.rows.start
        return slice((begin + block_part.rows.start) * row_bytes, (begin + block_part.rows.stop) * row_bytes)


def _cached_rows(blocks: Blocks, plane: int, caching: Caching, block_part: BlockPart) -> Iterator[CachedRows]:
    """Yield the rows that may be cached; the last ones are decoded if none is cached.

    A place needs few rows of a block; of a long series all blocks would take the whole cache, and twice the time.
    """
    whole = slice(0, blocks.block_height)
    yield CachedRows(caching.key_of(block_part.number, None), blocks.decoded_bytes, whole, None)
    row_bytes = blocks.block_width * np.dtype(blocks.dtype).itemsize
    together = SLOT_BYTES // row_bytes
    first, last = block_part.rows.start, block_part.rows.stop - 1
    if last - first < MAX_POINT_ROWS and together and first // together == last // together:
        rows = slice(first // together * together, min((first // together + 1) * together, blocks.block_height))
        if rows != whole or blocks.is_by_pixel:
            size = (rows.stop - rows.start) * row_bytes
            yield CachedRows(caching.key_of(block_part.number, (plane, rows.start)), size, rows, plane)


def uncached_parts(plane: CogPlane, window: Window, step: int) -> Iterator[FilePart]:
    """Yield the parts of blocks that a window needs and that are not cached; cached blocks are not read."""
    blocks, caching = plane.blocks, plane.caching
    for block_part in _block_parts(blocks, plane.band, window, step):
        size, start = int(blocks.sizes[block_part.number]), int(blocks.offsets[block_part.number])
        if size and not (caching is not None and _is_cached(plane, caching, block_part)):
            yield plane.part_of(start, start + size)


def _is_cached(plane: CogPlane, caching: Caching, block_part: BlockPart) -> bool:
    candidates = _cached_rows(plane.blocks, plane.number, caching, block_part)
    return any(caching.cache.has(cached.key, cached.size) for cached in candidates)


def _block_parts(blocks: Blocks, band: int, window: Window, step: int) -> Iterator[BlockPart]:
    """Yield the cells of each block that a window needs; blocks between two steps are skipped."""
    down = list(spans(window.row_start, window.row_stop, blocks.block_height, step))
    across = list(spans(window.column_start, window.column_stop, blocks.block_width, step))
    for row, rows, into_rows in down:
        for column, columns, into_columns in across:
            yield BlockPart(blocks.number_of(row, column, band), rows, columns, (into_rows, into_columns))


def spans(start: int, stop: int, size: int, step: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield along one axis the number of each block, its needed cells, and their position in the result."""
    for block in range(start // size, -(-stop // size)):
        first = max(block * size, start)
        first += (start - first) % step
        last = min((block + 1) * size, stop)
        if first < last:
            into = (first - start) // step
            count = -(-(last - first) // step)
            yield block, slice(first - block * size, last - block * size, step), slice(into, into + count)
