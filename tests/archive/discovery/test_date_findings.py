"""Findings on dates in names, whose advice leads to the right dates, and on several files of one time."""

import re

import numpy as np
import pytest

from chronotile.archive.open import open_archive
from tests.odd_archives.files import NUMBERS, write_tif

NOW = np.datetime64("2025-01-01", "ns")


@pytest.fixture
def write(tmp_path):
    """Return a function that writes files whose values are 1, 2, … in their order."""

    def write_all(*names):
        for number, name in enumerate(names, start=1):
            write_tif(tmp_path / name, np.full_like(NUMBERS, number))
        return tmp_path

    return write_all


@pytest.fixture
def open_at():
    opened = []

    def open_place(place):
        opened.append(open_archive(place, environment={}, clock=lambda: NOW))
        return opened[-1]

    yield open_place
    for archive in opened:
        archive.close()


def values_of(archive):
    """Return the value of the only layer at each time."""
    (layer,) = archive.services.catalogue.layers
    (reader,) = archive.services.readers.values()
    (name,) = reader.info.variables
    cells = reader.read_cell(name, indexes=range(len(layer.times)), row=1, column=1).numbers
    return dict(zip((str(each)[:16] for each in layer.times.starts), cells.tolist(), strict=True))


ADVISED = {
    "numbers after dates": (
        ("t2m_20200101_01.tif", "t2m_20200101_02.tif", "t2m_20200101_03.tif"),
        r"_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)_(?P<hour>\d\d)",
        ["2020-01-01T01:00", "2020-01-01T02:00", "2020-01-01T03:00"],
    ),
    "days before months": (
        ("ndvi_04-06-2019.tif", "ndvi_05-06-2019.tif"),
        r"_(?P<day>\d\d)-(?P<month>\d\d)-(?P<year>\d{4})",
        ["2019-06-04T00:00", "2019-06-05T00:00"],
    ),
    "years of two digits, of which one reads as a month": (
        ("ndvi_200105.tif", "ndvi_200115.tif"),
        r"_(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)",
        ["2020-01-05T00:00", "2020-01-15T00:00"],
    ),
    "years of two digits": (
        ("ndvi_250604.tif", "ndvi_250614.tif"),
        r"_(?P<year>\d\d)(?P<month>\d\d)(?P<day>\d\d)",
        ["2025-06-04T00:00", "2025-06-14T00:00"],
    ),
    "runs and leads": (
        ("t2m_20240101_00_024.tif", "t2m_20240101_00_048.tif"),
        r"_(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)_(?P<hour>\d\d)_(?P<lead>\d{3})",
        ["2024-01-02T00:00", "2024-01-03T00:00"],
    ),
    "satellites and numbers of products": (
        ("S2B_31UFS_20200601_0_NDVI.tif", "S2A_31UFS_20200606_1_NDVI.tif"),
        r"_(?P<time>\d{8})_",
        ["2020-06-01T00:00", "2020-06-06T00:00"],
    ),
    "days of years": (
        ("G16.2020.001.tif", "G16.2020.060.tif"),
        r"\.(?P<year>\d{4})\.(?P<day_of_year>\d{3})",
        ["2020-01-01T00:00", "2020-02-29T00:00"],
    ),
}


@pytest.mark.parametrize(("names", "time_pattern", "times"), ADVISED.values(), ids=ADVISED)
def test_advice_on_numbers_in_names_gives_their_dates(write, open_at, names, time_pattern, times):
    folder = write(*names)
    warning = next(each.message for each in open_at(folder).findings if each.severity == "warning")
    href = re.search(r"href: (\S+) and time_pattern:", warning)[1]

    text = f"collections: {{made: {{source: {{kind: cog, href: '{href}', time_pattern: '{time_pattern}'}}}}}}"
    (folder / "chronotile.yaml").write_text(text.replace("}}}", "}, variables: {v: {band: 1}}}}", 1))

    found = values_of(open_at(folder / "chronotile.yaml"))
    assert found == dict(zip(times, map(float, range(1, len(times) + 1)), strict=True))


@pytest.mark.parametrize("name", ["landcover_2018_20200305.tif", "x_20200305_20180101T102030.tif"])
def test_name_with_an_earlier_date_is_a_warning(write, open_at, name):
    findings = open_at(write(name)).findings

    assert [each.severity for each in findings if "2018" in each.message] == ["warning"]


@pytest.mark.parametrize(
    "name", ["landcover_2018.tif", "t2m_2020-01-01_06.tif", "lai_20200101_20200110.tif", "rain_202001_2.tif"]
)
def test_date_of_a_single_name_that_is_guessed_is_a_note(write, open_at, name):
    findings = open_at(write(name)).findings

    assert [each.severity for each in findings if name in each.message] == ["note"]


def test_month_long_ago_that_may_be_a_day_is_a_warning(write, open_at):
    findings = open_at(write("ndvi_190604.tif")).findings

    assert [each.severity for each in findings if "two digits" in each.message] == ["warning"]


def test_highest_level_of_consolidation_is_served(write, open_at):
    names = [f"c_gls_LAI-RT{level}_20200{month}100000_GLOBE_V2.0.1.tif" for level, month in ((0, 1), (6, 1), (1, 2))]

    archive = open_at(write(*names))

    assert values_of(archive) == {"2020-01-10T00:00": 2.0, "2020-02-10T00:00": 3.0}
    assert [each.severity for each in archive.findings if "replaced" in each.message] == ["note"]


def test_newest_run_of_names_is_served(write, open_at):
    archive = open_at(write("gfs_2020010100_f003.tif", "gfs_2020010100_f006.tif", "gfs_2020010106_f000.tif"))

    assert values_of(archive) == {"2020-01-01T03:00": 1.0, "2020-01-01T06:00": 3.0}
