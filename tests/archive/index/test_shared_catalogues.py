"""Catalogues and items that others have published, indexed: times and extents as pystac reads them."""

import json
import math
from datetime import UTC, datetime

import numpy as np
import pystac
import pytest
import shapely

from chronotile.archive.index.catalogues import CatalogueSource
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import fill
from chronotile.archive.index.source import ItemRules
from tests.archive.index.catalogues import S2

pytestmark = pytest.mark.data
CATALOGUES = {"pystac/test-case-1/catalog.json": 4, "pystac/planet-example-v1.0.0-beta.2/collection.json": 5}
ITEMS = (
    "LC08_L2SP_028030_20200114_20200824_02_T1_SR",
    "LC08_L2SR_081119_20200101_20200823_02_T2",
    "LE07_L2SP_044033_20210329_20210424_02_T1_SR",
    "S2A_28QCH_20200714_0_L2A",
    "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531",
    "S2B_MSIL2A_20190629T212529_R043_T06VVN_20201006T080531_raster_ext",
    "ga_ls8c_ard_3-1-0_088080_2020-05-25_final.stac-item",
    "lidar_dem",
    "only_crs_proj",
)
MAX_WIDER = 0.1
"""Degrees by which an outline may be wider than the geometry, because edges of rasters bend in degrees."""


@pytest.fixture
def indexed(shared_data, store):
    """Return `indexed(name)`: the items of a document, and the summary."""

    def index(name):
        summary = fill(S2, CatalogueSource(str(shared_data / "stac" / name), DocumentReader(), ItemRules()), store)
        return store.items.collections.get("s2", {}), summary

    return index


def holds(item, expected):
    """Whether an item has the time of pystac's, and an outline that holds its geometry and little more."""
    stated = expected.datetime or expected.common_metadata.start_datetime
    time = stated.astimezone(UTC).replace(tzinfo=None) if stated.tzinfo else stated
    assert abs(item.start - np.datetime64(time, "ns")) < np.timedelta64(1, "us")
    outlines = shapely.union_all([shapely.Polygon(ring) for ring in item.footprint])
    geometry = shapely.from_geojson(json.dumps(expected.geometry))
    assert shapely.covers(shapely.buffer(outlines, 1e-9), shapely.make_valid(geometry))
    east, north = np.abs(np.array(outlines.bounds) - np.array(geometry.bounds)).reshape(2, 2).max(axis=0)
    assert max(east * math.cos(math.radians(geometry.centroid.y)), north) < MAX_WIDER


@pytest.mark.parametrize(("name", "count"), CATALOGUES.items())
def test_catalogues_are_followed_as_pystac_does(indexed, shared_data, name, count):
    items, summary = indexed(name)
    root = pystac.read_file(shared_data / "stac" / name)
    rasters = {item.id: item for item in root.get_items(recursive=True)}
    assert len(items) == count
    assert len(items) + sum(each.count for each in summary.problems) == len(rasters)
    for id_, item in items.items():
        holds(item, rasters[id_])


@pytest.mark.parametrize("name", ITEMS)
def test_items_have_their_times_places_and_grids(indexed, shared_data, name):
    [item] = indexed(f"odc/{name}.json")[0].values()
    holds(item, pystac.Item.from_file(shared_data / "stac" / "odc" / f"{name}.json"))
    assert item.start < np.datetime64(datetime(2026, 1, 1), "ns")
