"""The database of the item index is unavailable: requests without it are served, others are 503 until it returns."""

import json
import logging
import re
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.core import database
from tests.postgresql import serving_postgresql
from tests.running import until
from tests.scenes import Scene, write_cogs
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

pytestmark = [pytest.mark.slow, pytest.mark.client("initdb", "postgres")]

TOKEN = "a token of tests that is long enough"
SCENES = tuple(SMALL.all_scenes())[:4]
DAY = SCENES[0].datetime[:10]
ITEM = SCENES[0].id
VALUES = {
    "layer": "scenes.RED",
    "format": "png",
    "collection": "scenes",
    "collectionId": "scenes.RED",
    "setId": "none",
    "featureId": "none",
    "item": ITEM,
    "recordId": ITEM,
    "itemId": DAY,
    "tms": "WebMercatorQuad",
    "tileMatrixSetId": "WebMercatorQuad",
    "z": "8",
    "x": "132",
    "y": "85",
    "matrix": "8",
    "row": "85",
    "column": "132",
    "tileMatrix": "8",
    "tileRow": "85",
    "tileCol": "132",
    "extension": "png",
    "array": "RED",
    "chunk": "c/0/0/0",
    "style": "default",
    "styleId": "scenes.RED:default",
    "time": DAY,
    "processID": "statistics",
    "path": "index.html",
    "nodes": "Nodes",
    "set": "none",
    "name": "none",
    "map": "none",
    "jobID": "none",
    "outputID": "none",
    "locationId": "none",
}
"""Values of parameters of paths."""
BOX = "6.0,50.5,6.01,50.51"
QUERIES = {
    "/wms": "SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=scenes.RED&STYLES=&CRS=CRS:84"
    f"&BBOX={BOX}&WIDTH=32&HEIGHT=32&FORMAT=image/png",
    "/wmts": "SERVICE=WMTS&REQUEST=GetCapabilities",
    "/timeseries/{layer}/point": "lon=6&lat=50.5",
    "/ogcapi/collections/{collectionId}/position": "coords=POINT(6 50.5)",
    "/ogcapi/map": "collections=scenes.RED",
    "/products": "collections=scenes",
}
LOG = re.compile("the item index: |the job table: ")


@pytest.fixture
def server():
    with serving_postgresql() as one:
        yield one


@pytest.fixture
def settings(tmp_path, server, monkeypatch):
    """Return an archive of scenes, which are in the index, and of files, whose dates alone are."""
    catalogue = documents.write_catalogue(tmp_path, SMALL, lambda path: str(archive(SMALL) / path), scenes=SCENES)
    (tmp_path / "near").mkdir()
    write_cogs(tmp_path / "near", Scene())
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        "collections:\n"
        f"  scenes: {{source: {{kind: stac, href: '{catalogue}'}}, variables: {{RED: {{asset: B04}}}}}}\n"
        '  near: {source: {kind: cog, href: "near/NDVI_*.tif"}, variables: {NDVI: {}}}\n'
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Settings(
        config=file,
        watch_s=1,
        database_url=server.make_database(),
        jobs_dir=tmp_path / "jobs",
        source_prefixes=str(archive(SMALL)),
        write_token=TOKEN,
    )


LISTS = [
    *("/?f=json", "/layers", "/layers/scenes.B04", "/stac?f=json", "/stac/collections", "/stac/collections/scenes"),
    *("/ogcapi/collections?f=json", "/ogcapi/collections/scenes.B04?f=json"),
    *("/ogcapi/collections/_collections/items?f=json", "/wcs?SERVICE=WCS&REQUEST=GetCapabilities"),
    *("/wms?SERVICE=WMS&REQUEST=GetCapabilities", "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities"),
]
NEEDS_INDEX = ["/layers/scenes.B04/preview.png", "/stac/search", "/timeseries/scenes.B04/point?lon=6&lat=50.5"]


@pytest.fixture
def client_of_items(settings):
    """Return a client of a server whose collection of scenes has only the variables of its items."""
    (file,) = settings.config.parent.glob("stac-*/*/collection.json")
    document = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in document.items() if key != "item_assets"}))
    settings.config.write_text(settings.config.read_text().replace(", variables: {RED: {asset: B04}}", ""))
    with TestClient(create_app(settings), raise_server_exceptions=False) as one:
        until(lambda: number_found(one) == len(SCENES) and one.get(NEEDS_INDEX[0]).status_code == 200)
        until(lambda: one.get("/stac/collections/near").status_code == 200)
        yield one


def test_unreachable_database_is_a_fault_and_a_metric_of_a_ready_server(settings, server):
    with TestClient(create_app(settings)) as client:
        until(lambda: client.get("/health/ready").json()["faults"] == [])
        assert "chronotile_database_up 1.0" in client.get("/metrics").text
        server.stop()
        answer = client.get("/health/ready")

        assert (answer.status_code, answer.json()["status"]) == (200, "ready")
        reasons = [fault["reason"] for fault in answer.json()["faults"]]
        assert "the database does not answer: jobs, searches and sign-in answer 503; see the log" in reasons
        assert "chronotile_database_up 0.0" in client.get("/metrics").text
        server.start()
        until(lambda: "chronotile_database_up 1.0" in client.get("/metrics").text)


@pytest.mark.parametrize("edit", ["", "service: {title: other}\n"], ids=["unchanged", "edited"])
def test_unreachable_index_keeps_collections_in_lists(client_of_items, settings, server, edit):
    client, live = client_of_items, client_of_items.app.state.chronotile.live
    until(lambda: refreshed_lists(client, live) == refreshed_lists(client, live))  # headers that they read are indexed
    before = refreshed_lists(client, live)
    server.stop()
    settings.config.write_text(settings.config.read_text() + edit)
    until(lambda: client.get("/stac/search").status_code == 503)
    live.refresh()
    live.refresh()
    away = {path: client.get(path) for path in LISTS}
    for path in NEEDS_INDEX:  # answered for a second from the index in memory
        until(lambda path=path: client.get(path).status_code == 503)
    waits = [client.get(path).headers["retry-after"] for path in NEEDS_INDEX]

    assert [path for path, each in away.items() if (each.status_code, "scenes" in each.text) != (200, True)] == []
    assert [path for path, each in away.items() if not edit and each.text != before[path]] == []
    assert waits == ["5"] * 3


def test_unreachable_index_keeps_clear_time_of_reloaded_layer(client_of_items, settings, server):
    def clear_time():
        return client_of_items.get("/layers/scenes.B04").json()["times"]["clear"]

    before = clear_time()
    settings.config.write_text(settings.config.read_text() + "service: {title: other}\n")
    client_of_items.app.state.chronotile.live.refresh()
    server.stop()
    until(lambda: {client_of_items.get(path).status_code for path in NEEDS_INDEX} == {503})

    assert (before[:10], clear_time()) == (DAY, before)


def refreshed_lists(client, live):
    """Return the documents in `LISTS` after a check for changes."""
    live.refresh()
    return {path: client.get(path).text for path in LISTS}


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), raise_server_exceptions=False) as one:
        until(lambda: number_found(one) == len(SCENES) and one.get("/layers/scenes.RED").status_code == 200)
        yield one


def number_found(client):
    return client.get("/stac/search?collections=scenes").json().get("numberMatched")


def requests(client):
    """Yield the method and the address of a request for each method of each route of the application."""
    page = client.get("/odata/v1/Products?$top=1&$filter=Collection/Name eq 'scenes'").json()
    product = page["value"][0]["Id"]
    values = VALUES | {"id": product, "product": product}
    for route in client.app.routes:
        path = re.sub(r"\{(\w+)(:\w+)?\}", lambda match: quote(values[match[1]]), route.path)
        query = QUERIES.get(route.path, "")
        for method in sorted(route.methods):
            yield method, f"{path}?{query}" if query else path


def answers(client, listed):
    """Return the answer to each request."""
    found = {}
    for method, path in listed:
        body = {} if method in {"POST", "PUT", "PATCH"} else None
        headers = {"Authorization": f"Bearer {TOKEN}"} if "items" in path else {}
        found[method, path] = client.request(method, path, json=body, headers=headers)
    return found


def test_each_route_reports_the_unavailable_database_or_does_not_need_it(client, server, caplog, monkeypatch):
    monkeypatch.setattr(database, "FAULT_INTERVAL_S", 1e9)
    listed = list(requests(client))
    reading = [each for each in listed if each[0] not in {"DELETE", "PUT", "PATCH"}]
    before = {key: each.status_code for key, each in answers(client, reading).items()}
    caplog.clear()
    with caplog.at_level(logging.INFO):
        server.stop()
        # A picture is answered from the index of a second ago.
        until(lambda: client.get(f"/wms?{QUERIES['/wms']}").status_code == 503)
        away = answers(client, listed)
        server.start()

    assert {key: each.text for key, each in away.items() if each.status_code not in {*before.values(), 503}} == {}
    assert [key for key, each in away.items() if each.status_code == 503 and "retry-after" not in each.headers] == []
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
    assert len([record for record in caplog.records if LOG.match(record.getMessage())]) <= 2
    refused = {path.partition("?")[0] for (_, path), each in away.items() if each.status_code == 503}
    assert refused >= {"/stac/search", "/odata/v1/Products", "/ogcapi/collections/_items/items", "/wms"}
    told = [record.getMessage() for record in caplog.records if record.name.startswith("chronotile.protocols.common")]
    assert told == []
    until(lambda: number_found(client) == len(SCENES))
    until(lambda: client.get("/health/ready").json()["faults"] == [])
    assert {key: each.status_code for key, each in answers(client, reading).items()} == before


def test_other_data_are_served_and_readiness_lists_the_missing(client, server):
    tile = "/tiles/near.NDVI/WebMercatorQuad/12/2082/1371.png"
    server.crash()

    assert client.get(tile).status_code == 200
    until(lambda: "scenes" in client.get("/health/ready").json()["failing"])
    assert client.get("/health/ready").status_code == 200
    client.app.state.chronotile.live.refresh()
    assert client.get("/health/ready").status_code == 200
    for path in ("/layers/scenes.RED/preview.png", "/stac/search", "/odata/v1/Products"):
        until(lambda path=path: client.get(path).status_code == 503)
        assert "retry-after" in client.get(path).headers
    assert json.loads(client.get("/odata/v1/Products").text).keys() & {"error", "detail"}
    server.start()
    until(lambda: client.get("/layers/scenes.RED/preview.png").status_code == 200)
    until(lambda: client.get("/health/ready").json()["faults"] == [])


COMPLETE_LISTS = ["/stac?f=json", "/stac/collections", "/ogcapi/collections/_collections/items?f=json"]
"""Lists that harvesters read: a collection that is missing there is removed elsewhere."""
RECORD = "/ogcapi/collections/_collections/items/scenes"


def test_server_started_without_index_answers_no_short_list(settings, server):
    server.stop()
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        refused = [client.get(path) for path in [*COMPLETE_LISTS, RECORD]]
        listed = [client.get(path) for path in ("/layers", "/wms?SERVICE=WMS&REQUEST=GetCapabilities")]
        server.start()
        until(lambda: client.get("/layers/scenes.RED/preview.png").status_code == 200)
        until(lambda: "warning" not in client.get("/layers").headers)
        restored = [client.get(path).text for path in [*COMPLETE_LISTS, RECORD]]

    assert {(each.status_code, each.headers.get("retry-after")) for each in refused} == {(503, "5")}
    assert [(each.status_code, each.headers["warning"]) for each in listed] == [(200, '199 - "left out: scenes"')] * 2
    assert [text for text in restored if "scenes" not in text] == []


def test_a_server_starts_without_its_database(settings, server):
    server.stop()
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        assert client.get("/tiles/near.NDVI/WebMercatorQuad/12/2082/1371.png").status_code == 200
        assert client.get("/layers/scenes.RED").status_code == 503
        assert client.get("/stac/collections/scenes").status_code == 503
        assert client.get("/stac/search").status_code == 503
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert "scenes" in ready.json()["failing"]
        server.start()
        until(lambda: client.get("/layers/scenes.RED/preview.png").status_code == 200)
        until(lambda: number_found(client) == len(SCENES))
        until(lambda: client.get("/health/ready").json()["faults"] == [])
