"""Dates of a folder, found in the catalogue of the server that serves it."""

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.running import until
from tests.scenes import Scene, write_cogs, write_tif

DAYS = ("2020-01-01", "2020-01-11")


def ids(client):
    answer = client.get("/stac/search", params={"bbox": "3.001,50.999,3.002,51", "collections": "ndvi"})
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["features"]]


@pytest.mark.slow  # the server lists dates a second after its start
def test_dates_are_found_and_followed(tmp_path):
    data = tmp_path / "data"
    write_cogs(data, Scene(days=DAYS))
    app = create_app(Settings(config=data, jobs_dir=tmp_path / "jobs", watch_s=0.2))
    with TestClient(app) as client:
        until(lambda: ids(client) == ["2020-01-11", "2020-01-01"])
        item = client.get("/stac/collections/ndvi/items/2020-01-11").json()
        assert item["assets"]["NDVI"]["title"] == "NDVI"
        file = client.get("/products/ndvi/2020-01-11")
        assert (file.status_code, file.content) == (200, (data / "NDVI_20200111.tif").read_bytes())
        assert str(tmp_path) not in client.get("/stac/search").text
        before = client.get("/stac/collections/ndvi/items/2020-01-01").json()["properties"]["updated"]

        write_tif(data / "NDVI_20200121.tif", Scene().numbers(0), Scene())
        write_tif(data / "NDVI_20200101.tif", Scene().numbers(3), Scene())
        (data / "NDVI_20200111.tif").unlink()

        until(lambda: ids(client) == ["2020-01-21", "2020-01-01"])
        assert client.get("/stac/collections/ndvi/items/2020-01-01").json()["properties"]["updated"] > before
        assert client.get("/stac/collections/ndvi/items/2020-01-11").status_code == 404


@pytest.mark.slow  # likewise
def test_dates_give_way_to_tiles_and_come_back(tmp_path):
    data = tmp_path / "data"
    write_cogs(data, Scene(days=DAYS))
    place = data / "chronotile.yaml"
    dates = 'collections: {ndvi: {source: {kind: cog, href: "NDVI_*.tif"}, variables: {NDVI: {layer: NDVI}}}}'
    place.write_text(dates)
    point = "/timeseries/NDVI/point?lon=3.0031&lat=51.0001"
    app = create_app(Settings(config=place, jobs_dir=tmp_path / "jobs", watch_s=0.2))
    with TestClient(app) as client:
        until(lambda: ids(client) == ["2020-01-11", "2020-01-01"])
        before = client.get(point).json()

        place.write_text(dates.replace('tif"', 'tif", tiles: true'))

        until(lambda: ids(client) == ["NDVI_20200111", "NDVI_20200101"])
        until(lambda: client.get(point).status_code == 200)
        after = client.get(point).json()
        assert (after["values"], after["times"]) == (before["values"], before["times"])

        place.write_text(dates)

        until(lambda: ids(client) == ["2020-01-11", "2020-01-01"])
        assert client.get(point).json() == before
