"""Errors of products as problem documents."""

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, NoFiles, TooManyDownloads
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.responses.problem import problem_response
from chronotile.protocols.products.documents import coverage_url

RETRY_AFTER_S = "5"


def product_problem(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error; of an item without files with the address of its values."""
    response = problem_response(error, request)
    if isinstance(error, TooManyDownloads):
        response.headers.update({"Retry-After": RETRY_AFTER_S, "Cache-Control": "no-store"})
    if isinstance(error, NoFiles) and response.body:
        members = orjson.loads(response.body)
        url = coverage_url(base_url(request), error.collection, error.when)
        response = Response(
            orjson.dumps({**members, "alternative": url}),
            status_code=response.status_code,
            media_type=response.media_type,
        )
    return response
