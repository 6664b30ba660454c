"""One line a request, of which an operator can make sums."""

import logging
import re

import pytest

LOGGER = "chronotile.protocols.middleware.request_log"


@pytest.fixture
def logged(client, caplog):
    """`logged(path, **options)`: the lines that one request leaves."""

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
        r"status=200 ms=\d+\.\d bytes=\d+",
        lines[0],
    )


def test_collection_of_ogc_api_stands_for_its_layer(logged):
    line = logged("/ogcapi/collections/NDVI/coverage?datetime=2020-06-11&width=8")[0]

    assert line.startswith("GET /ogcapi/collections/{collectionId}/coverage layer=NDVI time=2020-06-11T00:00:00Z ")


def test_layer_may_stand_in_the_query(logged):
    assert "layer=A,B " in logged("/nothing?LAYERS=A,B")[0]


@pytest.mark.parametrize("path", ["/timeseries/a%0Ab%20status=200/point", "/nothing?layer=a%0Ab", "/%0Anothing"])
def test_what_is_no_name_does_not_reach_the_log(logged, path):
    lines = logged(path)

    assert "\n" not in lines[0]
    assert "layer=-" in lines[0]


def test_answer_the_client_holds_is_told_by_its_status(client, logged):
    etag = client.get("/timeseries/v1.0/ts/").headers["etag"]

    assert "status=304" in logged("/timeseries/v1.0/ts/", headers={"If-None-Match": etag})[0]


def test_exceptions_of_wms_have_the_status_of_their_fault(logged):
    assert "status=400" in logged("/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI")[0]


def test_nothing_is_noted_where_nobody_reads_it(client, caplog):
    with caplog.at_level(logging.WARNING, logger=LOGGER):
        client.get("/nothing")

    assert not caplog.records
