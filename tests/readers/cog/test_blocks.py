"""Decoded blocks: the written numbers, or an error."""

import zlib

import numpy as np
import pytest

from chronotile.readers.cog.block_decoding import decode_block
from chronotile.readers.cog.header import read_header
from chronotile.readers.deflate import DamagedBlock
from tests.readers.cog.made_tifs import KINDS, Kind, numbers_of, write_made


def first_block(path):
    """Return the bytes of the first block, and the directory it belongs to."""
    content = path.read_bytes()
    image = read_header(lambda offset, count: content[offset : offset + count], len(content)).images[0]
    return content[image.offsets[0] : image.offsets[0] + image.sizes[0]], image


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.is_sparse], ids=str)
def test_block_has_the_numbers_that_were_written(kind, tmp_path):
    stored, image = first_block(write_made(tmp_path, kind))

    block = decode_block(stored, image)

    rows, columns = min(image.block_height, image.height), min(image.block_width, image.width)
    bands = kind.bands if image.is_by_pixel else 1
    assert block.dtype == np.dtype(kind.dtype)
    assert block.dtype.isnative
    assert np.array_equal(block[:, :rows, :columns], numbers_of(kind)[:bands, :rows, :columns], equal_nan=False)


def damaged(content: bytes) -> list[bytes]:
    """Return copies of a block that are truncated at some positions, or differ in one byte."""
    cuts = [content[:stop] for stop in (0, 1, 5, len(content) // 2, len(content) - 5, len(content) - 1)]
    others = [
        content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :]
        for place in (0, 1, 2, 30, len(content) // 2, len(content) - 1)
    ]
    return cuts + others


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("place", range(12))
def test_damaged_block_is_an_error(place, predictor, tmp_path):
    stored, image = first_block(write_made(tmp_path, Kind(predictor=predictor)))

    with pytest.raises(DamagedBlock):
        decode_block(damaged(stored)[place], image)


@pytest.mark.parametrize("change", [-1, 1, 10_000])
def test_block_of_another_length_is_an_error(change, tmp_path):
    stored, image = first_block(write_made(tmp_path, Kind()))
    content = zlib.decompress(stored)
    other = content[:change] if change < 0 else content + bytes(change)

    with pytest.raises(DamagedBlock):
        decode_block(zlib.compress(other), image)


def test_block_without_compression_of_another_length_is_an_error(tmp_path):
    stored, image = first_block(write_made(tmp_path, Kind(compress="none")))

    with pytest.raises(DamagedBlock, match=f"{len(stored) - 1} bytes in place of {len(stored)}"):
        decode_block(stored[:-1], image)


def test_block_that_inflates_to_far_more_is_refused_early(tmp_path):
    _stored, image = first_block(write_made(tmp_path, Kind()))
    stream = zlib.compressobj()
    large = b"".join([*(stream.compress(bytes(1 << 20)) for _ in range(8)), stream.flush()])

    with pytest.raises(DamagedBlock, match="longer"):
        decode_block(large, image)
