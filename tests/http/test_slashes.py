"""Paths with an extra slash redirect to the public path, with any proxy."""

from urllib.parse import urljoin

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from tests.protocols import served

PREFIX = "/veg"
PUBLIC = "https://maps.example.org"


@pytest.fixture
def client():
    app = application(served.make_services(), ServerOptions(trusted_proxies=["127.0.0.1"]))
    headers = {"x-forwarded-prefix": PREFIX, "x-forwarded-proto": "https", "x-forwarded-host": "maps.example.org"}
    with TestClient(app, client=("127.0.0.1", 5000), headers=headers, follow_redirects=False) as client:
        yield client


@pytest.mark.parametrize(
    ("requested", "found"),
    [
        ("/zarr/NDVI/", "/zarr/NDVI"),
        ("/ogcapi/collections/", "/ogcapi/collections"),
        ("/ogcapi/collections/?f=json&limit=1", "/ogcapi/collections?f=json&limit=1"),
        ("/layers/NDVI/times/?from=2020", "/layers/NDVI/times?from=2020"),
    ],
)
@pytest.mark.parametrize("is_stripped", [True, False], ids=["prefix removed by the proxy", "prefix passed on"])
def test_a_slash_too_many_leads_to_the_path_under_the_prefix_of_the_proxy(client, requested, found, is_stripped):
    answer = client.get(requested if is_stripped else f"{PREFIX}{requested}")

    assert answer.status_code == 307
    assert urljoin(f"{PUBLIC}{PREFIX}{requested}", answer.headers["location"]) == f"{PUBLIC}{PREFIX}{found}"
    assert client.get(found).status_code in {200, 400}


def test_name_keeps_its_spelling(client):
    answer = client.get("/layers/a%3Fb%20%C3%A9:c/")

    assert urljoin(f"{PUBLIC}/layers/a%3Fb%20%C3%A9:c/", answer.headers["location"]).lower() in {
        f"{PUBLIC}/layers/a%3fb%20%c3%a9%3ac",
        f"{PUBLIC}/layers/a%3fb%20%c3%a9:c",
    }


@pytest.mark.parametrize("path", ["/nothing/", "/nothing", "//example.org/", "/zarr/NDVI/NDVI/", "/zarr/NDVI//"])
def test_path_unknown_without_its_slash_too_is_not_found(client, path):
    assert client.get(f"http://testserver{path}").status_code == 404
