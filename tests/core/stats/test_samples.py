"""Reducers of the cells of areas."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.reducers import parse_reducers
from chronotile.core.stats import number_counts
from chronotile.core.stats import samples as samples_module
from chronotile.core.stats.samples import CellWeights, Samples, reduce_samples

NAMES = ("mean", "min", "max", "std", "sum", "median", "p10", "p97.5", "count", "valid_share", "histogram:7:-3:3")
EDGES = {"histogram:7:-3:3": np.linspace(-3, 3, 8)}
ENCODINGS = {
    "uint8": Encoding(dtype="uint8", scale=0.04, offset=-4, nodata=255, valid_range=(2, 250), flags=((253, "cloud"),)),
    "falling": Encoding(dtype="uint8", scale=-0.04, offset=4, nodata=0),
    "int16": Encoding(dtype="int16", scale=1e-4, nodata=-32768),
    "float32": Encoding(dtype="float32", nodata=float("nan")),
}


@st.composite
def made(draw):
    encoding = ENCODINGS[draw(st.sampled_from(sorted(ENCODINGS)))]
    lengths = draw(st.lists(st.integers(0, 30), min_size=1, max_size=6))
    shape = (draw(st.integers(0, 4)), sum(lengths))
    numbers = draw(arrays.arrays(np.dtype(encoding.dtype), shape))
    weights = None
    if draw(st.booleans()):
        each = draw(arrays.arrays(np.float64, (sum(lengths),), elements=st.sampled_from([0.25, 0.5, 1.0, 3.0])))
        weights = CellWeights(ends=np.arange(each.size + 1), weights=each)
    bounds = np.cumsum([0, *lengths])
    return Samples(numbers=numbers, codes=encoding.codes(numbers), bounds=bounds, weights=weights), encoding


def by_numpy(values, weights, whole):
    """Return the result of each reducer for the existing values."""
    if not values.size:
        return dict.fromkeys(NAMES, np.nan) | {"count": 0, "valid_share": 0.0}
    ranked = {"weights": weights, "method": "inverted_cdf"} if weights is not None else {}
    weigh = np.ones(values.size) if weights is None else weights
    mean = np.average(values, weights=weigh)
    return {
        "mean": mean,
        "min": values.min(),
        "max": values.max(),
        "std": np.sqrt(np.average((values - mean) ** 2, weights=weigh)),
        "sum": (values * weigh).sum(),
        **{name: np.percentile(values, percent, **ranked) for name, percent in PERCENTS.items()},
        "count": values.size,
        "valid_share": weigh.sum() / whole,
        "histogram:7:-3:3": np.histogram(values, 7, (-3, 3), weights=weights)[0],
    }


PERCENTS = {"median": 50, "p10": 10, "p97.5": 97.5}


def expected(samples, encoding):
    """For each time and area."""
    for time in range(samples.numbers.shape[0]):
        for area, (first, last) in enumerate(zip(samples.bounds, samples.bounds[1:], strict=False)):
            if last == first:
                continue
            numbers = samples.numbers[time, first:last]
            valid = encoding.valid(numbers)
            weights = None if samples.weights is None else samples.weights.weights[first:last]
            own = None if weights is None else weights[valid]
            whole = last - first if weights is None else weights.sum()
            yield time, area, by_numpy(encoding.values(numbers[valid]), own, whole)


def assert_as_numpy(samples, encoding):
    found = reduce_samples(samples, encoding, parse_reducers(NAMES), EDGES)

    for time, area, values in expected(samples, encoding):
        for name in NAMES:
            shown = found.values[name][time, area]
            # Rounding may pick the neighbour if weights add up exactly to the quantile.
            assert shown == pytest.approx(values[name], rel=1e-6, abs=1e-6, nan_ok=True), (name, time, area)


@given(made())
def test_reducers_are_numpys(given_samples):
    assert_as_numpy(*given_samples)


@pytest.mark.slow
@given(made())
def test_large_areas_are_reduced_as_small_ones(given_samples):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples_module, "PART_VALUES", 7)
        assert_as_numpy(*given_samples)


@pytest.mark.slow
@given(made())
def test_numbers_that_are_counted_are_reduced_as_others(given_samples):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(samples_module, "table_size", lambda dtype: 5 if dtype.kind in "iu" else None)
        patch.setattr(number_counts, "COUNTED_AT_ONCE", 11)
        assert_as_numpy(*given_samples)


@pytest.mark.parametrize("small", [1, 1 << 19], ids=["large", "small"])
@pytest.mark.parametrize("bins", [1, None], ids=["counted", "sorted"])
@pytest.mark.parametrize("weights", [(0.3, 0.1 + 0.2), (0.1 + 0.2, 0.3)], ids=["less first", "more first"])
def test_rounding_of_weights_does_not_choose_the_percentile(weights, bins, small, monkeypatch):
    monkeypatch.setattr(samples_module, "PART_VALUES", small)
    monkeypatch.setattr(samples_module, "table_size", lambda dtype: bins)
    numbers, encoding = np.array([[100, 200]], dtype="uint8"), ENCODINGS["uint8"]
    held = CellWeights(ends=np.arange(3), weights=np.array(weights))
    samples = Samples(numbers=numbers, codes=encoding.codes(numbers), bounds=np.array([0, 2]), weights=held)

    found = reduce_samples(samples, encoding, parse_reducers(["median", "p100"]), {})

    assert found.values["median"].tolist() == [[0.0]]
    assert found.values["p100"].tolist() == [[4.0]]


def test_reasons_are_counted_by_area():
    numbers = np.array([[255, 253, 1, 100, 100, 253]], dtype="uint8")
    encoding = ENCODINGS["uint8"]
    samples = Samples(numbers=numbers, codes=encoding.codes(numbers), bounds=np.array([0, 4, 4, 6]))

    found = reduce_samples(samples, encoding, parse_reducers(["mean"]), {})

    assert {encoding.code_names[code - 1]: counts.tolist() for code, counts in found.causes.items()} == {
        "nodata": [[1, 0, 0]],
        "outside_range": [[1, 0, 0]],
        "cloud": [[1, 0, 1]],
    }
    assert found.valid.tolist() == [[1, 0, 1]]
