"""Errors with parameters as these paths spell them."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.protocols.common.responses.problem import problem_response


def fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document."""
    return problem_response(error, request, spelling={"time": "datetime"})
