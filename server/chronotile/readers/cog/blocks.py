"""The blocks of one directory of a TIFF, their shape and offsets, and their stored form in the index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronotile.core.model.types import Int64Array, UInt8Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """The blocks of one directory: of a level, or of its mask."""

    width: int
    height: int
    """Size of the level in pixels."""
    block_width: int
    block_height: int
    dtype: str
    """numpy's name of the dtype; `bool` for a mask of single bits."""
    order: str
    """Byte order: `<` or `>`."""
    samples: int
    """Number of bands; 1 for a mask."""
    is_by_pixel: bool
    """Whether a block contains all bands, pixel by pixel; otherwise each band has separate blocks, band after band."""
    compression: int
    predictor: int
    offsets: Int64Array
    """(block,) offsets in the file; 0 for a block that is not stored and has no values."""
    sizes: Int64Array
    """(block,) stored bytes of each block."""

    @property
    def columns(self) -> int:
        """Number of blocks in a row."""
        return -(-self.width // self.block_width)

    @property
    def rows(self) -> int:
        """Number of blocks in a column."""
        return -(-self.height // self.block_height)

    @property
    def planes(self) -> int:
        """Number of blocks with the same cells, one per band."""
        return 1 if self.is_by_pixel else self.samples

    @property
    def decoded_bytes(self) -> int:
        """Bytes of a decoded block; a mask of single bits has a byte per pixel."""
        pixels = self.block_width * self.block_height
        return pixels * np.dtype(self.dtype).itemsize * (self.samples if self.is_by_pixel else 1)

    def number_of(self, row: int, column: int, band: int) -> int:
        """Return the number of a block in the table.

        Args:
            row: Of blocks, from the top.
            column: Of blocks, from the left.
            band: Counted from 1; any band if a block contains all bands.
        """
        plane = 0 if self.is_by_pixel else band - 1
        return (plane * self.rows + row) * self.columns + column


_SHAPE = (
    *("width", "height", "block_width", "block_height", "dtype", "order", "samples", "is_by_pixel"),
    *("compression", "predictor"),
)


def shape_of(blocks: Blocks) -> list[Any]:
    """Return the fields of a directory without its tables."""
    return [getattr(blocks, name) for name in _SHAPE]


def unpack_blocks(shapes: Sequence[Sequence[Any]], tables: UInt8Array, at: int) -> tuple[tuple[Blocks, ...], int]:
    """Return directories from their shapes and tables, which start at byte `at`, and the end of the tables."""
    directories = []
    for shape in shapes:
        fields = dict(zip(_SHAPE, shape, strict=True))
        across, down = -(-fields["width"] // fields["block_width"]), -(-fields["height"] // fields["block_height"])
        count = across * down * (1 if fields["is_by_pixel"] else fields["samples"])
        gaps, at = _unpack(tables, at, count)
        sizes, at = _unpack(tables, at, count)
        offsets = np.cumsum(gaps + np.concatenate([[0], sizes[:-1]]))
        offsets[sizes == 0] = 0
        directories.append(Blocks(**fields, offsets=offsets, sizes=sizes))
    return tuple(directories), at


def pack_tables(blocks: Blocks) -> bytes:
    """Return the tables of offsets and sizes as few bytes."""
    return _pack(_gaps(blocks)) + _pack(blocks.sizes)


def _gaps(blocks: Blocks) -> Int64Array:
    """Return the bytes between each block and the one before; 0 before a missing block."""
    sizes, offsets = blocks.sizes, blocks.offsets.copy()
    missing = np.flatnonzero(sizes == 0)
    for number in missing:
        offsets[number] = offsets[number - 1] + sizes[number - 1] if number else 0
    ends = np.concatenate([[0], (offsets + sizes)[:-1]])
    gaps: Int64Array = offsets - ends
    return gaps


def _pack(numbers: Int64Array) -> bytes:
    """Return integers as planes of bytes: usually only the lowest bytes differ, and other planes compress well."""
    width = next(x for x in (1, 2, 4, 8) if _fits(numbers, x))
    short = numbers.astype(f"<i{width}")
    return bytes([width]) + short.view(np.uint8).reshape(-1, width).T.tobytes()


def _fits(numbers: Int64Array, width: int) -> bool:
    limits = np.iinfo(f"i{width}")
    return width == 8 or bool(((numbers >= limits.min) & (numbers <= limits.max)).all())


def _unpack(tables: UInt8Array, at: int, count: int) -> tuple[Int64Array, int]:
    """Return `count` integers that start at byte `at`, and their end."""
    width = int(tables[at])
    planes = tables[at + 1 : at + 1 + count * width].reshape(width, count)
    numbers = np.ascontiguousarray(planes.T).view(f"<i{width}").reshape(count)
    return numbers.astype(np.int64), at + 1 + count * width
