"""Health checks: whether the process is alive and can answer."""

from dataclasses import replace

import pytest

from chronotile.core.finding import Finding
from chronotile.pipeline.failing_dates import report_failing_date
from tests.protocols import served


def test_live_answers_with_any_state_of_the_sources(make_client, make_services):
    client = make_client(make_services(broken=["NDVI"]))

    answer = client.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "live"})


def test_ready_if_all_sources_are_readable(make_client):
    answer = make_client().get("/health/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "failing": [], "filling": [], "faults": []})


def test_ready_with_one_readable_layer_and_the_failing_collection_named(client):
    answer = client.get("/health/ready")

    faults = [{"reason": "the data of its newest time are gone", "collection": "terrain", "layer": "GONE"}]
    assert (answer.status_code, answer.json()) == (
        200,
        {"status": "ready", "failing": ["terrain"], "filling": [], "faults": faults},
    )


def test_not_ready_if_nothing_is_readable(make_client, make_services):
    answer = make_client(make_services(broken=["NDVI"])).get("/health/ready")

    assert (answer.status_code, answer.json()["status"], answer.json()["failing"]) == (503, "not ready", ["s2"])


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


def test_unreadable_date_is_named_without_its_path(make_client, make_services):
    services = make_services()
    report_failing_date("s2", "NDVI", 1, error=OSError("/data/secret.tif ended early"), services=services)

    answer = make_client(services).get("/health/ready")

    fault = {"reason": "cannot be read", "collection": "s2", "variable": "NDVI", "time": "2020-06-01T00:00:00Z"}
    assert (answer.status_code, answer.json()["failing"], answer.json()["faults"]) == (200, [], [fault])


def test_skipped_files_are_listed_by_collection_and_name_without_folders(make_client, make_services):
    findings = (
        Finding("error", "far", "left out: no file matches x.tif", collection="far", path="/data/secret/x.tif"),
        Finding("warning", "s2: a/b.tif", "left out: its corner is elsewhere", collection="s2", written="c.yaml:3"),
        Finding("error", "s2: a/c.tif", "left out: it cannot be opened", collection="s2"),
        Finding("warning", "s2: time", "2 times occur twice", collection="s2"),
        Finding("error", "places.fields", "left out: no such file"),
    )

    answer = make_client(replace(make_services(), findings=findings)).get("/health/ready")

    assert answer.json() == {
        "status": "ready",
        "failing": ["far"],
        "filling": [],
        "faults": [
            {"reason": "its source cannot be opened, or contains nothing that can be served", "collection": "far"},
            {"reason": "2 files or parts of it are left out: b.tif, c.tif; see the log", "collection": "s2"},
            {"reason": "1 file or part of it is left out: places.fields; see the log"},
        ],
    }


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_health_is_never_cached(client, path):
    assert client.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("path", ["/health", "/health/nothing"])
def test_paths_of_later_are_404(client, path):
    assert client.get(path).status_code == 404
