"""Rules for every request and answer, in all protocols."""

import json

import pytest

PATHS = ["/timeseries/v1.0/ts/", "/timeseries/NDVI/point?lon=4.5&lat=50.9", "/nothing", "/"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_every_answer_is_readable_by_every_page_and_its_type_is_not_guessed(client, method, path):
    answer = client.request(method, path)

    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status_code < 500


@pytest.mark.parametrize("path", PATHS)
def test_preflight_is_answered_everywhere(client, path):
    answer = client.options(path, headers={"Access-Control-Request-Headers": "X-Mine"})

    assert (answer.status_code, answer.headers["access-control-allow-headers"]) == (204, "X-Mine")


def ask_raw(client, query_string: bytes, path: str = "/timeseries/NDVI/point") -> tuple[int, dict]:
    """Return the status and problem of a query that the test client would change."""
    scope = {"type": "http", "method": "GET", "path": path, "query_string": query_string, "headers": []}
    messages = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        messages.append(message)

    client.portal.call(client.app, scope, receive, send)
    return messages[0]["status"], json.loads(b"".join(message.get("body", b"") for message in messages))


@pytest.mark.parametrize(("size", "status"), [(63_999, 400), (64_000, 414), (1_000_000, 414)])
def test_query_strings_of_64_kb_are_refused(client, size, status):
    answered, problem = ask_raw(client, b"a" * size)

    assert (answered, problem["status"]) == (status, status)


@pytest.mark.parametrize(
    ("path", "status"), [("/nothing", 404), ("/timeseries/NDVI/point", 400), ("/layers/GONE2", 404)]
)
def test_query_that_is_no_utf_8_breaks_nothing(client, path, status):
    answered, problem = ask_raw(client, b"a=%ff&b=\xff\xfe", path)

    assert (answered, problem["status"]) == (status, status)


def test_unknown_path_is_a_problem_cached_for_a_minute(client):
    answer = client.get("/no/<such>/path")

    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert answer.headers["cache-control"] == "max-age=60"


def test_method_not_allowed_is_405_and_lists_the_allowed_methods(client):
    answer = client.post("/timeseries/v1.0/ts/", content=b"{}")

    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_405_names_the_methods_of_all_routes_of_a_path(client):
    answer = client.put("/stac/search", content=b"{}")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
    assert answer.json()["detail"] == "PUT is not accepted here; use GET, HEAD, POST"


def test_405_lists_the_allowed_method(client):
    assert client.get("/timeseries/points").json()["detail"] == "GET is not accepted here; use POST"


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/dhus/search", "by CDSE's OData v4 at /odata/v1"),
        ("/timeseries/NDVI/polygon", "see /docs for the paths below /timeseries"),
        ("/ogcapi/collections/NDVI/corridor", "see /ogcapi/openapi?f=html for the paths below /ogcapi"),
        ("/tiles/NDVI/9/262/171.png", "the sets are at /ogcapi/tileMatrixSets"),
        ("/cog/info?url=a.tif", "that an operator names in CHRONOTILE_COG_PREFIXES, here none"),
        ("/search?q=*&rows=10", "items are searched at /opensearch, and by CDSE's OData v4 at /odata/v1"),
        ("/wfs?SERVICE=WFS&REQUEST=GetCapabilities", "has the same features, at /ogcapi/collections"),
        ("/csw?SERVICE=CSW&REQUEST=GetCapabilities", "has the same records, at /ogcapi/collections/_items/items"),
        ("/wcs/2.0.1", "WCS is at /wcs?SERVICE=WCS&REQUEST=GetCapabilities"),
        ("/wps/WebProcessingService", "WPS is at /wps?SERVICE=WPS&REQUEST=GetCapabilities"),
    ],
)
def test_unknown_path_links_to_the_list_of_paths(client, path, hint):
    assert client.get(path).json()["detail"].endswith(hint)


def test_head_has_the_same_headers_without_a_body(client):
    get, head = (client.request(method, "/timeseries/v1.0/ts/") for method in ("GET", "HEAD"))

    assert (head.status_code, head.headers["etag"]) == (200, get.headers["etag"])


def test_body_of_a_get_is_ignored(client):
    answer = client.request("GET", "/timeseries/v1.0/ts/", content=b"<" * 100_000)

    assert answer.status_code == 200
