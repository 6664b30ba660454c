"""Bins of histograms: a value that is an edge is in the bin above it, however both were computed."""

import numpy as np
import pytest

from chronotile.core.stats.histogram_bins import bins_of, even_edges


@pytest.mark.parametrize(("scale", "offset"), [(0.001, 0.0), (0.001, -0.1), (0.004, -0.08), (-0.001, 0.0), (1e-9, 0.0)])
def test_values_that_are_edges(scale, offset):
    low, high = sorted((offset, 1000 * scale + offset))
    edges = even_edges(low, high, 10)
    values = np.arange(0, 1001, 100) * scale + offset

    found = bins_of(np.sort(values), edges)

    assert found.tolist() == [*range(10), 9]


def test_values_outside_the_edges_are_counted():
    found = bins_of(np.array([-0.1, 0.099999, 0.1, 0.100001, 1.000001, np.nan]), even_edges(0, 1, 10))

    assert found.tolist() == [-1, 0, 1, 1, 10, 10]


def test_edges_have_no_noise():
    assert even_edges(0, 1, 10).tolist() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
