"""Errors of Zarr stores.

Clients take 404 for cells without values, so that only an unknown name is answered with it: a source that fails
is 503, and what belongs to a state that is served no more is 410.
"""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError, StateGone
from chronotile.protocols.common.responses.problem import problem_response


def store_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document; a missing state may come back at any time, so the answer is not cached."""
    response = problem_response(error, request)
    if isinstance(error, StateGone):
        response.headers["Cache-Control"] = "no-store"
    return response
