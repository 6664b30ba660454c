"""Faults of servers and connections, over real sockets."""

import asyncio
import json
import time
from email.utils import formatdate

import pytest

from chronotile_client import (
    Archive,
    ArchiveError,
    ArchiveWarning,
    AsyncArchive,
    InvalidRequest,
    LimitExceeded,
    NotFound,
    Retries,
    Unavailable,
)
from chronotile_client.exchange import Failure, retry_after_s
from tests.faulty_source import Fault, faulty_source
from tests.listener import Answer, listener

AT_ONCE = Retries(count=3, first_pause_s=0.0)
POINT = "/timeseries/NDVI/point?lon=4.4&lat=51.0"
SERIES = {"layer": "NDVI", "units": "1", "times": ["2020-01-01T00:00:00Z"], "values": [0.5], "reasons": [None]}
LAYER = {
    "id": "NDVI",
    "title": "NDVI",
    "units": "1",
    "bbox": [4.0, 50.0, 5.0, 51.5],
    "styles": [{"id": "ndvi"}],
    "revision": "1",
    "times": {"count": 1},
}


@pytest.fixture
def source(tmp_path):
    """Server of one document, `/layers`, with configurable faults."""
    (tmp_path / "layers").write_text(json.dumps({"layers": [LAYER]}))
    with faulty_source(tmp_path) as source:
        yield source


@pytest.fixture
def server():
    """Server with configurable answers."""
    with listener() as server:
        server.answers["/layers"] = Answer(body=json.dumps({"layers": [LAYER]}).encode())
        yield server


PASSING = [Fault.UNAVAILABLE, Fault.CUT, Fault.CUT_AT_ONCE, Fault.CUT_CHUNKED]


@pytest.mark.slow
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name)
def test_request_is_repeated_until_it_is_answered(source, fault):
    source.switch(fault, times=2)

    with Archive(source.url, retries=AT_ONCE) as archive:
        assert list(archive.layers) == ["NDVI"]

    assert source.count("layers") == 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name)
def test_request_is_repeated_with_await_too(source, fault):
    source.switch(fault, times=2)

    async def request():
        async with AsyncArchive(source.url, retries=AT_ONCE) as archive:
            return list(await archive.layers())

    assert asyncio.run(request()) == ["NDVI"]
    assert source.count("layers") == 3


@pytest.mark.slow
@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.name)
def test_retries_are_bounded(source, fault):
    source.switch(fault)

    with Archive(source.url, retries=AT_ONCE) as archive, pytest.raises(Unavailable):
        _ = archive.layers

    assert source.count("layers") == 4


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.FORBIDDEN, Fault.MISSING], ids=lambda fault: fault.name)
def test_permanent_failure_is_not_retried(source, fault):
    source.switch(fault)

    with Archive(source.url, retries=AT_ONCE) as archive, pytest.raises(Exception, match=r"the server answered [45]"):
        _ = archive.layers

    assert source.count("layers") == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", [Fault.HANG, Fault.HANG_IN_BODY], ids=lambda fault: fault.name)
def test_server_that_is_too_slow_is_not_requested_again(source, fault):
    source.switch(fault)

    with (
        Archive(source.url, retries=AT_ONCE, timeout_s=0.2) as archive,
        pytest.raises(Unavailable, match="raise timeout_s"),
    ):
        _ = archive.layers

    assert source.count("layers") == 1


@pytest.mark.slow
def test_unreachable_server_is_named_after_all_attempts(source):
    source.refuse()

    with (
        Archive(source.url, retries=AT_ONCE) as archive,
        pytest.raises(Unavailable, match=r"connect .* \(4 attempts\)"),
    ):
        _ = archive.layers


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_server_is_retried_when_it_requests(server, status):
    well = server.answers["/layers"]
    answers = iter([Answer(status, headers={"Retry-After": "0"}), well])
    server.answers["/layers"] = lambda: next(answers)

    with Archive(server.url, retries=Retries(count=1, first_pause_s=3600.0)) as archive:
        assert list(archive.layers) == ["NDVI"]


@pytest.mark.slow
def test_too_long_wait_requested_by_the_server_is_an_error(server):
    problem = {"title": "Service Unavailable", "detail": "the source is away"}
    server.answers["/layers"] = Answer(503, json.dumps(problem).encode(), {"Retry-After": "3600"})

    with Archive(server.url) as archive, pytest.raises(Unavailable, match="the source is away"):
        _ = archive.layers

    assert server.paths() == ["/layers"]


@pytest.mark.slow
@pytest.mark.parametrize(("status", "count"), [(503, 4), (429, 4), (502, 1)])
def test_execution_is_repeated_only_if_it_was_refused(server, status, count):
    server.answers["/ogcapi/processes/echo/execution"] = Answer(status, headers={"Retry-After": "0"})

    with Archive(server.url, retries=AT_ONCE) as archive, pytest.raises(Unavailable):
        archive.process("echo", string="Hello")

    assert len(server.asked) == count


@pytest.mark.slow
def test_execution_whose_connection_broke_is_not_repeated(server):
    server.answers["/ogcapi/processes/echo/execution"] = Answer(headers={"Content-Length": "10"})

    with Archive(server.url, retries=AT_ONCE) as archive, pytest.raises(Unavailable, match="the connection broke"):
        archive.process("echo", string="Hello")

    assert len(server.asked) == 1


@pytest.mark.slow
def test_warnings_of_the_server_are_python_warnings_at_the_line_of_the_call(server):
    text = '199 - "unreadable: 2020-01-21T00:00:00Z", 99 Chronotile "another \\"time\\""'
    server.answers[POINT] = Answer(body=json.dumps(SERIES).encode(), headers={"Warning": text})

    with Archive(server.url) as archive:
        layer = archive.layers["NDVI"]
        with pytest.warns(ArchiveWarning) as warned:
            layer.series((4.4, 51.0))

    assert [str(each.message) for each in warned] == ["unreadable: 2020-01-21T00:00:00Z", 'another "time"']
    assert {each.filename for each in warned} == {__file__}


@pytest.mark.slow
def test_page_of_a_proxy_is_a_readable_error(server):
    server.answers["/layers"] = Answer(400, b"<html>\n<h1>Bad gateway of ours</h1></html>")

    with Archive(server.url) as archive, pytest.raises(InvalidRequest, match="answered 400: <html> <h1>Bad gateway"):
        _ = archive.layers


FOREIGN = {
    "page": (
        Answer(200, b"<html>\n<h1>Log in</h1>" + b"x" * 99, {"Content-Type": "text/html; charset=utf-8"}),
        r"200 with text/html, .*: <html> <h1>Log in</h1>x{58}$",
    ),
    "text": (Answer(200, b"OK", {"Content-Type": "text/plain"}), r"200 with text/plain, .*: OK$"),
    "list": (Answer(200, b"[1]", {"Content-Type": "application/json"}), r"200 with application/json, .*: \[1\]$"),
    "nothing": (Answer(200), r"200 with no media type, .*: an empty body$"),
    "no-content": (Answer(204), r"204 with no media type, .*: an empty body$"),
    "gzip": (
        Answer(200, b"{}", {"Content-Encoding": "gzip"}),
        "200 with no media type, compressed with gzip, which cannot",
    ),
    "loop": (
        Answer(302, headers={"Location": "/layers", "Content-Length": "0"}),
        "redirects again and again, .*/layers",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FOREIGN)
def test_answer_of_something_else_than_the_server_is_an_error_that_shows_it(server, name):
    server.answers["/layers"], message = FOREIGN[name]

    async def request():
        async with AsyncArchive(server.url, retries=AT_ONCE) as archive:
            await archive.layers()

    with Archive(server.url, retries=AT_ONCE) as archive, pytest.raises(ArchiveError, match=message):
        _ = archive.layers
    with pytest.raises(ArchiveError, match=message):
        asyncio.run(request())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["page", "nothing", "gzip"])
def test_answer_of_something_else_is_not_saved(server, name, tmp_path):
    answer, message = FOREIGN[name]
    links = {"map": {"href": f"{server.url}/ogcapi/jobs/1/results/map", "type": "image/gif"}}
    server.answers["/ogcapi/jobs/1"] = Answer(body=b'{"processID": "p", "jobID": "1", "status": "successful"}')
    server.answers["/ogcapi/jobs/1/results"] = Answer(body=json.dumps(links).encode())
    server.answers["/ogcapi/jobs/1/results/map"] = answer
    saved = tmp_path / "map.gif"
    saved.write_bytes(b"GIF of yesterday")

    with Archive(server.url, retries=AT_ONCE) as archive, pytest.raises(ArchiveError, match=message):
        archive.job("1").save(saved)

    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"map.gif": b"GIF of yesterday"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("status", "problem", "kind", "name"),
    [
        (404, {"detail": "gone", "nearest": None}, NotFound, "nearest"),
        (413, {"detail": "big", "alternative": 5, "job": "x", "allowed": "7"}, LimitExceeded, "alternative"),
        (400, {"detail": {"a": 1}, "parameter": ["x"]}, InvalidRequest, "parameter"),
    ],
)
def test_problem_whose_members_are_of_other_kinds_is_an_error_without_them(server, status, problem, kind, name):
    server.answers["/layers"] = Answer(status, json.dumps(problem).encode())

    with Archive(server.url) as archive, pytest.raises(kind, match=str(problem["detail"])) as caught:
        _ = archive.layers

    assert not getattr(caught.value, name)
    assert caught.value.problem == problem


@pytest.mark.slow
def test_prefix_and_headers_are_sent(server):
    server.answers["/behind/a/proxy/layers"] = server.answers["/layers"]

    with Archive(f"{server.url}/behind/a/proxy/", headers={"Authorization": "Bearer x"}) as archive:
        assert list(archive.layers) == ["NDVI"]

    assert server.asked[0].headers["authorization"] == "Bearer x"
    assert server.asked[0].headers["user-agent"].startswith("chronotile-client/")


def test_address_without_a_scheme_is_refused():
    with pytest.raises(ValueError, match="begins with http"):
        Archive("example.org")


def test_retry_after_in_both_forms():
    assert retry_after_s("120") == 120
    assert 3500 < retry_after_s(formatdate(time.time() + 3600, usegmt=True)) <= 3600
    assert retry_after_s("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after_s("soon") is None
    assert retry_after_s(None) is None


def test_pauses_double():
    retries = Retries(first_pause_s=1.0)
    failure = Failure("away", was_sent=False)

    assert [round(retries.pause_s(attempt, failure) / 2**attempt) for attempt in range(4)] == [1, 1, 1, 1]
