"""Rasters at many times to one."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Raster
from chronotile.core.model.request import PIXEL_REDUCERS
from chronotile.core.model.series.analysis import ANOMALY_KINDS, Climatology, Curves
from chronotile.core.stats import over_time as module
from chronotile.core.stats.climatology import find_anomalies, find_normals
from chronotile.core.stats.over_time import anomaly, reduce_over_time

ENCODING = Encoding(dtype="uint8", scale=0.5, offset=-3.0, nodata=255, flags=((252, "cloud"),))
RANDOM = np.random.default_rng(5)
CUBE = RANDOM.integers(0, 8, (7, 20, 30)).astype("uint8") * 36  # 252 is a cloud
CUBE[:, 0, 0] = 252
CUBE[:, 0, 1] = 255
PRESENT = RANDOM.random(CUBE.shape) > 0.2


def rasters(encoding=ENCODING, cube=CUBE, present=PRESENT):
    """Newest first."""
    return [Raster(numbers, encoding, where) for numbers, where in zip(cube[::-1], present[::-1], strict=True)]


def values_of(encoding=ENCODING, cube=CUBE, present=PRESENT):
    """(time, y, x), oldest first."""
    valid = present & (cube != 252) & (cube != 255)
    return np.where(valid, cube * encoding.scale + encoding.offset, np.nan)


def nan_quietly(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, axis=0)


@pytest.mark.parametrize("scale", [0.5, -0.5])
@pytest.mark.parametrize(
    ("reducer", "truth"), [("max", np.nanmax), ("min", np.nanmin), ("mean", np.nanmean), ("median", np.nanmedian)]
)
def test_values_are_numpys_own(reducer, truth, scale):
    encoding = Encoding(dtype="uint8", scale=scale, offset=-3.0, nodata=255, flags=((252, "cloud"),))

    result = reduce_over_time(rasters(encoding), reducer).values()

    np.testing.assert_allclose(result, nan_quietly(truth, values_of(encoding)), rtol=1e-14)


@pytest.mark.parametrize(("reducer", "step"), [("latest", -1), ("earliest", 1)])
def test_first_value_of_an_order_is_selected(reducer, step):
    ordered = values_of()[::step]
    index = np.argmax(~np.isnan(ordered), axis=0)
    expected = np.take_along_axis(ordered, index[np.newaxis], axis=0)[0]

    result = reduce_over_time(rasters()[::-step], reducer)

    np.testing.assert_array_equal(result.values(), expected)


@pytest.mark.parametrize("reducer", ["latest", "earliest", "max", "min"])
def test_numbers_keep_their_stored_form(reducer):
    result = reduce_over_time(rasters(), reducer)

    assert result.numbers.dtype == np.uint8
    assert result.encoding is ENCODING


@pytest.mark.parametrize("reducer", ["mean", "median"])
def test_means_are_values_in_float64(reducer):
    result = reduce_over_time(rasters(), reducer)

    assert result.numbers.dtype == np.float64
    assert (result.encoding.scale, result.encoding.offset, result.encoding.flags) == (1.0, 0.0, ())


def test_a_pixel_that_never_has_a_value_keeps_its_newest_number_with_latest():
    everywhere = np.ones(PRESENT.shape, dtype=bool)

    result = reduce_over_time(rasters(present=everywhere), "latest")

    assert result.numbers[0, :2].tolist() == [252, 255]
    assert result.present is None or result.present[0, :2].all()


@pytest.mark.parametrize("reducer", sorted(set(PIXEL_REDUCERS) - {"latest"}))
def test_a_pixel_that_never_has_a_value_is_absent_with_any_other(reducer):
    assert np.isnan(reduce_over_time(rasters(), reducer).values()[0, :2]).all()
    assert not reduce_over_time(rasters(), reducer).valid[0, :2].any()


def test_latest_takes_no_more_than_it_needs():
    full = np.full((4, 4), 7, dtype="uint8")
    order = iter([Raster(full, ENCODING), Raster(full, ENCODING), Raster(full, ENCODING)])

    reduce_over_time(order, "latest")

    assert len(list(order)) == 2


def test_input_raster_is_not_changed():
    given_rasters = rasters()
    before = [raster.numbers.copy() for raster in given_rasters]

    for reducer in PIXEL_REDUCERS:
        reduce_over_time(given_rasters, reducer)

    for raster, numbers in zip(given_rasters, before, strict=True):
        np.testing.assert_array_equal(raster.numbers, numbers)


def test_a_median_is_the_same_in_blocks(monkeypatch):
    whole = reduce_over_time(rasters(), "median").numbers
    monkeypatch.setattr(module, "BLOCK_VALUES", 700)

    np.testing.assert_array_equal(reduce_over_time(rasters(), "median").numbers, whole)


@given(st.lists(st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=3, max_size=3), min_size=1, max_size=9))
def test_floats_with_nan_reduce_as_numpy_does(rows):
    cube = np.array(rows)[:, np.newaxis, :]
    encoding = Encoding(dtype="float64", nodata=float("nan"))
    many = [Raster(numbers, encoding) for numbers in cube]

    for reducer, truth in (("max", np.nanmax), ("min", np.nanmin), ("median", np.nanmedian)):
        np.testing.assert_array_equal(reduce_over_time(many, reducer).values(), nan_quietly(truth, cube))
    np.testing.assert_allclose(
        reduce_over_time(many, "mean").values(), nan_quietly(np.nanmean, cube), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("kind", ANOMALY_KINDS)
@given(data=st.data())
def test_anomaly_of_rasters_equals_that_of_series(kind, data):
    numbers = st.lists(st.integers(-8, 8) | st.just(99), min_size=12, max_size=12)
    shown, *usual = data.draw(st.lists(numbers, min_size=1, max_size=7))
    encoding = Encoding(dtype="int16", scale=0.25, offset=-3.0, nodata=99)

    def curves(rows, times):
        cells = np.array(rows, dtype=float).reshape(-1, 12).T
        return Curves(times=times, values=np.where(cells == 99, np.nan, cells * 0.25 - 3.0))

    rasters_of = [Raster(np.array(row, dtype="int16").reshape(3, 4), encoding) for row in (shown, *usual)]

    found = anomaly(rasters_of[0], rasters_of[1:], kind)

    years = np.array([f"20{year:02}-06-01" for year in range(len(usual))], dtype="datetime64[ns]")
    series, reference = curves([shown], np.array(["2030-06-01"], dtype="datetime64[ns]")), curves(usual, years)
    normals = find_normals(reference, series.times, Climatology(by="month"))
    expected = find_anomalies(series, reference, normals, kind).reshape(3, 4)
    np.testing.assert_allclose(found.values(), expected, rtol=1e-9, atol=1e-9)
