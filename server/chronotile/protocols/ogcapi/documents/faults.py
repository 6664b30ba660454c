"""Errors of the tree's documents in their own words."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.protocols.common.responses.problem import problem_response


def document_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error, its parameter named as the query does."""
    return problem_response(error, request, spelling={"time": "datetime"})
