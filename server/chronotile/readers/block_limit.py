"""Limit for the size of the blocks that sources decode as a whole."""

from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource

MAX_BLOCK_BYTES = 176 << 20
"""Largest decoded block: as much memory as a worker has for all large answers together."""


def require_small_block(numbers: int, dtype: np.dtype[Any], *, remedy: str) -> None:
    """Check that a block fits into memory.

    Args:
        numbers: Numbers per block.
        dtype: Type of these numbers.
        remedy: How to write the source again.

    Raises:
        UnsupportedSource: The block exceeds `MAX_BLOCK_BYTES`.
    """
    size = numbers * dtype.itemsize
    if size > MAX_BLOCK_BYTES:
        raise UnsupportedSource(
            f"a block of it, which is read as a whole, takes {size >> 20} MiB, at most {MAX_BLOCK_BYTES >> 20} MiB "
            f"are accepted; {remedy}"
        )
