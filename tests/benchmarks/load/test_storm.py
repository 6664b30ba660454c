"""Clients that send requests during another measurement."""

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load.storm import Storm, storm
from tests.protocols.listening import listening


async def answer(request):
    status = 204 if request.url.path == "/none" else 200
    return Response(None if status == 204 else b"x" * 10, status_code=status)


@pytest.mark.slow
def test_all_clients_send_requests_until_the_block_ends():
    app = Starlette(routes=[Route("/none", answer), Route("/some", answer)])

    with listening(app) as url, storm(int(url.rpartition(":")[2]), ["/none", "/some"], clients=3) as found:
        while found.statuses.total() < 30:
            pass

    assert set(found.statuses) == {200, 204}
    assert found.bytes == 10 * found.statuses[200]
    assert len(found.milliseconds) == found.statuses.total()


def test_refusals_are_counted_apart():
    found = Storm()
    found.count("http/1.1 200 ok\r\ncontent-length: 3\r\n\r\n", 3, 20.0)
    found.count("http/1.1 503 service unavailable\r\nretry-after: 5\r\n\r\n", 0, 1.0)
    found.count("http/1.1 503 service unavailable\r\nserver: a\r\n\r\n", 0, 2.0)

    assert (found.milliseconds, found.refused_ms, found.without_retry_after) == ([20.0], [1.0, 2.0], 1)
    assert (dict(found.statuses), found.bytes) == ({200: 1, 503: 2}, 3)
