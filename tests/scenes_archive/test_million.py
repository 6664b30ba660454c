"""The generator of a million items."""

import itertools
import json

import numpy as np
import pystac
import pytest
import shapely

from chronotile.readers.stac.items import item_of
from tests.scenes_archive.million import Continent

SHORT = Continent(dates=3)


def test_a_million_items_over_ten_years():
    continent = Continent()

    last = list(continent.chunks())[-1].start.max()

    assert len(continent) == 1_000_300
    assert np.datetime64("2025-12-29") < last < np.datetime64("2026-01-02")


def test_ids_differ_and_items_come_in_the_order_of_time():
    chunks = list(SHORT.chunks())

    ids = [item.id for item in SHORT.items()]

    assert len(set(ids)) == len(ids) == len(SHORT) == 2_100
    assert all(before.start.max() < after.start.min() for before, after in itertools.pairwise(chunks))


def test_three_in_ten_are_halves_and_one_place_is_deep():
    chunks = list(SHORT.chunks())

    halves = np.concatenate([chunk.part for chunk in chunks]) > 0

    assert halves.mean() == pytest.approx(0.3, abs=0.03)
    assert [np.bincount(chunk.tile).max() for chunk in chunks] == [1, 1, 201]


def test_documents_are_stac_and_match_the_items():
    pairs = zip(SHORT.items(), SHORT.documents(), strict=True)

    for item, document in itertools.islice(pairs, 0, None, 211):
        read = item_of(json.loads(document), "https://archive.invalid/items/x.json")

        assert item.document == document
        assert (read.id, read.start, read.end, read.assets) == (item.id, item.start, item.end, item.assets)
        assert shapely.Polygon(read.footprint[0]).buffer(0.002).covers(shapely.Polygon(item.footprint[0]))
        assert item.properties.items() <= read.properties.items()
        assert 1_700 < len(document) < 2_300


def test_pystac_reads_a_document():
    item = pystac.Item.from_dict(json.loads(next(SHORT.documents())))

    assert shapely.geometry.shape(item.geometry).is_valid
    assert item.ext.proj.code == "EPSG:32629"
    assert sorted(item.assets) == ["B04", "B08", "SCL"]
