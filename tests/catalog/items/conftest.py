"""Item indexes: each test that takes `url` or `index` is run on SQLite and on a real PostgreSQL."""

import json

import numpy as np
import pytest
from affine import Affine

from chronotile.catalog.items import schema
from chronotile.catalog.items.opening import open_items
from chronotile.core.database import Waits
from chronotile.core.model.items import Asset, AssetBand, Item
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.running import PATIENCE_S

GRID = NativeGrid(crs=crs_of("EPSG:32631"), transform=Affine(10, 0, 5e5, 0, -10, 56e5), width=10_980, height=10_980)


def instant(text):
    return np.datetime64(text, "ns")


def rectangle(box):
    return ((box[0], box[1]), (box[2], box[1]), (box[2], box[3]), (box[0], box[3]), (box[0], box[1]))


def make_item(id_, box=(4.0, 50.0, 5.0, 51.0), at="2024-05-01T10:30:00", *, footprint=None, until=None, **values):
    """Return an item with one asset, `B04`, and its properties."""
    start = instant(at)
    asset = Asset(name="B04", href=f"/archive/{id_}.tif", grid=GRID, bands=(AssetBand(dtype="uint16", nodata=0),))
    properties = values.pop("properties", {})
    return Item(
        id=id_,
        footprint=footprint or (rectangle(box),),
        bbox=BBox(*box),
        start=start,
        end=start + np.timedelta64(1, "ns") if until is None else instant(until),
        assets=values.pop("assets", (asset,)),
        properties=properties,
        document=json.dumps({"id": id_, "properties": properties}, default=str).encode(),
        **values,
    )


@pytest.fixture
def patience(monkeypatch):
    """Let all waits for other users of the database last as long as a stalling machine needs."""
    waits = Waits(busy_s=PATIENCE_S, statement_s=PATIENCE_S, silent_s=PATIENCE_S)
    monkeypatch.setattr(schema, "WAITS", waits)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def url(request, patience):
    """Return the URL of an empty database; `None` of SQLite, whose file is in `tmp_path`."""
    return None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()


@pytest.fixture
def open_index(url, tmp_path, closed_at_end):
    """Return `open_index()`, which opens the index again, like another process."""
    return lambda **options: closed_at_end(open_items(url, tmp_path, **options))


@pytest.fixture
def index(open_index):
    return open_index()
