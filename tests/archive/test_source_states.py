"""An archive follows changes of its configuration and files."""

import dataclasses
import gc
import os
import weakref

import numpy as np
import pytest

from chronotile.archive.open import open_archive, refresh_archive
from chronotile.archive.source_states import last_changes
from chronotile.core.errors import ConfigurationError, DateUnreadable, SourceUnavailable
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.time.instants import format_day
from chronotile.core.yaml_source import YamlLocation, YamlNode
from tests.odd_archives.safe import SafeProduct
from tests.scenes import Scene, write_cogs, write_netcdf, write_zarr

NOW = np.datetime64("2020-03-01T12:00:00", "ns")
SCENE = Scene()
LATER = dataclasses.replace(SCENE, days=(*SCENE.days, "2020-02-21"))

CONFIGURATION = """
collections:
  stack: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {}}}
  cube: {source: {kind: zarr, href: made.zarr}, variables: {NDVI: {}}}
"""


@pytest.fixture
def place(tmp_path):
    write_cogs(tmp_path, SCENE)
    write_zarr(tmp_path, SCENE)
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION)
    return file


def again(archive, place):
    return refresh_archive(archive, place, environment={}, clock=lambda: NOW)


def last_day(archive, layer):
    return format_day(archive.services.catalogue.layer(layer).times.instants[-1])


def test_unchanged_archive_is_the_same_object(open_at, place):
    archive = open_at(place)

    assert again(archive, place) is archive


def test_a_new_date_is_served_and_other_sources_stay_open(open_at, place, tmp_path):
    archive = open_at(place)

    write_cogs(tmp_path, LATER)
    newer = again(archive, place)

    assert last_day(archive, "stack.NDVI") == "2020-02-11"
    assert last_day(newer, "stack.NDVI") == "2020-02-21"
    assert newer.services.readers["cube"] is archive.services.readers["cube"]
    assert newer.services.readers["stack"] is not archive.services.readers["stack"]
    assert newer.services.caches is archive.services.caches


def test_a_changed_title_is_served_by_the_open_sources(open_at, place):
    archive = open_at(place)

    place.write_text("service: {title: New}\n" + CONFIGURATION)
    newer = again(archive, place)

    assert newer.services.catalogue.service.title == {"": "New"}
    assert newer.services.readers == archive.services.readers


def test_a_changed_style_is_served(open_at, place, tmp_path):
    (tmp_path / "styles").mkdir()
    archive = open_at(place)

    (tmp_path / "styles" / "ndvi.yaml").write_text("title: Mine\nrange: [0, 1]\nramp: greys\n")

    assert again(archive, place).services.catalogue.styles["ndvi"].title == "Mine"


def test_configuration_with_mistakes_leaves_the_archive_unchanged(open_at, place):
    archive = open_at(place)

    place.write_text(CONFIGURATION.replace("href", "hreff", 1))

    with pytest.raises(ConfigurationError, match="hreff"):
        again(archive, place)


def test_missing_store_is_reported_fails_and_recovers(open_at, place, tmp_path):
    archive = open_at(place)
    (tmp_path / "made.zarr").rename(tmp_path / "unavailable.zarr")

    without = again(archive, place)
    with pytest.raises(SourceUnavailable):
        value_of(without)
    (tmp_path / "unavailable.zarr").rename(tmp_path / "made.zarr")
    back = again(without, place)

    assert [len(list(each.services.catalogue.layers)) for each in (archive, without, back)] == [2, 2, 2]
    told = [[each.severity for each in one.findings if each.place == "cube"] for one in (archive, without, back)]
    assert told == [[], ["error"], []]
    assert value_of(back) == SCENE.numbers(0)[3, 4]


def value_of(archive):
    """Return the first number of one cell of the store."""
    return archive.services.readers["cube"].read_cell("NDVI", indexes=[0], row=3, column=4).numbers[0]


def test_a_folder_is_looked_through_again_when_files_come(open_at, tmp_path):
    write_cogs(tmp_path, SCENE)
    archive = open_at(tmp_path)

    write_netcdf(tmp_path, SCENE)
    newer = again(archive, tmp_path)

    assert again(newer, tmp_path) is newer
    assert len(newer.services.catalogue.collections) == len(archive.services.catalogue.collections) + 1
    assert newer.services.caches is archive.services.caches


def later(path):
    """Make a file look a day newer than it is."""
    seconds = path.stat().st_mtime + 86400
    os.utime(path, (seconds, seconds))
    return np.datetime64(round(seconds * 1e6), "us")


@pytest.mark.parametrize("name", ["chronotile.yaml", "made.zarr/zarr.json"])
def test_last_change_is_that_of_the_newest_file(place, open_at, name):
    newest = later(place.parent / name)

    assert abs(open_at(place).services.changed - newest) < np.timedelta64(1, "ms")


def test_last_change_of_a_remote_source_is_unknown(tmp_path):
    specs = {"far": SourceSpec(collection="far", kind="zarr", href="s3://bucket/far.zarr")}

    assert last_changes(YamlNode(YamlLocation("", 0)), [tmp_path], specs)["far"] is None


def test_reopened_sources_are_closed(place, tmp_path):
    archive = open_archive(place, environment={}, clock=lambda: NOW)
    before = weakref.ref(archive.services.readers["stack"])

    write_cogs(tmp_path, LATER)
    archive = again(archive, place)
    gc.collect()
    archive.close()

    assert before() is None


def test_a_file_that_was_half_copied_is_served_once_it_is_whole(open_at, place, tmp_path):
    write_cogs(tmp_path, LATER)
    newest = tmp_path / "NDVI_20200221.tif"
    whole = newest.read_bytes()
    newest.write_bytes(whole[:100])
    archive = open_at(place)

    newest.write_bytes(whole)
    newer = again(archive, place)

    assert last_day(archive, "stack.NDVI") == "2020-02-11"
    assert last_day(newer, "stack.NDVI") == "2020-02-21"
    assert newer.findings == ()


def test_file_replaced_by_one_of_another_grid_is_skipped(open_at, place, tmp_path):
    archive = open_at(place)

    small = dataclasses.replace(SCENE, width=10, height=10, days=SCENE.days[-1:])
    write_cogs(tmp_path, small)
    newer = again(archive, place)

    assert last_day(newer, "stack.NDVI") == SCENE.days[-2]
    assert [finding.place for finding in newer.findings] == ["stack: NDVI_20200211.tif"]


def reflectance_of(archive):
    pixels = archive.services.readers["t32tqm"].read_cell("B02", indexes=[0], row=3, column=4)
    encoding = archive.services.catalogue.layer("t32tqm.B02").main_variable.encoding
    return pixels.numbers[0] * encoding.scale + encoding.offset


def test_half_copied_zip_file_is_served_once_it_is_whole(open_at, tmp_path):
    SafeProduct().write_zip(tmp_path)
    newer = SafeProduct(sensed="20220105T101401").write_zip(tmp_path)
    whole = newer.read_bytes()
    newer.write_bytes(whole[:-200])
    archive = open_at(tmp_path)

    newer.write_bytes(whole)

    assert last_day(archive, "t32tqm.B02") == "2020-01-04"
    assert [finding.place for finding in archive.findings] == [newer.name]
    assert last_day(again(archive, tmp_path), "t32tqm.B02") == "2022-01-05"


def test_replaced_zip_file_is_read_by_its_new_document(open_at, tmp_path):
    SafeProduct().write_zip(tmp_path)
    archive = open_at(tmp_path)
    before = reflectance_of(archive)

    SafeProduct(offset=-1000, quantification=20_000).write_zip(tmp_path)
    newer = again(archive, tmp_path)

    assert reflectance_of(newer) == pytest.approx(before, abs=1e-4)
    assert newer.services.catalogue.layer("t32tqm.B02").main_variable.encoding.scale == 1 / 20_000


def test_source_changes_when_a_zip_file_is_deleted(tmp_path):
    SafeProduct().write_zip(tmp_path)
    newer = SafeProduct(sensed="20220105T101401").write_zip(tmp_path)
    for path in (*tmp_path.iterdir(), tmp_path):
        os.utime(path, (1, 1))
    spec = SourceSpec(collection="a", kind="cog", href=f"{tmp_path}/**/*.SAFE/GRANULE/*/IMG_DATA/R10m/*_B02_10m.jp2")

    before = last_changes(YamlNode(YamlLocation("", 0)), [], {"a": spec})["a"]
    newer.unlink()

    assert last_changes(YamlNode(YamlLocation("", 0)), [], {"a": spec})["a"] > before


def test_deleted_zip_file_fails_only_at_its_date(open_at, tmp_path):
    SafeProduct().write_zip(tmp_path)
    deleted = SafeProduct(sensed="20220105T101401").write_zip(tmp_path)
    archive = open_at(tmp_path)
    deleted.unlink()

    assert reflectance_of(archive) > 0
    with pytest.raises(DateUnreadable):
        archive.services.readers["t32tqm"].read_cell("B02", indexes=[1], row=3, column=4)
