"""`POST /layers/{layer}/items` and `DELETE /layers/{layer}/items/{item}`, for requests with the token."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.archive.index.write import ItemWriter, WrittenItems
from chronotile.errors import AccessRefused, ChronotileError, InvalidParameter, LimitExceeded, Unauthenticated
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.form import TOO_LARGE, body_of
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.state import in_thread, services_of, state_of

CREATED, OK, NO_CONTENT = 201, 200, 204


async def post_items(request: Request) -> Response:
    """Add the items of the body, or replace those of the same id."""
    writer = _writer(request)
    body = await body_of(request)
    name, catalogue = request.path_params["layer"], services_of(request).catalogue

    def write() -> WrittenItems:
        return writer.put(name, _parsed(body), catalogue)

    written = await in_thread(state_of(request).limiters.documents, write)
    document = {
        "added": written.put.added,
        "replaced": written.put.replaced,
        "unchanged": written.put.unchanged,
        "ids": written.ids,
    }
    status = CREATED if written.put.added else OK
    return Response(orjson.dumps(document), status_code=status, media_type="application/json")


async def delete_item(request: Request) -> Response:
    """Remove an item."""
    writer, catalogue = _writer(request), services_of(request).catalogue
    name, id_ = request.path_params["layer"], request.path_params["item"]
    await in_thread(state_of(request).limiters.documents, writer.remove, name, id_, catalogue)
    return Response(status_code=NO_CONTENT)


def _writer(request: Request) -> ItemWriter:
    """What writes items, for a request that may.

    Raises:
        AccessRefused: None may.
        Unauthenticated: It does not show the token.
    """
    writer = state_of(request).items
    if writer is None:
        raise AccessRefused("items cannot be written here")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not writer.allows(token.strip() if scheme.lower() == "bearer" else None):
        raise Unauthenticated("writing items needs the header Authorization: Bearer with the operator's token")
    return writer


def _parsed(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"the body is not valid JSON: {error}") from error


def _problem(error: ChronotileError, request: Request) -> Response:
    response = problem_response(error, request, status=TOO_LARGE if isinstance(error, LimitExceeded) else None)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="chronotile"'
    return response


routes = [
    Route("/layers/{layer}/items", endpoint(post_items, _problem), methods=["POST"]),
    Route("/layers/{layer}/items/{item:path}", endpoint(delete_item, _problem), methods=["DELETE"]),
]
