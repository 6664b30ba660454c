"""Patterns of paths, and the expressions that find times in them."""

from pathlib import Path

import pytest

from chronotile.archive.discovery.drafts import escape_pattern, href_of, time_pattern_of
from chronotile.archive.discovery.names import group_names
from chronotile.core.model.source import SourceSpec
from chronotile.readers.dated_files import date_files, find_files

ROOT = Path("/data/20180101")


def described(*names: str) -> dict[str, str | None]:
    """Return the expression of each group by its pattern of paths."""
    paths = [Path(name) for name in names]
    return {href_of(group, sorted(names)): time_pattern_of(group, ROOT) for group in group_names(paths)}


@pytest.mark.parametrize(
    ("names", "href", "pattern"),
    [
        (("a_20190604.tif", "a_20190614.tif"), "a_*.tif", r"_(?P<time>\d{8})"),
        (("a_2019-06-04.tif", "a_2019-06-14.tif"), "a_*.tif", r"_(?P<time>\d{4}-\d{2}-\d{2})"),
        (("E.A2019155.tif", "E.A2019171.tif"), "E.A*.tif", r"A(?P<time>\d{7})"),
        (("a_2019-06-d1.tif", "a_2019-06-d2.tif"), "a_*.tif", r"_(?P<time>\d{4}-\d{2}-d\d)"),
        (("20190604/N.tif", "20190614/N.tif"), "*/N.tif", r"(?P<time>\d{8})/N\.tif$"),
        (("a_20190604.tif",), "a_20190604.tif", r"_(?P<time>\d{8})"),
        (("a.tif",), "a.tif", None),
    ],
)
def test_group_is_described_by_pattern_and_expression(names, href, pattern):
    assert described(*names) == {href: pattern}


def test_variable_has_its_place_in_the_pattern():
    names = [f"S2_{name}_{day}.tif" for name in ("NDVI", "LAI") for day in ("20190604", "20190614")]

    assert list(described(*names)) == ["S2_{variable}_*.tif"]


def test_pattern_is_narrowed_if_it_would_match_other_files():
    hrefs = described("a_20190604.tif", "a_20190614.tif", "a_mean_20190604.tif", "a_mean_20190614.tif")

    assert set(hrefs) == {"a_????????.tif", "a_mean_*.tif"}


@pytest.mark.parametrize("name", ["plain.tif", "a[1].tif", "what?.tif", "a*b.tif"])
def test_escaped_name_matches_itself_alone(name, tmp_path):
    (tmp_path / name).touch()
    (tmp_path / "other.tif").touch()

    assert [path.name for path in tmp_path.glob(escape_pattern(name))] == [name]


def test_braces_match_though_a_configuration_reads_them_otherwise(tmp_path):
    (tmp_path / "a{b}.tif").touch()

    assert [path.name for path in tmp_path.glob(escape_pattern("a{b}.tif"))] == ["a{b}.tif"]


@pytest.mark.parametrize(
    "names",
    [
        ("ndvi_20190604.tif", "ndvi_20190614.tif"),
        ("2019/06/a_2019_155.tif", "2019/07/a_2019_187.tif"),
        ("x/20190604T105031/y.tif", "x/20190614T105031/y.tif"),
        ("v1_201906.tif", "v1_201907.tif"),
        ("p_20190604T105031_20190605T000000.tif", "p_20190614T105031_20190615T000000.tif"),
    ],
)
def test_reader_finds_the_same_files_and_dates_them_all(names, tmp_path):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (group,) = group_names([Path(name) for name in names])

    spec = SourceSpec(
        collection="made",
        kind="cog",
        href=f"{tmp_path}/{href_of(group, sorted(names))}",
        time_pattern=time_pattern_of(group, tmp_path),
    )
    dated = date_files(find_files(spec)[None], spec)

    assert sorted(dated.paths) == sorted(str(tmp_path / name) for name in names)
    assert len(dated.times) == len(names)
