"""Requests whose collection is opened because its index was filled."""

import math

import pytest
from starlette.testclient import TestClient

from chronotile.app import upkeep
from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.archive.index.test_files import tree
from tests.running import until

CONFIGURATION = """collections:
  tiles:
    source: {kind: cog, href: "a/*/S2_*_{variable}.tif", tiles: true}
    variables: {NDVI: {}}
"""


@pytest.mark.parametrize("path", ["/layers/tiles.NDVI/times", "/timeseries/tiles.NDVI/point?lon=3&lat=51"])
def test_collection_is_served_as_soon_as_its_index_is_filled(tmp_path, path, monkeypatch):
    monkeypatch.setattr(upkeep, "UNOPENED_RETRY_S", math.inf)  # no reload at intervals
    tree(tmp_path / "a")
    place = tmp_path / "c.yaml"
    place.write_text(CONFIGURATION)
    settings = Settings(config=place, jobs_dir=tmp_path / "jobs", watch_s=0)

    with TestClient(create_app(settings)) as client:
        until(lambda: client.get("/stac/collections/tiles/items").json().get("features"))
        until(lambda: client.get(path).status_code == 200)  # the state of an index is cached for a second
