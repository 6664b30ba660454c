"""Estimated bytes of memory for areas with long outlines or many cells; measured in docs/design/process.md."""

import numpy as np
from numpy.typing import NDArray

from chronotile.model.request import Weights
from chronotile.model.source import VariableInfo
from chronotile.zones.outlines import Outlines
from chronotile.zones.spans import reach_in

CROSSING_BYTES = {"pixel": 130, "area": 340}
"""For each row that an outline crosses, of `area` for each column too: its cells, and the blocks that are read."""
CELL_BYTES = 2.5
"""For each cell, beside its number at one time: its code, and its share of a span of a block 64 cells wide."""
BODY_BYTES = 64 << 20
"""Of the memory of large answers, left to bodies: two of the largest size may wait for the rest."""


def area_bytes(outlines: Outlines, variable: VariableInfo, *, weights: Weights, most: int | None) -> int:
    """Return the bytes needed for outlines, and for the numbers of their cells at one time; reads no pixels.

    Args:
        outlines: Of all areas.
        variable: In whose cells they are.
        weights: How cells at the border count.
        most: What is returned for more, if there is such a limit: it is made while no other large answer is.
    """
    grid, itemsize = variable.grid, np.dtype(variable.encoding.dtype).itemsize
    reach = reach_in(grid)
    columns = np.clip(outlines.columns, reach.first, reach.last)
    rows = np.clip(outlines.rows, 0, grid.height)
    crossings = _length(rows) + (_length(columns) if weights == "area" else 0.0)
    twice = columns[:, 0] * rows[:, 1] - columns[:, 1] * rows[:, 0]
    rings = np.abs(np.bincount(outlines.rings, weights=twice, minlength=outlines.is_hole.size)) / 2
    cells = float(rings[~outlines.is_hole].sum())
    size = int(crossings * CROSSING_BYTES[weights] + cells * (CELL_BYTES + itemsize))
    return size if most is None else min(size, most)


def _length(along: NDArray[np.float64]) -> float:
    """How many whole numbers edges cross."""
    return float(np.abs(along[:, 1] - along[:, 0]).sum())
