"""Curves and seasons of real fields, compared with published results."""

import numpy as np
import pytest
import rasterio
import xarray

from chronotile.core.model.series.analysis import Analysis, Curves, Phenology
from chronotile.core.stats.analyse import analyse
from chronotile.core.stats.trend import find_trends, groups_of
from tests.core.stats.curves import dekads

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture
def field(shared_data):
    """Sentinel-2 NDVI of a field in 2019 (series, time), and FuseTS's day of the peak of each cell (series,)."""
    folder = shared_data / "vito_fusets"
    with (
        xarray.open_dataset(folder / "raw_s2_ndvi_field.nc") as ndvi,
        xarray.open_dataset(folder / "phenology.nc") as phenology,
    ):
        values, peaks = xarray.align(ndvi["NDVI"], phenology["pos_times"].isel(phenology=0), join="inner", exclude="t")
        curves = values.transpose("y", "x", "t").values.reshape(-1, values.sizes["t"]).astype(float)
        inside = np.isfinite(curves).any(axis=1)
        return Curves(times=ndvi["t"].values.astype("datetime64[ns]"), values=curves[inside]), peaks.values.ravel()[
            inside
        ]


def test_peaks_of_a_field_equal_those_of_fusets(field):
    series, peak_days = field

    seasons = analyse(series, series, Analysis(phenology=Phenology())).seasons

    told = [
        (int((found.peak[0] - np.datetime64("2019-01-01", "ns")) / np.timedelta64(1, "D")) + 1, peak)
        for found, peak in zip(seasons, peak_days, strict=True)
        if found.peak.size == 1 and np.isfinite(peak)
    ]
    ours, theirs = np.array(told).T
    assert len(told) > 500
    assert abs(np.median(ours - theirs)) <= 10
    assert np.mean(np.abs(ours - theirs) <= 15) > 0.8


def test_the_curve_keeps_most_of_a_fields_peak(field):
    series, _ = field

    smoothed = analyse(series, series, Analysis(phenology=Phenology())).smoothed

    has_peak = np.nanmax(series.values, axis=1) > 0.7
    share = np.nanmax(smoothed, axis=1)[has_peak] / np.nanmax(series.values, axis=1)[has_peak]
    assert np.median(share) > 0.9


def test_trends_of_a_wetland_equal_a_loop_over_its_dekads(shared_data):
    with rasterio.open(shared_data / "ndmi_dekads_mexico" / "ndmi_2001_2017_dekads.tif") as source:
        numbers = source.read(window=rasterio.windows.Window(27, 18, 1, 1))[:, 0, 0].astype(float)
    values = np.where(numbers < -1e30, np.nan, numbers)
    times = dekads(2001, 2017)
    years = (times - times[0]) / np.timedelta64(1, "D") / 365.25
    slopes = [
        (values[later] - values[earlier]) / (years[later] - years[earlier])
        for slot in range(36)
        for earlier in range(slot, 612, 36)
        for later in range(earlier + 36, 612, 36)
    ]

    found = find_trends(Curves(times=times, values=values[np.newaxis]), groups_of(times, "seasonal", None))

    assert found.slope[0] == pytest.approx(np.nanmedian(slopes))
