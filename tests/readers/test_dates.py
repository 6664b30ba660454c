"""Dates as file names spell them."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.time.instants import DAY
from chronotile.readers.dates import FIRST_YEAR, LAST_YEAR, find_time, time_of_name
from chronotile.readers.name_parts import time_of_text

days = st.dates(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))
before = st.sampled_from(["", "_", "NDVI_", "A", "x.A", "S2A_MSIL2A_", "h12v10."])
after = st.sampled_from(["", "_", "_v2", ".tif", "T", "_N0212_R051"])


def starts_and_ends(span):
    return str(span.start.astype("datetime64[s]")), str(span.end.astype("datetime64[s]"))


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [
        ("20190604", "2019-06-04", "2019-06-05"),
        ("ndvi300_2020-12-21_v2.tif", "2020-12-21", "2020-12-22"),
        ("ndvi_2020_12_21.tif", "2020-12-21", "2020-12-22"),
        ("2019.06.04", "2019-06-04", "2019-06-05"),
        ("2019/06/04", "2019-06-04", "2019-06-05"),
        ("2019/155", "2019-06-04", "2019-06-05"),
        ("2019/06", "2019-06-01", "2019-07-01"),
        ("VHP.G04.C07.npp.P2020001.VH.tif", "2020-01-01", "2020-01-08"),
        ("VHP.G04.C07.npp.P2020052.VH.tif", "2020-12-23", "2020-12-30"),
        ("VHP.G04.C07.j01.P2020053.SM.tif", "2020-12-30", "2021-01-01"),
        ("MOD13A1.061__500m_16_days_NDVI_doy2020017000000_aid0001.tif", "2020-01-17", "2020-01-18"),
        ("slovenia.EVI.MOD13Q1.A2002257.tif", "2002-09-14", "2002-09-15"),
        ("MOD13Q1.A2019155.h18v03.006.2019172123456.hdf", "2019-06-04", "2019-06-05"),
        ("2019_155", "2019-06-04", "2019-06-05"),
        ("x_2020-366.tif", "2020-12-31", "2021-01-01"),
        ("ssmv_CCI_L3_v02.2_201411.tif", "2014-11-01", "2014-12-01"),
        ("ndvi_global_halfdeg_2019-12.tif", "2019-12-01", "2020-01-01"),
        ("2019-06-d2", "2019-06-11", "2019-06-21"),
        ("201906D3", "2019-06-21", "2019-07-01"),
        ("lai_2019-12-dk3.tif", "2019-12-21", "2020-01-01"),
        ("2019D17", "2019-06-11", "2019-06-21"),
        ("2020-dek36", "2020-12-21", "2021-01-01"),
        ("c_gls_FAPAR_200907100000_GLOBE_VGT_V2.0.1.nc", "2009-07-10", "2009-07-11"),
        ("LC08_L1TP_199012_20190604_20190610_01_T1", "2019-06-04", "2019-06-05"),
        ("S3_20190604T000000_20190604T235959", "2019-06-04", "2019-06-05"),
        ("VNS_L6D_AEDB_v1_NRT_2019270_015400.tiff", "2019-09-27", "2019-09-28"),
        ("C3S-LC-L4-LCCS-Map-300m-P1Y-2018-v2.1.1.nc", "2018-01-01", "2019-01-01"),
        ("ESACCI-BIOMASS-L4-AGB-MERGED-100m-2018-fv4.0.tif", "2018-01-01", "2019-01-01"),
        ("lc_yearly_2021.tif", "2021-01-01", "2022-01-01"),
        ("lc_2021_annual_v2.tif", "2021-01-01", "2022-01-01"),
        ("ndvi_2022-Q1.tif", "2022-01-01", "2022-04-01"),
        ("ndvi_2022Q4.tif", "2022-10-01", "2023-01-01"),
        ("ndvi_2020W53.tif", "2020-12-28", "2021-01-04"),
        ("LC81980242020136LGN00_B4.TIF", "2020-05-15", "2020-05-16"),
        ("geo2000jan15b-VI3g.tif", "2000-01-16", "2000-02-01"),
        ("A20211112021118.L3m_8D_CHL_chlor_a_4km.nc", "2021-04-21", "2021-04-29"),
    ],
)
def test_name_gives_day_dekad_or_month(name, start, end):
    assert starts_and_ends(time_of_name(name)) == (f"{start}T00:00:00", f"{end}T00:00:00")


@pytest.mark.parametrize(
    "name",
    [
        "S2A_MSIL2A_20190604T105031_N0212_T31UFS_20190604T134504",
        "20190604_105031_ssc",
        "20190604105031",
        "x2019-06-04T10:50:31Z",
        "OR_ABI-L2-LSTF-M6_G16_s20191551050310_e20191551059290_c20191551101000.nc",
        "3B-HHR-L.MS.MRG.3IMERG.20190604-S105031-E111959.0630.V06B.30min.tif",
        "ECO2LSTE.001_SDS_LST_doy2019155105031_aid0001.tif",
        "SVM15_npp_d20190604_t1050310_e1051552_b00001.tif",
        "ndvi_2019-06-04T12-50-31+0200.tif",
        "ndvi_20190604T075031-0300_v1.tif",
        "ndvi_20190604_162031+05:30.tif",
        "SENTINEL2A_20190604-105031-456_L2A_T31TCJ.tif",
    ],
)
def test_time_of_day_is_an_instant(name):
    span = time_of_name(name)

    assert str(span.start.astype("datetime64[s]")) == "2019-06-04T10:50:31"
    assert span.end - span.start == np.timedelta64(1, "ns")


@pytest.mark.parametrize(
    "name",
    [
        *("ndmi_2001_2017_dekads.tif", "cgls_ndvi_lts_june21_1999_2017.tif", "20190230", "20191301", "2019366"),
        *("201913", "2019D37", "cover_2019_100m.tif", "cover_2019_10m.tif", "120190604", "lc_yearly_2001_2017.tif"),
        *("2001_2017_annual.tif", "yearly_2048x2048.tif", "tile_X2000_Y1900.tif", "2021Q5", "2021W54"),
        *("A20211182021111", "cube-1-250-250.zarr", ""),
    ],
)
def test_other_digits_are_no_time(name):
    assert time_of_name(name) is None


@given(
    day=days, before=before, after=after, form=st.sampled_from(["%Y%m%d", "%Y-%m-%d", "%Y_%m_%d", "%Y.%m.%d", "%Y%j"])
)
def test_day_in_any_form_is_found_in_any_name(day, before, after, form):
    text = day.strftime(form).rjust(len(day.strftime(form)), "0")

    found = find_time(f"{before}{text}{after}")

    assert found.span == (np.datetime64(day, "ns"), np.datetime64(day, "ns") + DAY)
    assert f"{before}{text}{after}"[found.start : found.stop] == text


undated = st.sampled_from(
    [
        *("31UFS", "h18v03", "N39W009", "T33UVP", "x2000_y1900", "r051", "3857", "epsg4326", "EPSG_32633", "utm33n"),
        *(
            *("10m", "0.25deg", "300m", "2048x2048", "2000m", "512", "b04", "B8A", "v2", "V2.0.1", "v006", "fv4.0"),
            "N0500",
        ),
        *("ndvi", "MOD13Q1", "L3m", "yearly", "annual", "P1Y", "P1M", "monthly", "Q1", "W23", "A", "s", "dem", "2019m"),
    ]
)


@given(st.lists(undated, max_size=6), st.sampled_from("_-. "))
def test_sizes_tiles_codes_and_versions_are_no_time(words, separator):
    assert time_of_name(separator.join(words)) is None


@given(st.integers(FIRST_YEAR, LAST_YEAR - 1), st.integers(1, 36))
def test_dekads_of_a_year_are_contiguous(year, number):
    this, following = time_of_name(f"{year}D{number}"), time_of_name(f"{year}D{number % 36 + 1}")

    assert this.end == (following.start if number < 36 else np.datetime64(f"{year + 1}-01-01", "ns"))
    assert timedelta(days=8) <= (this.end - this.start).astype("timedelta64[us]").item() <= timedelta(days=11)


@given(st.text(max_size=40))
def test_any_text_gives_a_span_or_nothing(text):
    for span in filter(None, (time_of_name(text), time_of_text(text))):
        assert span.start < span.end


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2019", "2019-01-01", "2020-01-01"),
        ("A2019155", "2019-06-04", "2019-06-05"),
        ("2019-06-04T00:00:00Z", "2019-06-04", "2019-06-05"),
        ("1750-06", "1750-06-01", "1750-07-01"),
    ],
)
def test_text_as_a_whole_may_be_a_year_or_iso(text, start, end):
    assert starts_and_ends(time_of_text(text)) == (f"{start}T00:00:00", f"{end}T00:00:00")


def test_invalid_text_is_no_time():
    assert time_of_text("spring") is None


@pytest.mark.parametrize("text", ["484512345678", "1234567890123", "202006311050"])
def test_digits_of_files_are_no_milliseconds(text):
    assert time_of_text(text) is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("20240101_1032", "2024-01-01T10:32"),
        ("2024-01-01_10-32", "2024-01-01T10:32"),
        ("2024-01-01-1032Z", "2024-01-01T10:32"),
        ("2024001.1032", "2024-01-01T10:32"),
        ("2024-001_2359", "2024-01-01T23:59"),
        ("20240101T1032", "2024-01-01T10:32"),
        ("202401011032", "2024-01-01T10:32"),
    ],
)
def test_time_of_day_without_seconds_is_that_of_a_whole_text(text, time):
    assert time_of_text(text).start == np.datetime64(time)


@pytest.mark.parametrize("text", ["20240101_2400", "20240101_1060", "20240101T000000_0430", "202401_1032"])
def test_other_four_digits_after_a_date_are_no_time_of_day(text):
    assert time_of_text(text).start == np.datetime64("2024-01-01")


def test_four_digits_after_a_date_need_several_names_to_be_a_time():
    assert time_of_name("ndvi_20240101_0430.tif").start == np.datetime64("2024-01-01")
