"""Climatologies, anomalies and trends of cells, compared with numpy's and scipy's results for the same numbers."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy import stats

from chronotile.core.errors import InvalidParameter, LimitExceeded, UnsupportedFormat
from chronotile.core.model.job import Execution
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.periods import Period
from chronotile.jobs.processes import trend
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.processes.work import windows
from tests.jobs.processes.doing import do_oddly, tasks_of
from tests.protocols import served
from tests.real_data.truth import CONFIGURED, open_place, raster_truth

MONTHS = domain_of_periods(np.datetime64("2018-01-01", "ns"), Period(months=1), 36)
SHAPE = (served.BELGIUM_31N.height, served.BELGIUM_31N.width)
BOX = {"bbox": [600_000, 5_649_500, 601_000, 5_650_000], "crs": "http://www.opengis.net/def/crs/EPSG/0/32631"}
"""Ten columns, and five rows; the first has no values."""
ROWS, COLUMNS = 5, 10
NUMBERS = np.stack([served.number_at(*np.indices((ROWS, COLUMNS)), time) for time in range(len(MONTHS))])
VALUES = np.where(NUMBERS == served.NODATA, np.nan, NUMBERS.astype(float))
YEARS = VALUES.reshape(3, 12, ROWS, COLUMNS)


@pytest.fixture
def services():
    variable = served.make_variable(times=MONTHS, units="mm")
    return served.make_services(served.make_collection(served.make_layer(variable=variable)))


def mapped(name, services, folder, **inputs):
    """Return bands (band, y, x), names and units of a map that is computed synchronously."""
    results = execute(Execution(process=name, inputs={"layer": "NDVI", "bbox": BOX} | inputs), services, folder)
    with rasterio.open(folder / results[name].file) as file:
        return file.read(), file.descriptions, file.units


@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_a_climatology_has_the_mean_of_each_month(services, tmp_path):
    bands, names, units = mapped("climatology", services, tmp_path)

    np.testing.assert_allclose(bands, np.nanmean(YEARS, axis=0), rtol=1e-6)
    assert names[0] == "NDVI 01-01, mean of 2018-01-01/2020-12-01"
    assert units == ("mm",) * 12


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered:RuntimeWarning")
def test_a_climatology_may_be_of_a_percentile(services, tmp_path):
    bands, names, _units = mapped("climatology", services, tmp_path, reducer="p10", by="month")

    np.testing.assert_allclose(bands, np.nanpercentile(YEARS, 10, axis=0), rtol=1e-6)
    assert names[11] == "NDVI 12-01, p10 of 2018-01-01/2020-12-01"


def test_anomaly_is_the_difference_from_the_normal(services, tmp_path):
    bands, names, units = mapped("anomaly", services, tmp_path, datetime="2020-03/2020-04", reference="2018-01/2019-12")

    np.testing.assert_allclose(bands, (YEARS[2] - YEARS[:2].mean(axis=0))[2:4], rtol=1e-6)
    assert names == ("NDVI anomaly (abs) 2020-03-01T00:00:00Z", "NDVI anomaly (abs) 2020-04-01T00:00:00Z")
    assert units == ("mm", "mm")


def test_anomalies_may_be_in_standard_deviations(services, tmp_path):
    bands, _names, units = mapped("anomaly", services, tmp_path, datetime="2020-03", kind="z")

    with np.errstate(invalid="ignore"):
        expected = (YEARS[2, 2] - YEARS[:, 2].mean(axis=0)) / YEARS[:, 2].std(axis=0, ddof=1)
    np.testing.assert_allclose(bands[0], expected, rtol=1e-5)
    assert units == ("1",)


def test_anomalies_may_be_in_percent(services, tmp_path):
    bands, _names, units = mapped("anomaly", services, tmp_path, datetime="2020-03", kind="percentile")

    march = YEARS[:, 2]
    less = (march < march[2]).sum(axis=0) + (march == march[2]).sum(axis=0) / 2
    np.testing.assert_allclose(bands[0], np.where(np.isnan(march[2]), np.nan, 100 * less / 3), rtol=1e-6)
    assert units == ("percent",)


def test_trend_equals_that_of_theil_and_sen(services, tmp_path):
    bands, names, units = mapped("trend", services, tmp_path)
    years = (MONTHS.starts - MONTHS.starts[0]) / np.timedelta64(1, "D") / 365.25

    found = [stats.theilslopes(VALUES[:, 1, column], years, alpha=0.95) for column in range(COLUMNS)]
    np.testing.assert_allclose(bands[:3, 1], np.transpose([[each[0], each[2], each[3]] for each in found]), rtol=1e-6)
    assert np.isnan(bands[:5, 0]).all()
    np.testing.assert_array_equal(bands[5], np.isfinite(VALUES).sum(axis=0))
    assert names[0] == "NDVI trend 2018-01-01/2020-12-01, slope"
    assert units[:4] == ("mm year-1", "mm year-1", "mm year-1", "mm")


def test_a_seasonal_trend_compares_months_with_themselves(services, tmp_path):
    bands, _names, _units = mapped("trend", services, tmp_path, method="seasonal", by="month")
    first, second = np.triu_indices(3, 1)
    days = MONTHS.starts.reshape(3, 12, 1, 1)

    years = (days[second] - days[first]) / np.timedelta64(1, "D") / 365.25
    slopes = ((YEARS[second] - YEARS[first]) / years).reshape(-1, ROWS, COLUMNS)
    np.testing.assert_allclose(bands[0, 1:], np.median(slopes, axis=0)[1:], rtol=1e-6)


@pytest.mark.parametrize(("name", "said"), [("climatology", "NDVI"), ("trend", "NDVI, trend 2018-01-01/2020-12-01")])
def test_map_of_many_bands_has_its_description_once(services, tmp_path, name, said):
    results = execute(Execution(process=name, inputs={"layer": "NDVI", "bbox": BOX}), services, tmp_path)

    with rasterio.open(tmp_path / results[name].file) as file:
        assert file.tags()["TITLE"] == f"Collection s2: {said}"


@pytest.mark.parametrize(("name", "inputs"), [("climatology", {}), ("anomaly", {"datetime": "2020"}), ("trend", {})])
def test_tasks_in_an_odd_order_and_twice_give_the_same_bytes(services, tmp_path, monkeypatch, name, inputs):
    inputs = {"layer": "NDVI", "bbox": BOX} | inputs
    (tmp_path / "once").mkdir()
    execute(Execution(process=name, inputs=inputs), services, tmp_path / "once")
    monkeypatch.setattr(windows, "MAX_SIDE", 2)
    monkeypatch.setattr(windows, "SLAB_VALUES", 1)

    do_oddly(name, inputs, services, tmp_path / "job")

    assert len(tasks_of(name, inputs, services)) == 15
    once = (tmp_path / "once" / f"{name}.tif").read_bytes()
    assert (tmp_path / "job" / "results" / f"{name}.tif").read_bytes() == once


def test_memory_of_a_window_is_bounded(services, monkeypatch):
    monkeypatch.setattr(windows, "HELD_BYTES", 64 * 64 * (36 + 12 * 4))

    (first, *_others) = tasks_of("climatology", {"layer": "NDVI"}, services)

    assert (first["rows"], first["columns"]) == ([0, 64], [0, 64])


@pytest.mark.parametrize("name", ["composite", "climatology", "anomaly", "trend", "export"])
def test_crs_that_geotiff_cannot_express_is_refused_before_anything_is_read(name):
    rotated = crs_of("+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +to_meter=0.01745329252")
    grid = replace(served.BELGIUM_31N, crs=rotated, transform=Affine(0.1, 0, -20, 0, -0.1, 10))
    layer = served.make_layer(variable=served.make_variable(grid=grid))
    inputs = {"layer": "NDVI"} | ({"datetime": "2020"} if name == "anomaly" else {})

    with pytest.raises(UnsupportedFormat, match="GeoTIFF cannot store"):
        tasks_of(name, inputs, served.make_services(served.make_collection(layer)))


@pytest.mark.parametrize(
    ("name", "inputs", "locator"),
    [
        ("anomaly", {}, "inputs.datetime"),
        ("anomaly", {"datetime": "2020", "reference": "once"}, "inputs.reference"),
        ("climatology", {"reducer": "max"}, "inputs.reducer"),
        ("trend", {"by": "week"}, "inputs.by"),
        ("trend", {"datetime": "2020-01/2020-03"}, "inputs.datetime"),
    ],
    ids=str,
)
def test_impossible_map_is_refused_before_anything_is_read(services, name, inputs, locator):
    with pytest.raises(InvalidParameter) as refused:
        tasks_of(name, {"layer": "NDVI"} | inputs, services)

    assert refused.value.locator == locator


def test_too_many_pairs_are_refused(services, monkeypatch):
    monkeypatch.setattr(trend, "MAX_PAIRS", 629)

    with pytest.raises(LimitExceeded, match="seasonal"):
        tasks_of("trend", {"layer": "NDVI"}, services)
    assert tasks_of("trend", {"layer": "NDVI", "method": "seasonal"}, services)


@pytest.fixture
def mexico(shared_data):
    """Seventeen years of dekads, (year, dekad, y, x), and the archive that serves them."""
    truth = raster_truth(sorted((shared_data / "ndmi_dekads_mexico").glob("*.tif")), None)
    values = np.where(truth.valid(), truth.numbers, np.nan).reshape(17, 36, *truth.numbers.shape[1:])
    archive = open_place(CONFIGURED["ndmi_dekads_mexico"])
    yield values, archive.services
    archive.close()


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:Mean of empty slice:RuntimeWarning")
def test_dekads_of_real_data_are_as_numpy_has_them(mexico, tmp_path):
    values, services = mexico

    results = execute(Execution(process="climatology", inputs={"layer": "ndmi.NDMI"}), services, tmp_path)
    with rasterio.open(tmp_path / results["climatology"].file) as file:
        np.testing.assert_allclose(file.read(), np.nanmean(values, axis=0, dtype=np.float64), rtol=1e-6, atol=1e-7)

    inputs = {"layer": "ndmi.NDMI", "datetime": "2017-06-11", "reference": "2001-01-01/2016-12-31"}
    results = execute(Execution(process="anomaly", inputs=inputs), services, tmp_path)
    expected = values[16, 16] - np.nanmean(values[:16, 16], axis=0, dtype=np.float64)
    with rasterio.open(tmp_path / results["anomaly"].file) as file:
        np.testing.assert_allclose(file.read(1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.data
@pytest.mark.slow
def test_trends_of_real_data_are_as_scipy_has_them(mexico, tmp_path):
    values, services = mexico
    inputs = {"layer": "ndmi.NDMI", "datetime": "2010-01-01/2012-12-31"}

    results = execute(Execution(process="trend", inputs=inputs), services, tmp_path)
    with rasterio.open(tmp_path / results["trend"].file) as file:
        slopes = file.read(1)

    times = services.catalogue.layer("ndmi.NDMI").times.instants[9 * 36 : 12 * 36]
    years = (times - times[0]) / np.timedelta64(1, "D") / 365.25
    rows, columns = np.nonzero(np.isfinite(slopes))
    picked = np.random.default_rng(7).choice(rows.size, 40, replace=False)
    cells = list(zip(rows[picked], columns[picked], strict=True))
    expected = [theil_sen(years, values[9:12, :, row, column].ravel()) for row, column in cells]
    np.testing.assert_allclose([slopes[cell] for cell in cells], expected, rtol=1e-5)


def theil_sen(years, values):
    """Return the slope that scipy finds, without gaps."""
    known = np.isfinite(values)
    return stats.theilslopes(values[known].astype(float), years[known])[0]
