"""Where the blocks of a cloud-optimised GeoTIFF are, in memory and as it is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """The blocks of one directory: of a level, or of its mask."""

    width: int
    height: int
    """Of the level, in pixels."""
    block_width: int
    block_height: int
    dtype: str
    """numpy's name of its numbers; `bool` of a mask of single bits."""
    order: str
    """Of the bytes of a number: `<`, the least first, or `>`."""
    samples: int
    """Bands; 1 of a mask."""
    is_by_pixel: bool
    """Whether a block holds all bands, pixel by pixel; else bands have blocks of their own, one band after another."""
    compression: int
    predictor: int
    offsets: Places
    """(block,) where each block begins in the file; 0 of one that is not stored, which has no values."""
    sizes: Places
    """(block,) bytes of each as it is stored."""

    @property
    def columns(self) -> int:
        """How many blocks are side by side."""
        return -(-self.width // self.block_width)

    @property
    def rows(self) -> int:
        """How many blocks are one above another."""
        return -(-self.height // self.block_height)

    @property
    def planes(self) -> int:
        """How many blocks lie at one place."""
        return 1 if self.is_by_pixel else self.samples

    @property
    def decoded_bytes(self) -> int:
        """Of a block, as numbers of its type; of a mask of single bits a byte each."""
        pixels = self.block_width * self.block_height
        return pixels * np.dtype(self.dtype).itemsize * (self.samples if self.is_by_pixel else 1)

    def number_of(self, row: int, column: int, band: int) -> int:
        """Return the number of a block.

        Args:
            row: Of blocks, from the top.
            column: Of blocks, from the left.
            band: Counted from 1; all have one block where they are stored pixel by pixel.
        """
        plane = 0 if self.is_by_pixel else band - 1
        return (plane * self.rows + row) * self.columns + column


_SHAPE = (
    *("width", "height", "block_width", "block_height", "dtype", "order", "samples", "is_by_pixel"),
    *("compression", "predictor"),
)


def shape_of(blocks: Blocks) -> list[Any]:
    """Return what a directory has beside its tables."""
    return [getattr(blocks, name) for name in _SHAPE]


def parts_of(shapes: Sequence[Sequence[Any]], tables: NDArray[np.uint8], at: int) -> tuple[tuple[Blocks, ...], int]:
    """Return directories of their shapes and tables, which begin at a byte; and where these end."""
    found = []
    for shape in shapes:
        said = dict(zip(_SHAPE, shape, strict=True))
        across, down = -(-said["width"] // said["block_width"]), -(-said["height"] // said["block_height"])
        count = across * down * (1 if said["is_by_pixel"] else said["samples"])
        gaps, at = _unpacked(tables, at, count)
        sizes, at = _unpacked(tables, at, count)
        offsets = np.cumsum(gaps + np.concatenate([[0], sizes[:-1]]))
        offsets[sizes == 0] = 0
        found.append(Blocks(**said, offsets=offsets, sizes=sizes))
    return tuple(found), at


def tables_of(blocks: Blocks) -> bytes:
    """Return offsets and sizes in little room."""
    return _packed(_gaps(blocks)) + _packed(blocks.sizes)


def _gaps(blocks: Blocks) -> Places:
    """How far each block begins behind the end of the one before; a missing one begins there."""
    sizes, offsets = blocks.sizes, blocks.offsets.copy()
    missing = np.flatnonzero(sizes == 0)
    for number in missing:
        offsets[number] = offsets[number - 1] + sizes[number - 1] if number else 0
    ends = np.concatenate([[0], (offsets + sizes)[:-1]])
    gaps: Places = offsets - ends
    return gaps


def _packed(numbers: Places) -> bytes:
    """Whole numbers as planes of bytes: of most only the lowest ones differ, and the others take no room."""
    width = next(each for each in (1, 2, 4, 8) if _fits(numbers, each))
    short = numbers.astype(f"<i{width}")
    return bytes([width]) + short.view(np.uint8).reshape(-1, width).T.tobytes()


def _fits(numbers: Places, width: int) -> bool:
    limits = np.iinfo(f"i{width}")
    return width == 8 or bool(((numbers >= limits.min) & (numbers <= limits.max)).all())


def _unpacked(tables: NDArray[np.uint8], at: int, count: int) -> tuple[Places, int]:
    """So many whole numbers that begin at a byte, and where they end."""
    width = int(tables[at])
    planes = tables[at + 1 : at + 1 + count * width].reshape(width, count)
    numbers = np.ascontiguousarray(planes.T).view(f"<i{width}").reshape(count)
    return numbers.astype(np.int64), at + 1 + count * width
