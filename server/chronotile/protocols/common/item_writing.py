"""What protocols share that write items: who may, and the errors of those who may not."""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.archive.index.write import TRIES_S, ItemWriter
from chronotile.errors import (
    AccessRefused,
    ChronotileError,
    InvalidParameter,
    LimitExceeded,
    TooManyTries,
    Unauthenticated,
)
from chronotile.protocols.common.job_access import client_of
from chronotile.protocols.common.query.form import TOO_LARGE
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.common.state import state_of


def writer_of(request: Request) -> ItemWriter:
    """Return what writes items, for a request that may.

    Raises:
        AccessRefused: None may.
        Unauthenticated: It does not show the token.
        TooManyTries: Its address has shown too many wrong ones.
    """
    writer = state_of(request).items
    if writer is None:
        raise AccessRefused("items cannot be written here")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not writer.allows(token.strip() if scheme.lower() == "bearer" else None, client_of(request) or ""):
        raise Unauthenticated("writing items needs the header Authorization: Bearer with the operator's token")
    return writer


def parsed(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Return a body as JSON.

    Raises:
        InvalidParameter: It is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"the body is not valid JSON: {error}") from error


def written_problem(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of a request that writes items."""
    response = problem_response(error, request, status=TOO_LARGE if isinstance(error, LimitExceeded) else None)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="chronotile"'
    if isinstance(error, TooManyTries):
        response.headers.update({"Retry-After": f"{TRIES_S:.0f}", "Cache-Control": "no-store"})
    return response
