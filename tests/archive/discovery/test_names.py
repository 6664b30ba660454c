"""Metadata in file names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.archive.discovery.names import (
    Looks,
    as_id,
    group_names,
    group_times,
    name_of,
    slug,
    strip_suffix,
    variable_in,
)
from chronotile.core.sections import ID


def groups_of(*names: str) -> dict[str, list[str]]:
    """Return the paths of each group, by the common text of its names."""
    groups = group_names([Path(name) for name in names])
    return {group.shared_text: [name.path.as_posix() for name in group.names] for group in groups}


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("ndvi_20190604.tif", "20190604"),
        ("ndvi_2019-06-04.tif", "2019-06-04"),
        ("EVI.A2019155.tif", "2019155"),
        ("lai_2019_155_v2.tif", "2019_155"),
        ("ndvi_201906.tif", "201906"),
        ("ndvi_2019-06-d2.tif", "2019-06-d2"),
        ("S2_20190604T105031_NDVI.tif", "20190604T105031"),
        ("2019/155/ndvi_20190604.tif", "20190604"),
        ("20190604/NDVI.tif", "20190604"),
        ("tiles/2019-06-04/10m/B04.tif", "2019-06-04"),
        ("dem.tif", None),
        ("tree_cover_density_2018.tif", None),
    ],
)
def test_time_is_found_in_the_name_or_else_in_a_folder(name, time):
    assert name_of(Path(name)).time == time


def test_names_that_differ_in_their_times_are_one_group():
    assert groups_of("a_20190604.tif", "a_20190614.tif", "b_20190604.tif") == {
        "a": ["a_20190604.tif", "a_20190614.tif"],
        "b": ["b_20190604.tif"],
    }


def test_names_that_differ_in_a_variable_are_one_group():
    (group,) = group_names([Path(f"S2_20190604_{name}_10m.tif") for name in ("NDVI", "LAI")])

    assert group.variables == ("LAI", "NDVI")
    assert group.shared_text == "S2_10m"


def test_names_that_differ_in_an_unknown_word_are_separate_groups():
    assert len(groups_of("tile_31UFS_20190604.tif", "tile_31UES_20190604.tif")) == 2


def test_only_variable_stays_in_the_common_part_of_the_names():
    assert list(groups_of("S2_NDVI_20190604.tif", "S2_NDVI_20190614.tif")) == ["S2_NDVI"]


@pytest.mark.parametrize("names", [("B02.tif", "B03.tif", "B8A.tif"), ("b1_20190604.tif", "b2_20190604.tif")])
def test_bands_of_a_satellite_are_variables(names):
    (group,) = group_names([Path(name) for name in names])

    assert len(group.variables) == len(names)


def test_later_dates_and_production_times_do_not_part_a_group():
    names = ["MOD13Q1.A2013257.h12v10.006.2015262123456.tif", "MOD13Q1.A2013273.h12v10.006.2015263101112.tif"]

    assert groups_of(*names) == {"MOD13Q1_h12v10.006": names}


def test_folders_of_years_and_months_do_not_part_a_group():
    names = ["2019/06/ndvi_20190604.tif", "2019/07/ndvi_20190704.tif"]

    assert groups_of(*names) == {"ndvi": names}


def test_other_folders_part_a_group():
    assert len(group_names([Path("a/ndvi_20190604.tif"), Path("b/ndvi_20190614.tif")])) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [("S2_NDVI 10m", "s2-ndvi-10m"), ("slovenia.EVI.MOD13Q1", "slovenia-evi-mod13q1"), ("_-_", ""), ("Élan", "elan")],
)
def test_slug_is_lower_case_words_with_hyphens(text, expected):
    assert slug(text) == expected


@given(st.text())
def test_slugs_and_ids_are_empty_or_accepted(text):
    assert all(not made or ID.fullmatch(made) for made in (slug(text), as_id(text)))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (("cgls_ndvi300",), "ndvi"),
        (("soil", "MOD13Q1 EVI"), "EVI"),
        (("snowy_mountains",), None),
        (("", "NDVI_2019"), "NDVI"),
    ],
)
def test_variable_keeps_its_spelling(texts, expected):
    assert variable_in(*texts) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.tif", "a"), ("a.b.tif", "a.b"), ("cube.zarr", "cube"), ("cube.zarr.zip", "cube"), ("plain", "plain")],
)
def test_suffix_is_removed(name, expected):
    assert strip_suffix(name) == expected


DAYS = ("20240101", "20240111", "20240121")


def looks(*, are_alike=True) -> Looks:
    return Looks(
        holds_times=lambda _path: False, are_alike=lambda _paths: are_alike, are_of_one_place=lambda _paths: are_alike
    )


def patterns_of(names, *, are_alike=True) -> list[str]:
    """Return the text that stands for the time of each name, by group."""
    groups = group_names([Path(name) for name in names], looks(are_alike=are_alike))
    return [" ".join(name.time or "" for name in group.names) for group in groups]


@pytest.mark.every_case
@pytest.mark.parametrize(
    "times",
    [
        ("20240101_1032", "20240102_1047"),
        ("20240101_1015", "20240101_1030", "20240102_1015", "20240102_1030"),
        ("20240101_1032", "20240101_1047"),
        ("20240101_0000", "20240101_1200", "20240102_0000", "20240102_1200"),
        ("20240101-1032", "20240102-1047"),
        ("2024-01-01_10-32", "2024-01-02_10-47"),
        ("2024001_1032", "2024002_1047"),
        ("2024001.1032", "2024002.1047"),
        ("20240101T1032", "20240102T1047"),
        ("202401011032", "202401021047"),
    ],
)
@pytest.mark.parametrize("around", ["S2A_NDVI_{}.tif", "a.A{}.061.tif", "x/{}_v2.tif"])
def test_times_of_day_without_seconds_do_not_part_a_group(times, around):
    assert patterns_of([around.format(time) for time in times]) == [" ".join(times)]


def test_times_of_day_differ_between_variables_and_satellites_of_one_group():
    names = [
        f"S2{satellite}_{time}_{variable}.tif"
        for satellite, time in (("A", "20240101_1032"), ("B", "20240106_1047"))
        for variable in ("NDVI", "LAI")
    ]

    (group,) = group_names([Path(name) for name in names], looks())

    assert group.variables == ("LAI", "NDVI")
    assert {name.time for name in group.names} == {"20240101_1032", "20240106_1047"}


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        ([f"ndvi_{day}_{tile}.tif" for tile in ("0430", "0431") for day in DAYS], 2),  # tiles recur with each date
        ([f"ndvi_{day}_{version}.tif" for version in ("0050", "0051") for day in DAYS], 2),
        ([f"ndvi_{DAYS[0]}_{member}.tif" for member in ("0000", "0001", "0002")], 3),  # members of an ensemble
        (["ndvi_20240101_0061.tif", "ndvi_20240111_0050.tif"], 2),  # versions: no minute is the 61st
        (["ndvi_20240101_2400.tif", "ndvi_20240111_1032.tif"], 2),
        (["ndvi_20230101_2023.tif", "ndvi_20240101_2024.tif"], 2),  # the year again
        (["ndvi_20240101_0430.tif", "ndvi_20240111_0430.tif"], 1),  # the meaning of a single number is undefined
        (["ndvi_20240101_T0430.tif", "ndvi_20240111_T0431.tif"], 2),
        (["T31UFS_20240101_10m.tif", "T31UES_20240111_10m.tif"], 2),
    ],
)
def test_other_four_digits_after_a_date_are_no_time(names, groups):
    found = patterns_of(names)

    assert len(found) == groups
    assert all(len(time) == 8 for each in found for time in each.split())


def test_files_on_other_grids_are_tiles_in_any_number():
    assert len(patterns_of(["ndvi_20240101_1032.tif", "ndvi_20240111_1047.tif"], are_alike=False)) == 2


@pytest.mark.parametrize(("second", "groups"), [("20240111_1047", 1), ("20240101_1047", 2)])
def test_files_that_are_not_looked_into_have_one_time_of_day_a_date(second, groups):
    assert len(group_times([Path("a_20240101_1032.nc"), Path(f"a_{second}.nc")])) == groups
