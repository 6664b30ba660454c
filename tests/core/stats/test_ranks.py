"""Percentiles of sorted rows, compared with NumPy's percentiles of the existing values."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.stats.percentiles import percentile_of_ordered
from tests.core.stats.curves import uneven


@given(uneven(), st.floats(0, 100))
def test_percentiles_ignore_missing_values(series, percent):
    values = series.values[0, np.isfinite(series.values[0])]

    found = percentile_of_ordered(np.sort(series.values, axis=1), percent)

    np.testing.assert_allclose(found, [np.percentile(values, percent) if values.size else np.nan], atol=1e-12)


def test_rows_without_columns_have_none():
    assert np.isnan(percentile_of_ordered(np.empty((3, 0)), 50)).all()
