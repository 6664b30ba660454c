"""The shape of the chunks of a layer as a store."""

import pytest

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.pipeline.coverage.layer_store import MAX_BYTES, chunk_shape_of
from chronotile.readers.reader import BlockShape


def shape_of(block, *, width=10_980, height=10_980, itemsize=1, has_time=True):
    grid = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(0, 0, 1, 1), width=width, height=height)
    return chunk_shape_of(BlockShape(*block), grid, itemsize=itemsize, has_time=has_time)


@pytest.mark.parametrize("block", [(1, 512, 512), (1, 1024, 1024), (30, 256, 256), (64, 128, 128)], ids=str)
def test_blocks_of_a_sensible_size_are_chunks(block):
    assert shape_of(block) == block


def test_single_rows_are_combined():
    assert shape_of((1, 1, 10_980)) == (1, 32, 10_980)


def test_a_file_that_is_one_block_is_divided():
    times, y, x = shape_of((1, 10_980, 10_980))

    assert times == 1
    assert MAX_BYTES // 4 < y * x <= MAX_BYTES


def test_pictures_of_a_small_grid_are_combined():
    assert shape_of((1, 512, 512), width=20, height=20) == (512, 20, 20)


def test_a_layer_without_time_has_one():
    assert shape_of((1, 512, 512), width=20, height=20, has_time=False) == (1, 20, 20)


def test_long_series_of_few_cells_are_divided_along_time():
    times, y, x = shape_of((4_000_000, 2, 2), width=2, height=2, itemsize=4)

    assert (y, x) == (2, 2)
    assert times * y * x * 4 <= MAX_BYTES
