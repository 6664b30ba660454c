"""The range of values that a sample shows."""

import numpy as np
import pytest
from affine import Affine

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.time.domain import NO_TIME, domain_of_instants
from chronotile.readers.sample import SAMPLE_SIDE_PX, SAMPLE_TIMES, observed_range
from tests.readers.arrays import ArrayReader, make_levels


def make_reader(numbers, *, scale=1.0, nodata=None, levels=1, valid=None, times=NO_TIME):
    height, width = numbers.shape[1:]
    grids = make_levels("EPSG:3857", Affine.scale(10, -10), width, height, count=levels)
    arrays = [numbers[:, :: 2**n, :: 2**n] for n in range(levels)]
    return ArrayReader(
        grids, arrays, encoding=Encoding(dtype=numbers.dtype.name, scale=scale, nodata=nodata), valid=valid, times=times
    )


def test_range_is_of_physical_values_between_percentiles():
    numbers = np.arange(10_000, dtype="uint16").reshape(1, 100, 100)

    assert observed_range(make_reader(numbers, scale=0.1), "v") == pytest.approx((20, 980), rel=0.01)


def test_missing_values_do_not_count():
    numbers = np.full((1, 60, 60), 50, dtype="uint8")
    numbers[0, :50] = 255

    assert observed_range(make_reader(numbers, nodata=255), "v") == (50, 50)


def test_masked_values_do_not_count():
    numbers = np.arange(3600, dtype="uint16").reshape(1, 60, 60)
    valid = numbers[0] < 100

    assert observed_range(make_reader(numbers, valid=valid), "v")[1] < 100


def test_nothing_valid_has_no_range():
    assert observed_range(make_reader(np.full((1, 60, 60), np.nan, dtype="float32")), "v") is None


def test_infinite_values_do_not_count():
    numbers = np.full((1, 60, 60), 3.0, dtype="float32")
    numbers[0, 0] = np.inf

    assert observed_range(make_reader(numbers), "v") == (3, 3)


def test_coarsest_sufficient_level_is_sampled():
    reader = make_reader(np.ones((1, 3000, 2000), dtype="uint8"), levels=4)

    observed_range(reader, "v")

    assert [(window.height, window.width) for window in reader.windows] == [(1500, 1000)]
    assert 1000 >= SAMPLE_SIDE_PX > 500


def test_large_level_is_sampled_in_patches():
    reader = make_reader(np.ones((1, 4000, 3000), dtype="uint8"))

    assert observed_range(reader, "v") == (1, 1)

    assert sum(window.height * window.width for window in reader.windows) == SAMPLE_SIDE_PX**2
    assert reader.windows[-1][1::2] == (4000, 3000)


def test_older_times_are_sampled_if_the_newest_is_empty():
    numbers = np.full((20, 40, 40), 7, dtype="uint8")
    numbers[10:] = 255
    days = np.datetime64("2020-01-01", "ns") + np.timedelta64(1, "D") * np.arange(20)
    reader = make_reader(numbers, nodata=255, times=domain_of_instants(days))

    assert observed_range(reader, "v") == (7, 7)
    assert len(reader.windows) <= SAMPLE_TIMES
