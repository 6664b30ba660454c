import math

import pytest

from benchmarks.figures import median, percentile, slope


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (50, 5), (90, 9), (99, 10), (99.9, 10), (100, 10)])
def test_percentile_is_the_value_of_the_nearest_rank(share, expected):
    assert percentile([3, 1, 2, 5, 4, 10, 9, 8, 7, 6], share) == expected


def test_percentile_of_nothing_is_no_number():
    assert math.isnan(percentile([], 50))


@pytest.mark.parametrize(("values", "expected"), [([3, 1, 2], 2), ([4, 1, 2, 3], 2.5)])
def test_median(values, expected):
    assert median(values) == expected


def test_slope_of_a_line_is_its_own():
    assert slope([0, 1, 2, 3], [5, 7, 9, 11]) == pytest.approx(2)


def test_slope_of_one_moment_is_no_number():
    assert math.isnan(slope([1, 1], [2, 3]))
