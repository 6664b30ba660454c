"""Overviews of a serving cube, compared with those of the whole raster."""

import numpy as np
import pytest

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.overview_summaries import Counting, summary_of
from tests.optimise.conftest import numbers_of
from tests.scenes import Scene, make_spec, write_cogs


@pytest.mark.slow
def test_cube_of_several_regions_has_the_overviews_of_the_whole(tmp_path, write, verify, target):
    scene = Scene(width=1300, height=1100, days=("2020-01-01", "2020-01-11"))
    write_cogs(tmp_path, scene, blockxsize=256, blockysize=256)
    write(tmp_path, memory_bytes=620 << 20, threads=4)
    verify(tmp_path)

    reader = open_source(make_spec("zarr", target))

    levels = reader.info.variables["NDVI"].levels
    found = [
        reader.read_window("NDVI", index=1, level=level, window=Window(0, grid.height, 0, grid.width)).numbers
        for level, grid in enumerate(levels)
    ]
    summary = summary_of(scene.numbers(1), Counting(encoding=Encoding(dtype="uint8", nodata=255), is_categorical=False))
    expected = [summary.numbers(), summary.halved().numbers(), summary.halved().halved().numbers()]
    assert [(grid.width, grid.height) for grid in levels] == [(1300, 1100), (650, 550), (325, 275), (163, 138)]
    assert len(list(target.glob("NDVI/c.0.*"))) > 1
    np.testing.assert_array_equal(numbers_of(target), scene.cube())
    for ours, theirs in zip(found[1:], expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
