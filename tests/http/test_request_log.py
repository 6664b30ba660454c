"""The log has one line per request, with numbers that an operator can add up."""

import logging
import re

import pytest

from chronotile.core.logs import REQUEST_ID
from chronotile.pipeline.readiness import Readiness

LOGGER = "chronotile.http.request_log"
READY = Readiness(is_ready=True, failing=(), faults=())


@pytest.fixture
def logged(client, caplog):
    """Return a function: `logged(path, **options)` returns the log lines of a request."""

    def ask(path: str, **options) -> list[str]:
        with caplog.at_level(logging.INFO, logger=LOGGER):
            client.get(path, **options)
        return [record.getMessage() for record in caplog.records if record.name == LOGGER]

    return ask


def test_line_has_route_layer_instant_status_time_and_size(logged):
    lines = logged("/tiles/NDVI/WebMercatorQuad/11/1052/687.png?datetime=2020-06-11")

    assert len(lines) == 1
    assert re.fullmatch(
        r"GET /tiles/\{layer\}/\{tms\}/\{z\}/\{x\}/\{y\}\.\{extension\} layer=NDVI time=2020-06-11T00:00:00Z "
        r"status=200 ms=\d+\.\d bytes=\d+ id=[0-9a-f]{32}",
        lines[0],
    )


def test_collection_of_ogc_api_stands_for_its_layer(logged):
    line = logged("/ogcapi/collections/NDVI/coverage?datetime=2020-06-11&width=8")[0]

    assert line.startswith("GET /ogcapi/collections/{collectionId}/coverage layer=NDVI time=2020-06-11T00:00:00Z ")


def test_layer_may_stand_in_the_query(logged):
    assert "layer=A,B " in logged("/nothing?LAYERS=A,B")[0]


def test_layer_is_logged_with_its_state(logged):
    assert "layer=NDVI@4-00 " in logged("/zarr/NDVI@4-00/zarr.json")[0]


@pytest.mark.parametrize("path", ["/timeseries/a%0Ab%20status=200/point", "/nothing?layer=a%0Ab", "/%0Anothing"])
def test_invalid_name_does_not_reach_the_log(logged, path):
    lines = logged(path)

    assert "\n" not in lines[0]
    assert "layer=-" in lines[0]


def test_confirmed_answer_is_logged_by_its_status(client, logged):
    etag = client.get("/timeseries/v1.0/ts/").headers["etag"]

    assert "status=304" in logged("/timeseries/v1.0/ts/", headers={"If-None-Match": etag})[0]


def test_exceptions_of_wms_have_the_status_of_their_fault(logged):
    assert "status=400" in logged("/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI")[0]


def test_disabled_log_takes_no_notes(client, caplog):
    with caplog.at_level(logging.WARNING, logger=LOGGER):
        client.get("/nothing")

    assert not caplog.records


def test_id_of_a_request_is_in_its_line_and_its_answer(client, logged):
    path, headers = "/layers", {"X-Request-Id": "edge-7.42"}

    assert logged(path, headers=headers)[0].endswith(" id=edge-7.42")
    assert client.get(path, headers=headers).headers["X-Request-Id"] == "edge-7.42"
    assert "X-Request-Id" not in client.get(path).headers


def test_cached_answer_has_the_id_of_each_request(client):
    path = "/tiles/NDVI/WebMercatorQuad/11/1052/687.png?datetime=2020-06-11"

    ids = [client.get(path, headers={"X-Request-Id": name}).headers["X-Request-Id"] for name in ("a", "b")]

    assert ids == ["a", "b"]


def test_errors_have_the_id_too(client):
    assert client.get("/nothing", headers={"X-Request-Id": "a"}).headers["X-Request-Id"] == "a"


@pytest.mark.parametrize("sent", ["a b", "", "a" * 129, "-a", 'a"', "a\x01", "é"], ids=repr)
def test_id_that_cannot_stand_in_a_log_is_replaced(client, logged, sent):
    headers = [(b"x-request-id", sent.encode())]

    assert re.search(r" id=[0-9a-f]{32}$", logged("/layers", headers=headers)[0])
    assert "X-Request-Id" not in client.get("/layers", headers=headers).headers


def test_id_reaches_the_threads_that_work_for_the_request(client, monkeypatch):
    """The thread that checks whether everything can be read logs warnings with the id."""
    seen = []
    monkeypatch.setattr(
        "chronotile.protocols.site.ops.routes.check_readiness", lambda _: seen.append(REQUEST_ID.get()) or READY
    )

    client.get("/health/ready", headers={"X-Request-Id": "a-1"})

    assert seen == ["a-1"]
