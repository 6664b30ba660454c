"""A busy server refuses again without reading the request, and only while it is busy."""

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.pipeline.services import FixedServices
from tests.protocols import served
from tests.running import PATIENCE_S

PATH = "/timeseries/NDVI/area"
AREA = f"{PATH}?bbox=4.60,50.80,4.61,50.81"
FAULTY = f"{PATH}?bbox=4.60,50.80,4.61,50.81&format=papyrus"


@pytest.fixture
def client():
    """Client of an archive of two collections with a layer each."""
    other = served.make_layer("OTHER", collection="other", variable=served.make_variable("OTHER"))
    collections = (served.make_collection(), served.make_collection(other, id="other"))
    with TestClient(application(served.make_services(*collections))) as one:
        yield one


@contextmanager
def busy(client):
    """Occupy all threads for areas in the block, without places in the queue."""
    limiter, end = client.app.state.chronotile.limiters.areas, threading.Event()
    limiter.max_waiting = 0
    held = [client.portal.start_task_soon(limiter.run, end.wait) for _ in range(limiter.threads)]
    try:
        yield limiter
    finally:
        end.set()
        assert [each.result(PATIENCE_S) for each in held] == [True] * len(held)


def told(answer):
    return answer.status_code, answer.content, dict(answer.headers)


def test_repeated_refusal_is_the_same(client):
    with busy(client) as limiter:
        first, *others = (told(client.get(AREA)) for _ in range(3))

    assert (first[0], first[2]["retry-after"], first[2]["cache-control"]) == (503, "5", "no-store")
    assert others == [first] * 2
    assert limiter.refused == 3


def test_repeated_refusals_are_counted_by_route(client):
    with busy(client):
        for _ in range(3):
            client.get(AREA)

    line = 'chronotile_requests_total{route="/timeseries/{layer}/area",status="503"} 3.0'
    assert line in client.get("/metrics").text


def test_request_is_not_parsed_if_its_path_is_refused(client):
    with busy(client):
        statuses = [client.get(path).status_code for path in (FAULTY, AREA, FAULTY)]

    assert statuses == [400, 503, 503]


def test_request_is_answered_when_there_is_room_again(client):
    with busy(client):
        refused = [client.get(AREA).status_code for _ in range(2)]

    assert refused == [503, 503]
    assert [client.get(AREA).status_code, client.get(FAULTY).status_code] == [200, 400]


def test_other_paths_go_their_ordinary_way(client):
    with busy(client):
        assert client.get(AREA).status_code == 503

        assert client.get("/timeseries/NOTHING/area").status_code == 404
        assert client.get(f"/timeseries/OTHER/area{FAULTY.removeprefix(PATH)}").status_code == 400


def test_large_areas_that_would_wait_too_long_are_refused_though_none_was_measured(client, monkeypatch):
    monkeypatch.setattr("chronotile.pipeline.series.area_cells.ROUGH_CELL_S", 1.0)  # each for a second
    limiter, end, asked = client.app.state.chronotile.limiters.areas, threading.Event(), 20
    held = [client.portal.start_task_soon(limiter.run, end.wait) for _ in range(limiter.threads)]
    with ThreadPoolExecutor(asked) as clients:
        answers = [clients.submit(client.get, AREA) for _ in range(asked)]
        try:
            first = [answer.result() for answer in islice(as_completed(answers, PATIENCE_S), asked - 5)]
        finally:
            end.set()

    assert [each.result(PATIENCE_S) for each in held] == [True] * len(held)
    assert {answer.status_code for answer in first} == {503}, "five wait for 5 s"


def test_analyses_of_points_wait_with_areas_and_points_do_not(client):
    body = {"layers": ["NDVI"], "points": [[4.605, 50.805]]}
    with busy(client):
        answers = [client.post(f"/timeseries/points{query}", json=body) for query in ("?step=P1M", "")]

    assert [each.status_code for each in answers] == [503, 200]


@pytest.mark.parametrize("path", [PATH, f"{PATH}s", "/timeseries/v1.0/ts/NDVI/geometry"])
def test_bodies_of_refused_requests_are_not_read(client, path):
    with busy(client) as limiter:
        answer = client.post(path, content=b"no JSON")
        refused = limiter.refused

    assert (answer.status_code, answer.headers["retry-after"], refused) == (503, "5", 1)
    assert client.post(path, content=b"no JSON").status_code == 400


def test_refusals_are_dropped_when_services_are_replaced(client):
    state = client.app.state.chronotile
    with busy(client):
        assert client.get(AREA).status_code == 503
        state.live = FixedServices(replace(state.services))

        assert client.get(FAULTY).status_code == 400
