"""Moments of values that come in parts."""

import math
from functools import reduce

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.model.request import AREA_REDUCERS
from chronotile.stats.moments import Moments, joined, moments_of

VALUES = st.lists(st.floats(-1e6, 1e6), max_size=30)


@given(st.lists(VALUES, min_size=1, max_size=5).filter(any))
def test_parts_have_the_moments_of_the_whole(parts):
    whole = np.array([value for part in parts for value in part])

    found = reduce(joined, (moments_of(np.array(part, dtype=float)) for part in parts), Moments())

    assert found.count == whole.size
    assert (found.least, found.greatest) == (whole.min(), whole.max())
    assert found.mean == pytest.approx(whole.mean(), rel=1e-9, abs=1e-6)
    assert found.reduced("std") == pytest.approx(whole.std(), rel=1e-6, abs=1e-6)


def test_without_values_there_is_nothing_but_a_count_of_none():
    found = {reducer: Moments().reduced(reducer) for reducer in AREA_REDUCERS}

    assert found.pop("count") == 0
    assert all(math.isnan(value) for value in found.values())
