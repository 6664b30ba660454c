"""Whether the process lives, and whether it can answer."""

import pytest

from tests.protocols import served


def test_live_answers_whatever_the_sources_do(make_client, make_services):
    client = make_client(make_services(broken=["NDVI"]))

    answer = client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


def test_ready_where_all_can_be_read(make_client):
    answer = make_client().get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "failing": []})


def test_ready_while_one_layer_can_be_read_and_tells_the_collection_that_fails(client):
    answer = client.get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "failing": ["terrain"]})


def test_not_ready_where_nothing_can_be_read(make_client, make_services):
    answer = make_client(make_services(broken=["NDVI"])).get("/health/ready")

    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "failing": ["s2"]})


def test_ready_again_when_the_source_is_back(make_client, make_services):
    services = make_services(broken=["NDVI"])
    client = make_client(services)
    client.get("/health/ready")
    services.readers["s2"].broken = frozenset()

    assert client.get("/health/ready").status_code == 200


def test_collection_whose_source_did_not_open_fails(make_client, make_services):
    services = make_services(*served.varied_collections())
    del services.readers["terrain"]

    assert make_client(services).get("/health/ready").json()["failing"] == ["terrain"]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_never_kept(client, path):
    assert client.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/health", "/health/nothing"])
def test_paths_of_later_are_404(client, path):
    assert client.get(path).status_code == 404
