"""Gaps filled from their neighbours."""

import numpy as np
from hypothesis import given

from chronotile.core.stats.gaps import fill_linear, reaches
from tests.core.stats.curves import curves, of_days, uneven


def test_gaps_lie_on_the_line_in_time_between_their_neighbours():
    filled = fill_linear(curves(of_days([0, 1, 10, 20, 30]), [1.0, None, 2.0, None, None], [None, 3.0, None, 5.0, 5.5]))

    np.testing.assert_allclose(filled, [[1.0, 1.1, 2.0, np.nan, np.nan], [np.nan, 3.0, 3 + 18 / 19, 5.0, 5.5]])


@given(uneven())
def test_values_stay_and_all_gaps_are_filled(series):
    filled = fill_linear(series)[0]

    values = series.values[0]
    known = np.flatnonzero(np.isfinite(values))
    assert np.array_equal(filled[known], values[known])
    assert np.isfinite(filled).sum() == (known[-1] - known[0] + 1 if known.size else 0)


def test_reaches_gather_series_that_begin_and_end_together():
    values = curves(of_days(range(4)), [None, 1, None, 2], [1, 2, 3, None], [None, 1, 2, 3], [None] * 4).values

    found = [(rows.tolist(), (span.start, span.stop)) for rows, span in reaches(values)]

    assert found == [([1], (0, 3)), ([0, 2], (1, 4))]
