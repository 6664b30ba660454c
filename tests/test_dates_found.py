"""Dates of a folder, found in the catalogue of the server that serves it."""

import pytest
from starlette.testclient import TestClient

from chronotile.app import create_app
from chronotile.settings import Settings
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
        assert str(tmp_path) not in client.get("/stac/search").text
        before = client.get("/stac/collections/ndvi/items/2020-01-01").json()["properties"]["updated"]

        write_tif(data / "NDVI_20200121.tif", Scene().numbers(0), Scene())
        write_tif(data / "NDVI_20200101.tif", Scene().numbers(3), Scene())
        (data / "NDVI_20200111.tif").unlink()

        until(lambda: ids(client) == ["2020-01-21", "2020-01-01"])
        assert client.get("/stac/collections/ndvi/items/2020-01-01").json()["properties"]["updated"] > before
        assert client.get("/stac/collections/ndvi/items/2020-01-11").status_code == 404
