"""Bodies are read only up to their limit."""

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from chronotile.catalog.limits import Limits
from chronotile.core.errors import InvalidParameter, LimitExceeded
from chronotile.http.limiter import Limiter
from chronotile.http.request_bodies import read_body
from chronotile.http.server_state import Limiters, ServerState
from chronotile.pipeline.services import FixedServices
from tests.protocols import served


@pytest.fixture
def make_request():
    """Return a function: `make_request(pieces, read, headers)` limits bodies to 100 bytes; pieces read go to `read`."""

    def make(pieces, read, headers=()):
        left = list(pieces)

        async def receive():
            read.append(left.pop(0))
            return {"type": "http.request", "body": read[-1], "more_body": bool(left)}

        app = Starlette()
        limiters = Limiters(**{name: Limiter(name, 1) for name in Limiters._fields})
        services = served.make_services(limits=Limits(max_body_bytes=100))
        app.state.chronotile = ServerState(live=FixedServices(services), limiters=limiters)
        return Request({"type": "http", "method": "POST", "headers": list(headers), "app": app}, receive)

    return make


def test_a_body_within_the_limit_is_whole(make_request):
    request = make_request([b"a" * 60, b"b" * 40], [])

    assert anyio.run(read_body, request) == b"a" * 60 + b"b" * 40


def test_reading_ends_at_the_limit(make_request):
    read = []
    request = make_request([b"a" * 60] * 10, read)

    with pytest.raises(LimitExceeded) as caught:
        anyio.run(read_body, request)
    assert (caught.value.status, len(read)) == (413, 2)


def test_nothing_is_read_if_the_length_exceeds_the_limit(make_request):
    read = []
    request = make_request([b"a"], read, headers=[(b"content-length", b"101")])

    with pytest.raises(LimitExceeded) as caught:
        anyio.run(read_body, request)
    assert (caught.value.status, caught.value.needed, read) == (413, 101, [])


@pytest.mark.parametrize("encoding", [b"gzip", b"br, gzip"])
def test_a_compressed_body_is_415_with_a_reason(make_request, encoding):
    read = []
    request = make_request([b"a"], read, headers=[(b"content-encoding", encoding)])

    with pytest.raises(InvalidParameter, match="Content-Encoding") as caught:
        anyio.run(read_body, request)
    assert (caught.value.status, read) == (415, [])
