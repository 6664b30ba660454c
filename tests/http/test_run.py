"""Kinds of work in threads, and requests whose services are replaced repeatedly."""

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from chronotile.core.errors import ServicesRenewed
from chronotile.http import work_kinds
from chronotile.http.endpoint import endpoint
from chronotile.http.problems import problem_response
from chronotile.http.server_state import Limiters


def test_each_kind_of_work_has_a_limiter():
    kinds = {name: each for name, each in vars(work_kinds).items() if isinstance(each, work_kinds.WorkKind)}

    assert len(kinds) > 20
    assert {each.limiter for each in kinds.values()} <= set(Limiters._fields)


@pytest.mark.parametrize(("times", "status"), [(0, 200), (99, 200), (100, 503), (10_000, 503)])
def test_a_request_that_is_overtaken_again_and_again_is_refused(times, status):
    left = [ServicesRenewed("what is served was replaced")] * times

    async def answer(_request):
        if left:
            raise left.pop()
        return Response("done")

    with TestClient(Starlette(routes=[Route("/", endpoint(answer, problem_response))])) as client:
        answered = client.get("/")

    assert answered.status_code == status
    assert (status == 503) == ("retry-after" in answered.headers)
