"""Names in a published folder: safe for any ids, and different for different ids."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.archive.publish.names import distinct_names, group_path, item_name, safe_name


@pytest.mark.parametrize("name", ["S2A_31UFS_20200601.tif", "2020-06-01", "a.b+c=d", "x" * 120])
def test_plain_names_stay(name):
    assert safe_name(name) == name


@pytest.mark.parametrize(
    "name", ["..", ".", "", "/etc/passwd", "../a", "a/b", "a\\b", ".hidden", "é", "a b", "x" * 121]
)
def test_others_become_one_plain_part_of_a_path(name):
    assert re.fullmatch(r"[A-Za-z0-9_+=-]+", safe_name(name))


def test_the_suffix_of_a_file_stays():
    assert re.fullmatch(r"band-4-[0-9a-f]{8}\.tif", safe_name("band 4.tif"))


@given(st.lists(st.text(max_size=200), unique=True, max_size=20))
def test_different_texts_have_different_names(texts):
    names = [safe_name(text) for text in texts]

    assert len(set(names)) == len(texts)
    assert all(re.fullmatch(r"[A-Za-z0-9_+=-][A-Za-z0-9_.+=-]*", name) and len(name) <= 120 for name in names)


def test_equal_names_of_files_get_the_keys_of_their_assets():
    names = distinct_names([("B04_10m", "B04.jp2"), ("B04_20m", "b04.jp2"), ("B05", "B05.jp2")])

    assert names == {"B04_10m": "B04_10m-B04.jp2", "B04_20m": "B04_20m-b04.jp2", "B05": "B05.jp2"}


@given(
    st.dictionaries(
        st.text("ab-", min_size=1, max_size=4),
        st.sampled_from(
            ["a", "A", "b", "a-b", "a.part", "a.json", "A.JSON", "a.json.part", "a-a.json", "..", "é", "a/b"]
        ),
        max_size=8,
    )
)
def test_no_file_of_an_item_has_the_name_of_another_or_of_its_document(files):
    names = [name.lower() for name in distinct_names(files.items(), document="a.json").values()]

    assert len(set(names)) == len(files)
    assert not {"a.json", "a.json.part"} & set(names)
    assert not {f"{name}.part" for name in names} & set(names)


@pytest.mark.parametrize("id_", ["catalog.json", "Catalog.JSON", "catalog.json.part"])
def test_no_item_has_the_name_of_its_catalogue(id_):
    assert re.fullmatch(r"[A-Za-z-]+-[0-9a-f]{8}\.(json|JSON|part)", item_name(id_))


@pytest.mark.parametrize(("is_daily", "expected"), [(True, "2020/06/01"), (False, "2020")])
def test_items_are_in_folders_of_their_days_or_years(is_daily, expected):
    assert group_path(np.datetime64("2020-06-01T23:59:59", "ns"), is_daily=is_daily) == expected
