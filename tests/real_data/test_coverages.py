"""Coverages of real data, compared with reading the files by rasterio and xarray."""

import numpy as np
import pytest

from chronotile.core.model.coverage import CoverageRequest, Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.pipeline.coverage.extract import extract_coverage
from tests.real_data.test_real_data import archive_at, each_layer

__all__ = ["archive_at"]

pytestmark = [pytest.mark.data, pytest.mark.slow]

SIDE = 200
"""Cells along each side of a part, at most."""


@pytest.fixture
def services(archive_at, expected):
    """Return the services of the expected layer."""
    return archive_at(expected.place).services


def part_of(truth):
    """Rows and columns about the middle."""
    _times, height, width = truth.numbers.shape
    rows, columns = (range(size // 3, size // 3 + min(SIDE, size // 2 + 1)) for size in (height, width))
    return rows, columns


def box_of(truth, rows, columns):
    xs, ys = truth.transform @ (np.array([columns.start, columns.stop]), np.array([rows.start, rows.stop]))
    return BBox(min(xs), min(ys), max(xs), max(ys))


def values_of(coverage, times):
    """Return (time, y, x) values, NaN without a value."""
    told = coverage.fields[0].encoding
    numbers = coverage.read_times(0, times=times, rows=range(coverage.grid.height))
    return np.where(told.valid(numbers), told.values(numbers), np.nan)


@each_layer
def test_a_part_has_the_numbers_of_the_files(services, expected):
    truth = expected.truth()
    rows, columns = part_of(truth)
    grid = services.catalogue.layer(expected.layer).main_variable.grid
    trim = Trim(box=box_of(truth, rows, columns), crs=grid.crs)

    coverage = extract_coverage(CoverageRequest(layers=(expected.layer,), trims=(trim,)), services)

    asked = np.s_[:, rows.start : rows.stop, columns.start : columns.stop]
    values = np.where(truth.valid(*asked), truth.numbers[asked].astype(np.float64) * truth.scale + truth.offset, np.nan)
    found = values_of(coverage, range(len(coverage.times) or 1))
    np.testing.assert_array_equal(found, values[:, :: -1 if truth.transform.e > 0 else 1])
    np.testing.assert_allclose(coverage.grid.bbox, trim.box, rtol=1e-12, atol=1e-9)


@each_layer
@pytest.mark.parametrize("crs", ["OGC:CRS84", "EPSG:3857"])
def test_cells_of_another_crs_are_those_under_their_centres(services, expected, crs):
    truth = expected.truth()
    grid = services.catalogue.layer(expected.layer).main_variable.grid
    trim = Trim(box=box_of(truth, *part_of(truth)), crs=grid.crs)
    request = CoverageRequest(layers=(expected.layer,), trims=(trim,), crs=crs_of(crs), resampling="nearest")

    coverage = extract_coverage(request, services)

    last = range(max(0, len(coverage.times) - 1), len(coverage.times) or 1)
    found, out = values_of(coverage, last)[0], coverage.grid
    x, y = np.meshgrid(out.x_of(np.arange(out.width) + 0.5), out.y_of(np.arange(out.height) + 0.5))
    values = truth.at(x, y, crs)
    assert np.mean((found != values) & ~(np.isnan(found) & np.isnan(values))) < 5e-4
    assert np.isfinite(values).any() == np.isfinite(found).any()
