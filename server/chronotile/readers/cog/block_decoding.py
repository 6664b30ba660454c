"""Decodes stored blocks of a TIFF into numbers that are equal to GDAL's, or raises an error.

Damage is never returned as zeros: a stream that ends early, has more or fewer bytes than the block, or another checksum
than it states, is an error.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np

from chronotile.core.model.types import NumberArray
from chronotile.readers.cog.blocks import Blocks
from chronotile.readers.deflate import DamagedBlock, inflate

NONE, DEFLATE, OLD_DEFLATE, ZSTD = 1, 8, 32946, 50000
"""Numbers of compressions; 8 and 32946 are both deflate."""
ALL_ROWS = slice(None)
NO_PREDICTOR, HORIZONTAL, FLOATING_POINT = 1, 2, 3


def is_decoded(compression: int) -> bool:
    """Return whether blocks with a compression can be decoded; ZSTD needs numcodecs (extra `zarr`)."""
    return compression in {NONE, DEFLATE, OLD_DEFLATE} or (compression == ZSTD and find_spec("numcodecs") is not None)


def decode_block(stored: bytes, blocks: Blocks, rows: slice = ALL_ROWS) -> NumberArray:
    """Return (band, y, x) numbers of a block in the machine's byte order, including its part beyond the level's edges.

    One band, unless bands are interleaved by pixel. A mask of single bits is returned as 0 and 1.

    Args:
        stored: The block's bytes in the file.
        blocks: Of the directory that it belongs to.
        rows: Rows of the block to return; the whole block is checked.

    Raises:
        DamagedBlock: It is not whole, or is of other numbers.
    """
    height, width = blocks.block_height, blocks.block_width
    rows = slice(*rows.indices(height)[:2])
    if blocks.dtype == "bool":
        lines = np.frombuffer(_decompress(stored, blocks, height * -(-width // 8)), dtype=np.uint8)
        return np.unpackbits(lines.reshape(height, -1)[rows], axis=1, count=width)[np.newaxis]
    bands = blocks.samples if blocks.is_by_pixel else 1
    content = np.frombuffer(_decompress(stored, blocks, blocks.decoded_bytes), dtype=np.uint8)
    content = content.reshape(height, -1)[rows].reshape(-1)
    dtype, height = np.dtype(blocks.dtype), rows.stop - rows.start
    if blocks.predictor == FLOATING_POINT:
        numbers = _undo_float_predictor(content, (height, width, bands), dtype)
    else:
        numbers = _in_native_order(content, dtype, blocks.order).reshape(height, width, bands)
        if blocks.predictor == HORIZONTAL:
            # Sums wrap around; floats are summed as unsigned integers of their bits.
            numbers = _running_sums(numbers.view(f"u{dtype.itemsize}")).view(dtype)
    return np.ascontiguousarray(numbers.transpose(2, 0, 1))


def _decompress(stored: bytes, blocks: Blocks, size: int) -> bytes:
    """Return the bytes of a block without compression."""
    if blocks.compression == NONE:
        content = stored
    elif blocks.compression == ZSTD:
        content = _decompress_zstd(stored, size)
    else:
        content = inflate(stored, size)
    if len(content) != size:
        raise DamagedBlock(f"a block of it has {len(content)} bytes in place of {size}")
    return content


def _decompress_zstd(stored: bytes, size: int) -> bytes:
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
    """Return sums along rows of unsigned (y, x, band) numbers; numpy is three times faster with 32 than with 8 bits."""
    wide = np.uint32 if numbers.itemsize < 4 else numbers.dtype
    lines = numbers[:, :, 0] if numbers.shape[2] == 1 else numbers
    return np.add.accumulate(lines, axis=1, dtype=wide).astype(numbers.dtype, copy=False).reshape(numbers.shape)


def _undo_float_predictor(content: NumberArray, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NumberArray:
    """Return (y, x, band) floats from differences of bytes; a row has all first bytes first (TIFF technote 3)."""
    height, width, bands = shape
    differences = content.reshape(height, width * dtype.itemsize, bands)
    planes = _running_sums(differences).reshape(height, dtype.itemsize, width * bands)
    bits = planes[:, 0].astype(f"u{dtype.itemsize}")
    for byte in range(1, dtype.itemsize):
        bits <<= 8
        bits |= planes[:, byte]
    return bits.view(dtype).reshape(shape)
