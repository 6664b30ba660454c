"""Outlines of swaths are read in strips of rows."""

import numpy as np
import pytest

from chronotile.readers.cf import footprints
from chronotile.readers.cf.nearest_cells import index_cells
from tests.readers.made_swaths import gaps, orbit


class Cells:
    """Positions that record the sizes of reads."""

    def __init__(self, longitudes, latitudes):
        self.positions = longitudes, latitudes
        self.height, self.width = latitudes.shape
        self.sizes = []

    def read(self, rows, columns):
        longitudes, latitudes = (values[rows, columns] for values in self.positions)
        self.sizes.append(latitudes.size)
        return longitudes, latitudes


@pytest.mark.parametrize("turned", [False, True], ids=["along rows", "along columns"])
@pytest.mark.parametrize("positions", [gaps(), orbit(-40, 80, rows=600)], ids=["gaps", "long"])
def test_strips_give_the_outlines_of_whole_parts(monkeypatch, positions, turned):
    cells = Cells(*(values.T if turned else values for values in positions))
    index = index_cells(cells)
    whole = footprints.outlines_of(cells, index)
    cells.sizes.clear()
    monkeypatch.setattr(footprints, "STRIP_CELLS", 700)

    outlines = footprints.outlines_of(cells, index)

    assert max(cells.sizes) <= 700
    assert len(outlines) == len(whole)
    for outline, expected in zip(outlines, whole, strict=True):
        np.testing.assert_allclose(outline, expected, atol=1e-9)
