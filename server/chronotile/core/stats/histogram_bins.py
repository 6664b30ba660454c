"""Bins of histograms: edges, and the bin of each value.

A decimal value such as 300 * 0.001 may differ in its last bits from the edge with the same decimal text. Both count
as equal, so that documents list the edges that were used.
"""

import numpy as np

from chronotile.core.model.number_text import strip_noise
from chronotile.core.model.types import Float64Array, IndexArray

SLACK = 1e-12
"""Tolerance as a fraction of the largest edge: values slightly below an edge count as the edge."""


def even_edges(low: float, high: float, bins: int) -> Float64Array:
    """Return (bin + 1,) edges of bins of equal width, rounded for documents."""
    return np.array([strip_noise(edge) for edge in np.linspace(low, high, bins + 1).tolist()])


def bins_of(values: Float64Array, edges: Float64Array) -> IndexArray:
    """Return the bin of each value: -1 below the first edge, the number of bins above the last.

    Every bin includes its lower edge, and the last bin its upper edge too.
    """
    slack = SLACK * np.abs(edges).max()
    bins = np.searchsorted(edges - slack, values, side="right") - 1
    last = edges.size - 2
    bins[(bins > last) & (values <= edges[-1] + slack)] = last
    return bins
