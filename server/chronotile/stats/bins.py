"""Bins of histograms: where their edges are, and which value falls into which.

A value that is a decimal, such as 300 * 0.001, may be a few last bits of a float64 away from the edge that is the same
decimal. Both count as equal, so that the edges in a document are those that were counted.
"""

import numpy as np
from numpy.typing import NDArray

from chronotile.model.number_text import without_noise

FloatArray = NDArray[np.float64]

SLACK = 1e-12
"""Of the greatest edge: how far below an edge a value still counts as the edge."""


def even_edges(low: float, high: float, bins: int) -> FloatArray:
    """Return (bin + 1,) edges of bins of one width, as documents tell them."""
    return np.array([without_noise(edge) for edge in np.linspace(low, high, bins + 1).tolist()])


def bins_of(values: FloatArray, edges: FloatArray) -> NDArray[np.intp]:
    """Return the bin of each value: -1 below the first edge, as many as there are bins above the last.

    Each bin has its lower edge, the last its upper one too.
    """
    slack = SLACK * np.abs(edges).max()
    found = np.searchsorted(edges - slack, values, side="right") - 1
    last = edges.size - 2
    found[(found > last) & (values <= edges[-1] + slack)] = last
    return found
