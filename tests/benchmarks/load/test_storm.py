"""Clients that ask on and on while something else is measured."""

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.load.storm import storm
from tests.protocols.listening import listening


async def answer(request):
    status = 204 if request.url.path == "/none" else 200
    return Response(None if status == 204 else b"x" * 10, status_code=status)


@pytest.mark.slow
def test_all_clients_ask_until_the_block_ends():
    app = Starlette(routes=[Route("/none", answer), Route("/some", answer)])

    with listening(app) as url, storm(int(url.rpartition(":")[2]), ["/none", "/some"], clients=3) as found:
        while found.statuses.total() < 30:
            pass

    assert set(found.statuses) == {200, 204}
    assert found.bytes == 10 * found.statuses[200]
    assert len(found.milliseconds) == found.statuses.total()
