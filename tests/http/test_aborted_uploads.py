"""Uploads that the client aborts are not errors of the server, on any route."""

import logging

import pytest

PATHS = [
    *("/wms", "/wmts", "/timeseries/NDVI/area", "/timeseries/NDVI/areas", "/timeseries/points"),
    *("/timeseries/v1.0/ts/NDVI/geometry", "/timeseries/v1.1/ts/NDVI/geometries", "/ogcapi/processes/echo/execution"),
    "/ogcapi/collections/NDVI/position",
]


def abort_upload(client, path: str) -> list[int]:
    """Return the statuses sent to a client that left after the first bytes of its body."""
    headers = [(b"content-type", b"application/x-www-form-urlencoded"), (b"content-length", b"1000")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    left, statuses = [{"type": "http.request", "body": b"SERVICE=W", "more_body": True}], []

    async def receive():
        return left.pop() if left else {"type": "http.disconnect"}

    async def send(message):
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    client.portal.call(client.app, scope, receive, send)
    return statuses


@pytest.mark.parametrize("path", PATHS)
def test_an_aborted_upload_is_no_error_of_the_server(client, caplog, path):
    with caplog.at_level(logging.WARNING):
        statuses = abort_upload(client, path)

    assert 500 not in statuses
    assert caplog.records == []


@pytest.mark.parametrize("path", ["/wms", "/timeseries/NDVI/areas", "/ogcapi/processes/echo/execution"])
def test_aborted_upload_is_counted_as_a_client_that_left(client, path):
    assert abort_upload(client, path) == [499]
