"""Blocks of a TIFF as they are stored, decoded into numbers: equal to GDAL's, or an error.

What is damaged is never given as zeros: a stream that ends early, has more or fewer bytes than the block, or another
checksum than it states is an error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

from chronotile.core.model.types import Int64Array, NumberArray, UInt8Array
from chronotile.readers.deflate import DamagedBlock, inflate

# Where the blocks of a cloud-optimised GeoTIFF are, in memory and as it is stored.


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
    offsets: Int64Array
    """(block,) where each block begins in the file; 0 of one that is not stored, which has no values."""
    sizes: Int64Array
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


def parts_of(shapes: Sequence[Sequence[Any]], tables: UInt8Array, at: int) -> tuple[tuple[Blocks, ...], int]:
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


def _gaps(blocks: Blocks) -> Int64Array:
    """How far each block begins behind the end of the one before; a missing one begins there."""
    sizes, offsets = blocks.sizes, blocks.offsets.copy()
    missing = np.flatnonzero(sizes == 0)
    for number in missing:
        offsets[number] = offsets[number - 1] + sizes[number - 1] if number else 0
    ends = np.concatenate([[0], (offsets + sizes)[:-1]])
    gaps: Int64Array = offsets - ends
    return gaps


def _packed(numbers: Int64Array) -> bytes:
    """Whole numbers as planes of bytes: of most only the lowest ones differ, and the others take no room."""
    width = next(x for x in (1, 2, 4, 8) if _fits(numbers, x))
    short = numbers.astype(f"<i{width}")
    return bytes([width]) + short.view(np.uint8).reshape(-1, width).T.tobytes()


def _fits(numbers: Int64Array, width: int) -> bool:
    limits = np.iinfo(f"i{width}")
    return width == 8 or bool(((numbers >= limits.min) & (numbers <= limits.max)).all())


def _unpacked(tables: UInt8Array, at: int, count: int) -> tuple[Int64Array, int]:
    """So many whole numbers that begin at a byte, and where they end."""
    width = int(tables[at])
    planes = tables[at + 1 : at + 1 + count * width].reshape(width, count)
    numbers = np.ascontiguousarray(planes.T).view(f"<i{width}").reshape(count)
    return numbers.astype(np.int64), at + 1 + count * width


NONE, DEFLATE, OLD_DEFLATE, ZSTD = 1, 8, 32946, 50000
"""Numbers of compressions; both of deflate are one."""
ALL_ROWS = slice(None)
NO_PREDICTOR, HORIZONTAL, FLOATING_POINT = 1, 2, 3


def is_decoded(compression: int) -> bool:
    """Return whether blocks of a compression are decoded here; of ZSTD where numcodecs is installed (extra `zarr`)."""
    return compression in {NONE, DEFLATE, OLD_DEFLATE} or (compression == ZSTD and find_spec("numcodecs") is not None)


def decode_block(stored: bytes, blocks: Blocks, rows: slice = ALL_ROWS) -> NumberArray:
    """Return (band, y, x) numbers of a block, in the machine's byte order, with what lies beyond the level's edges.

    Where bands have blocks of their own, and of masks, there is one band. Numbers of single bits are 0 and 1.

    Args:
        stored: The block's bytes in the file.
        blocks: Of the directory that it belongs to.
        rows: Of the block, those that are returned; all of it is checked.

    Raises:
        DamagedBlock: It is not whole, or is of other numbers.
    """
    height, width = blocks.block_height, blocks.block_width
    rows = slice(*rows.indices(height)[:2])
    if blocks.dtype == "bool":
        lines = np.frombuffer(_inflated(stored, blocks, height * -(-width // 8)), dtype=np.uint8)
        return np.unpackbits(lines.reshape(height, -1)[rows], axis=1, count=width)[np.newaxis]
    bands = blocks.samples if blocks.is_by_pixel else 1
    content = np.frombuffer(_inflated(stored, blocks, blocks.decoded_bytes), dtype=np.uint8)
    content = content.reshape(height, -1)[rows].reshape(-1)
    dtype, height = np.dtype(blocks.dtype), rows.stop - rows.start
    if blocks.predictor == FLOATING_POINT:
        numbers = _of_floats(content, (height, width, bands), dtype)
    else:
        numbers = _in_native_order(content, dtype, blocks.order).reshape(height, width, bands)
        if blocks.predictor == HORIZONTAL:
            # Sums wrap; floats are summed as the bits they are.
            numbers = _running_sums(numbers.view(f"u{dtype.itemsize}")).view(dtype)
    return np.ascontiguousarray(numbers.transpose(2, 0, 1))


def _inflated(stored: bytes, blocks: Blocks, size: int) -> bytes:
    """The bytes of a block without compression."""
    if blocks.compression == NONE:
        content = stored
    elif blocks.compression == ZSTD:
        content = _of_zstd(stored, size)
    else:
        content = inflate(stored, size)
    if len(content) != size:
        raise DamagedBlock(f"a block of it has {len(content)} bytes in place of {size}")
    return content


def _of_zstd(stored: bytes, size: int) -> bytes:
    from numcodecs import zstd  # noqa: PLC0415 -- an extra

    output = np.empty(size, dtype=np.uint8)
    try:
        zstd.decompress(stored, output)
    except (RuntimeError, ValueError) as error:
        raise DamagedBlock(f"a block of it cannot be inflated: {error}") from None
    return output.tobytes()


def _in_native_order(content: NumberArray, dtype: np.dtype[Any], order: str) -> NumberArray:
    return content.view(dtype.newbyteorder(order)).astype(dtype, copy=False)  # type: ignore[arg-type]  # < or >


def _running_sums(numbers: NumberArray) -> NumberArray:
    """Sums along rows of (y, x, band) numbers without sign; numpy is thrice as fast with 32 bits as with 8 or 16."""
    wide = np.uint32 if numbers.itemsize < 4 else numbers.dtype
    lines = numbers[:, :, 0] if numbers.shape[2] == 1 else numbers
    return np.add.accumulate(lines, axis=1, dtype=wide).astype(numbers.dtype, copy=False).reshape(numbers.shape)


def _of_floats(content: NumberArray, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NumberArray:
    """(y, x, band) floats of differences of bytes, each row with all first bytes first (Adobe, TIFF technote 3)."""
    height, width, bands = shape
    differences = content.reshape(height, width * dtype.itemsize, bands)
    planes = _running_sums(differences).reshape(height, dtype.itemsize, width * bands)
    bits = planes[:, 0].astype(f"u{dtype.itemsize}")
    for byte in range(1, dtype.itemsize):
        bits <<= 8
        bits |= planes[:, byte]
    return bits.view(dtype).reshape(shape)
