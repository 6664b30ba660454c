"""What the names of files tell."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.archive.discovery.names import as_id, group_names, name_of, slug, variable_in, without_suffix
from chronotile.sections import ID


def groups_of(*names: str) -> dict[str, list[str]]:
    """The paths of each group, by what the group's names share."""
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


def test_names_that_differ_in_a_known_variable_are_one_group():
    (group,) = group_names([Path(f"S2_20190604_{name}_10m.tif") for name in ("NDVI", "LAI")])

    assert group.variables == ("LAI", "NDVI")
    assert group.shared_text == "S2_10m"


def test_names_that_differ_in_an_unknown_word_are_groups_of_their_own():
    assert len(groups_of("tile_31UFS_20190604.tif", "tile_31UES_20190604.tif")) == 2


def test_the_only_variable_stays_in_what_the_names_share():
    assert list(groups_of("S2_NDVI_20190604.tif", "S2_NDVI_20190614.tif")) == ["S2_NDVI"]


@pytest.mark.parametrize("names", [("B02.tif", "B03.tif", "B8A.tif"), ("b1_20190604.tif", "b2_20190604.tif")])
def test_bands_of_a_satellite_are_variables(names):
    (group,) = group_names([Path(name) for name in names])

    assert len(group.variables) == len(names)


def test_later_dates_and_production_times_do_not_part_a_group():
    names = [
        "MOD13Q1.A2013257.h12v10.006.2015262123456.tif",
        "MOD13Q1.A2013273.h12v10.006.2015263101112.tif",
    ]

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
def test_variable_is_named_as_spelled(texts, expected):
    assert variable_in(*texts) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.tif", "a"), ("a.b.tif", "a.b"), ("cube.zarr", "cube"), ("cube.zarr.zip", "cube"), ("plain", "plain")],
)
def test_suffix_is_taken_off(name, expected):
    assert without_suffix(name) == expected
