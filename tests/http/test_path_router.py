"""The route found by the first segment of a path is the first match among all routes."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, Router
from starlette.testclient import TestClient

from chronotile.http.path_router import PathRouter


def route(path, *methods):
    async def answer(request):
        return PlainTextResponse(f"{path} {sorted(request.path_params.items())}")

    return Route(path, answer, methods=list(methods) or None)


ROUTES = [
    *(route("/"), route("/tiles/{layer}"), route("/{any}/fixed"), route("/tiles/fixed")),
    *(route("/tiles/{layer}", "POST"), route("/tiles.json"), route("/a b/{rest:path}")),
    Mount("/inner", Router([route("/tiles/{layer}")])),
]


@pytest.mark.parametrize("root", ["", "/prefix"])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    [
        *("/", "/tiles/NDVI", "/tiles/fixed", "/other/fixed", "/tiles.json", "/a%20b/c/d", "/inner/tiles/NDVI"),
        *("/tiles", "/nothing", "//tiles/NDVI", "/prefix/tiles/NDVI", "/prefixed/fixed"),
    ],
)
def test_answers_equal_those_of_the_linear_router(root, method, path):
    linear, direct = Router(ROUTES, redirect_slashes=False), Router(ROUTES)
    clients = [TestClient(app, root_path=root) for app in (linear, PathRouter(direct))]

    expected, found = (client.request(method, f"{root}{path}") for client in clients)

    assert (found.status_code, found.text) == (expected.status_code, expected.text)
