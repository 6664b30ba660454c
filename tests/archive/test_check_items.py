"""Findings of `chronotile check` on collections of items, only by their index."""

import json
import os
from contextlib import closing
from dataclasses import replace

import pytest

from chronotile.archive.check_items import items_findings
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.model.items import IndexSettings, ItemSearch, Mosaic
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.readers.cog.header import read_header
from chronotile.readers.stac.items import item_of
from tests.scenes_archive import documents
from tests.scenes_archive.files import cog, path_of
from tests.scenes_archive.plan import Plan, days_of

MADE = Plan(days=days_of(2), columns=1, rows=1, tile_px=140, step_px=100, ground_m=200, block_px=128)
COUNT = len(list(MADE.all_scenes()))
SETTINGS = IndexSettings(group="solar_day", order_by="eo:cloud_cover")
IDENTITY = "catalogue"


@pytest.fixture
def source(tmp_path):
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text("{}")
    os.utime(catalogue, (0, 0))
    variables = {"RED": VariableSpec(id="RED", asset="B04"), "SCL": VariableSpec(id="SCL", asset="SCL")}
    return SourceSpec(
        collection="s2", kind="stac", href=str(catalogue), variables=variables, items=ItemsSpec(settings=SETTINGS)
    )


@pytest.fixture
def passes(tmp_path):
    with closing(open_passes(None, tmp_path)) as passes:
        yield passes


@pytest.fixture
def index(tmp_path):
    with closing(open_items(None, tmp_path)) as index:
        index.configure("s2", SETTINGS)
        yield index


@pytest.fixture
def fill(index, passes):
    """Return `fill()`, which stores all items by a whole pass over the source."""

    def fill(edit=lambda _document: None, *, place="s3://files"):
        scenes = [documents.item(scene, lambda path: f"{place}/{path}") for scene in MADE.all_scenes()]
        edit(scenes[0])
        index.put("s2", [item_of(json.loads(json.dumps(each, default=float)), "/files/x.json") for each in scenes])
        run = passes.begin("s2", source=IDENTITY, holder="test", is_whole=True)
        passes.finish(run)

    return fill


@pytest.fixture
def found(source, index, passes):
    """Return `found()`: the messages."""
    return lambda: [finding.message for finding in items_findings(source, index, passes)]


def test_good_index_has_no_findings(fill, found):
    fill()

    assert found() == []


def test_index_that_was_never_filled_is_found(found):
    assert found() == ["its index was never filled completely from its source; run chronotile index"]


def test_index_older_than_its_catalogue_is_found(fill, found, source):
    fill()
    os.utime(source.href, (1 << 33, 1 << 33))

    assert found() == ["catalogue.json has changed since its index was filled; run chronotile index"]


def test_order_other_than_the_configured_one_is_found(fill, found, index):
    fill()
    index.configure("s2", replace(SETTINGS, is_descending=True))

    assert found() == [
        "its index groups or orders the items in another way than the configuration; run chronotile index"
    ]


def test_items_without_the_property_of_the_order_are_counted(fill, found):
    fill(lambda document: document["properties"].pop("eo:cloud_cover"))

    (message,) = found()

    assert message.startswith(f"1 of {COUNT} items have no number eo:cloud_cover, by which mosaic.order_by sorts them")


def test_least_nodata_without_its_property_is_found(fill, source, index, passes):
    settings = replace(SETTINGS, order_by="proba:missing")
    index.configure("s2", settings)
    fill()
    items = ItemsSpec(settings=settings, mosaic=Mosaic(rule="least_nodata", order_by=settings.order_by))

    (message,) = (each.message for each in items_findings(replace(source, items=items), index, passes))

    assert message == (
        "no item has a number proba:missing, by which mosaic.rule least_nodata sorts them: they are sorted "
        "by id, as with rule first; set mosaic.order_by to the property that has their share of missing values"
    )


def test_missing_files_of_this_machine_are_counted(fill, found, tmp_path):
    fill(place=tmp_path)
    for scene in MADE.all_scenes():
        for asset in ("B04", "SCL"):
            file = tmp_path / path_of(scene, asset)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    assert found() == []

    file.unlink()

    assert found() == [f"1 of {COUNT} items have lost the file of asset SCL; they are left out of its layers"]


def test_missing_assets_are_counted(fill, found):
    fill(lambda document: document["assets"].pop("SCL"))

    assert found() == [f"1 of {COUNT} items have no asset SCL; they are left out of its layers"]


def test_large_files_without_overviews_are_counted(fill, found, index, monkeypatch):
    fill()
    monkeypatch.setattr("chronotile.archive.check_items.LARGE_FILE_PX", 100)
    flat = replace(MADE.scenes(0)[0], plan=replace(MADE, overviews=0))
    data = cog(flat.numbers("B04"), flat, "B04")
    header = read_header(lambda offset, count: data[offset : offset + count], len(data)).to_bytes()
    ref = index.search(ItemSearch(collections=("s2",))).items[0].ref
    index.note_header(ref, "B04", header=header, etag="1", size=len(data))

    (message,) = found()

    assert message.startswith(f"asset B04 of {COUNT} items has no overviews in 1: a map of a whole file")
