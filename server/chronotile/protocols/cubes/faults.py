"""Errors of `/cubes` in its own words."""

from starlette.requests import Request
from starlette.responses import Response

from chronotile.errors import ChronotileError
from chronotile.protocols.common.responses.problem import problem_response

SPELLING = {"time": "datetime", "row": "y", "column": "x", "tile_matrix": "z", "tile_matrix_set": "tms"}


def cube_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error, its parameter named as the path and query do."""
    return problem_response(error, request, spelling=SPELLING)
